"""Schedules, escalation policies, overrides, swaps and the links by which calendars read them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watchkeeper.kernel.db.metadata import Json, UtcDateTime

revision = "0014_oncall"
down_revision = "0013_alerts"
branch_labels = None
depends_on = None
phase = "pre"


def upgrade() -> None:
    op.create_table(
        "oncall_definitions",
        sa.Column("kind", sa.String(10), primary_key=True),
        sa.Column("name", sa.String(63), primary_key=True),
        sa.Column("id", sa.String(40), nullable=False, unique=True),
        sa.Column("content", Json(), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("managed_by", sa.String(10), nullable=False),
        sa.Column("applied", Json()),
        sa.Column("differs_since", UtcDateTime),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("updated_by", sa.String(64), nullable=False),
    )
    _stand_ins()
    op.create_table(
        "oncall_calendar_links",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("person", sa.String(40), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("revoked_at", UtcDateTime),
    )
    op.create_index("ix_oncall_calendar_links_person", "oncall_calendar_links", ["person"])


def _stand_ins() -> None:
    op.create_table(
        "oncall_overrides",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("schedule_id", sa.String(40), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("who", sa.String(40), nullable=False),
        sa.Column("instead_of", sa.String(40)),
        sa.Column("since", UtcDateTime, nullable=False),
        sa.Column("until", UtcDateTime, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("swap_id", sa.String(40)),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("withdrawn_at", UtcDateTime),
    )
    op.create_index("uq_oncall_overrides_number", "oncall_overrides", ["schedule_id", "number"], unique=True)
    op.create_index("ix_oncall_overrides_until", "oncall_overrides", ["schedule_id", "until"])
    op.create_table(
        "oncall_swaps",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("schedule_id", sa.String(40), nullable=False),
        sa.Column("asker", sa.String(40), nullable=False),
        sa.Column("other", sa.String(40), nullable=False),
        sa.Column("gives_since", UtcDateTime, nullable=False),
        sa.Column("gives_until", UtcDateTime, nullable=False),
        sa.Column("takes_since", UtcDateTime),
        sa.Column("takes_until", UtcDateTime),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("asked_at", UtcDateTime, nullable=False),
        sa.Column("decided_at", UtcDateTime),
    )
    op.create_index("ix_oncall_swaps_schedule", "oncall_swaps", ["schedule_id", "state"])
