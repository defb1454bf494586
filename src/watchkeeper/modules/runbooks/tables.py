"""The tables of runbooks; nobody else reads them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from watchkeeper.kernel.db.metadata import Json, UtcDateTime, metadata

files = Table(
    "runbook_files",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("title", String(200), nullable=False),
    Column("kind", String(10), nullable=False),
    Column("service", String(200)),
    Column("text", Text, nullable=False),
    Column("revision", String(64), nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("updated_by", String(64), nullable=False),
    Index("ix_runbook_files_service", "service"),
)

approvals = Table(
    "runbook_approvals",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("revision", String(64), primary_key=True),
    Column("by", String(64), nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

runs = Table(
    "runbook_runs",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("runbook", String(100), nullable=False),
    Column("title", String(200), nullable=False),
    Column("service", String(200)),
    Column("revision", String(64), nullable=False),
    # The whole file as it was: what ran can be read years later, and a runner checks its digest.
    Column("text", Text, nullable=False),
    Column("state", String(10), nullable=False),
    Column("inputs", Json(), nullable=False),
    Column("dry_run", Boolean, nullable=False),
    Column("about_type", String(40)),
    Column("about_id", String(100)),
    Column("started_by", String(64), nullable=False),
    Column("source", String(20), nullable=False),
    Column("reason", String(500), nullable=False),
    Column("undoes_run", String(40)),
    Column("undoes_step", String(100)),
    Column("cancelled_by", String(64)),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Index("ix_runbook_runs_runbook", "runbook", "started_at"),
    Index("ix_runbook_runs_about", "about_type", "about_id"),
    Index("ix_runbook_runs_state", "state", "started_at"),
)

steps = Table(
    "runbook_run_steps",
    metadata,
    Column("run_id", String(40), ForeignKey("runbook_runs.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("definition", Json(), nullable=False),
    Column("state", String(10), nullable=False),
    Column("waits_for", String(15), nullable=False),
    Column("confirmed_by", String(64)),
    Column("confirmed_at", UtcDateTime),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("output", Text, nullable=False),
    Column("output_bytes", BigInteger, nullable=False),
    Column("exit_code", Integer),
    Column("detail", String(500), nullable=False),
    Column("attempts", Integer, nullable=False),
    # Grows with each lease: a report with an older one comes from a runner that was given up.
    Column("token", Integer, nullable=False),
    Column("lease_until", UtcDateTime),
    Column("runner", String(100)),
    Column("undo", Json()),
    Index("ix_runbook_run_steps_waits_for", "waits_for", "state"),
)

runners = Table(
    "runbook_runners",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("actor", String(64), nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)
