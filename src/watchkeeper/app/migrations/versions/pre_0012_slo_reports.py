"""Reports of objectives: what was said of a period, who gets them when, and what was sent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watchkeeper.kernel.db.metadata import Json, UtcDateTime

revision = "0012_slo_reports"
down_revision = "0011_slo"
branch_labels = None
depends_on = None
phase = "pre"


def upgrade() -> None:
    op.create_table(
        "slo_statements",
        sa.Column("slo", sa.String(63), primary_key=True),
        sa.Column("period", sa.String(10), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("slo_id", sa.String(40), nullable=False),
        sa.Column("counted_as", sa.String(64), nullable=False),
        sa.Column("definition", Json(), nullable=False),
        sa.Column("content", Json(), nullable=False),
        sa.Column("why", Json(), nullable=False),
        sa.Column("ended_at", UtcDateTime, nullable=False),
        sa.Column("made_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_slo_statements_period", "slo_statements", ["period"])
    op.create_index("ix_slo_statements_ended_at", "slo_statements", ["ended_at"])
    op.create_table(
        "slo_report_schedules",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("report", sa.String(10), nullable=False),
        sa.Column("service", sa.String(200)),
        sa.Column("recipients", Json(), nullable=False),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("at", sa.Time, nullable=False),
        sa.Column("time_zone", sa.String(64), nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "slo_report_sendings",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("schedule_id", sa.String(40), nullable=False),
        sa.Column("period", sa.String(10), nullable=False),
        sa.Column("recipient", sa.String(254), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("error", sa.String(200)),
        sa.Column("planned_at", UtcDateTime, nullable=False),
        sa.Column("sent_at", UtcDateTime),
    )
    op.create_index(
        "uq_slo_report_sendings", "slo_report_sendings", ["schedule_id", "period", "recipient"], unique=True
    )
