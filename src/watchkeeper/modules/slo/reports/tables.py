"""Tables of reports; nobody else reads them."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Time

from watchkeeper.kernel.db.metadata import Json, UtcDateTime, metadata

# What was said of an SLO once a period was over. A later version says what changed; the earlier ones stay.
statements = Table(
    "slo_statements",
    metadata,
    Column("slo", String(63), primary_key=True),
    Column("period", String(10), primary_key=True),
    Column("version", Integer, primary_key=True),
    # Which SLO of this name it was, and what it counted.
    Column("slo_id", String(40), nullable=False),
    Column("counted_as", String(64), nullable=False),
    Column("definition", Json(), nullable=False),
    Column("content", Json(), nullable=False),
    Column("why", Json(), nullable=False),
    Column("ended_at", UtcDateTime, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Index("ix_slo_statements_period", "period"),
    Index("ix_slo_statements_ended_at", "ended_at"),
)

schedules = Table(
    "slo_report_schedules",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("report", String(10), nullable=False),
    Column("service", String(200)),
    Column("recipients", Json(), nullable=False),
    Column("day", Integer, nullable=False),
    Column("at", Time, nullable=False),
    Column("time_zone", String(64), nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

# The intent to send a period's report to one address, and what became of it. Written before anything is sent.
sendings = Table(
    "slo_report_sendings",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("schedule_id", String(40), nullable=False),
    Column("period", String(10), nullable=False),
    Column("recipient", String(254), nullable=False),
    Column("state", String(10), nullable=False),
    Column("error", String(200)),
    Column("planned_at", UtcDateTime, nullable=False),
    Column("sent_at", UtcDateTime),
    Index("uq_slo_report_sendings", "schedule_id", "period", "recipient", unique=True),
)
