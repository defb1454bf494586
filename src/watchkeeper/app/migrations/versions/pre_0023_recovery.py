"""Recovery: rules from alerts to steps of runbooks, and what they did."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watchkeeper.kernel.db.metadata import Json, UtcDateTime

revision = "0023_recovery"
down_revision = "0022_postmortems"
branch_labels = None
depends_on = None
phase = "pre"


def upgrade() -> None:
    op.create_table(
        "recovery_rules",
        sa.Column("name", sa.String(63), primary_key=True),
        sa.Column("content", Json(), nullable=False),
        sa.Column("armed", sa.Boolean, nullable=False),
        sa.Column("mode", sa.String(12), nullable=False),
        sa.Column("breaker_opened_at", UtcDateTime),
        sa.Column("breaker_reason", sa.String(500), nullable=False),
        sa.Column("rehearsed_at", UtcDateTime),
        sa.Column("rehearsed_state", sa.String(20), nullable=False),
        sa.Column("rehearsal_run", sa.String(40)),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("updated_by", sa.String(64), nullable=False),
    )
    op.create_table(
        "recovery_attempts",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("rule", sa.String(63), nullable=False),
        sa.Column("service", sa.String(200), nullable=False),
        sa.Column("group_id", sa.String(40), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("mode", sa.String(12), nullable=False),
        sa.Column("run_id", sa.String(40)),
        sa.Column("busy_key", sa.String(220), nullable=False, unique=True),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("acted_at", UtcDateTime),
        sa.Column("due_at", UtcDateTime),
        sa.Column("finished_at", UtcDateTime),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("approved_by", sa.String(64)),
    )
    op.create_index("ix_recovery_attempts_rule_started_at", "recovery_attempts", ["rule", "started_at"])
    op.create_index("ix_recovery_attempts_group_id", "recovery_attempts", ["group_id"])
    op.create_index("ix_recovery_attempts_run_id", "recovery_attempts", ["run_id"])
