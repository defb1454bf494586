"""Paging: how far the calls for each alert group have come, and every page."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watchkeeper.kernel.db.metadata import Json, UtcDateTime

revision = "0016_paging"
down_revision = "0015_notify"
branch_labels = None
depends_on = None
phase = "pre"


def upgrade() -> None:
    op.create_table(
        "oncall_runs",
        sa.Column("group_id", sa.String(40), primary_key=True),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("policy", sa.String(63)),
        sa.Column("severity", sa.String(10), nullable=False),
        sa.Column("opened_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("next_at", UtcDateTime),
    )
    op.create_index("ix_oncall_runs_state", "oncall_runs", ["state", "next_at"])
    op.create_table(
        "oncall_pages",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("group_id", sa.String(40), nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("until", sa.String(12), nullable=False),
        sa.Column("target", sa.String(80), nullable=False),
        sa.Column("person_id", sa.String(40)),
        sa.Column("channel", sa.String(63)),
        sa.Column("why", sa.String(200), nullable=False),
        sa.Column("called_at", UtcDateTime, nullable=False),
        sa.Column("messages", sa.Integer, nullable=False),
        sa.Column("ended_at", UtcDateTime),
        sa.Column("ended_because", sa.String(200), nullable=False),
        sa.Column("missed_at", UtcDateTime),
        sa.UniqueConstraint("group_id", "generation", "round", "number", "target"),
    )
    op.create_index("ix_oncall_pages_person_id_called_at", "oncall_pages", ["person_id", "called_at"])
    op.create_index("ix_oncall_pages_called_at", "oncall_pages", ["called_at"])
    op.create_table(
        "oncall_watch",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("findings", Json(), nullable=False),
        sa.Column("looked_at", UtcDateTime, nullable=False),
        sa.Column("heartbeat_at", UtcDateTime),
    )
