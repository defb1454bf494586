"""The status page: components, incidents as the public sees them, their updates, maintenance, subscribers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watchkeeper.kernel.db.metadata import Json, UtcDateTime

revision = "0021_status"
down_revision = "0020_runbooks"
branch_labels = None
depends_on = None
phase = "pre"


def upgrade() -> None:
    op.create_table(
        "status_described",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("content", Json(), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_status_described_kind_name", "status_described", ["kind", "name"], unique=True)
    _incidents()
    _maintenances()
    op.create_table(
        "status_subscribers",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("components", Json(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("asked_at", UtcDateTime, nullable=False),
        sa.Column("confirmed_at", UtcDateTime),
        sa.Column("refusals", sa.Integer, nullable=False),
        sa.Column("inactive_since", UtcDateTime),
    )
    op.create_index("ix_status_subscribers_state", "status_subscribers", ["state"])


def _incidents() -> None:
    op.create_table(
        "status_incidents",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("incident", sa.String(40), unique=True),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("published_at", UtcDateTime),
        sa.Column("resolved_at", UtcDateTime),
        sa.Column("updated_at", UtcDateTime),
        sa.Column("stage", sa.String(20)),
    )
    op.create_index("ix_status_incidents_published_at", "status_incidents", ["published_at"])
    op.create_table(
        "status_updates",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("incident", sa.String(40), nullable=False),
        sa.Column("review", sa.String(10), nullable=False),
        sa.Column("stage", sa.String(20), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("components", Json(), nullable=False),
        sa.Column("happened_at", UtcDateTime, nullable=False),
        sa.Column("drafted_at", UtcDateTime, nullable=False),
        sa.Column("drafted_by", sa.String(64), nullable=False),
        sa.Column("source", sa.String(100), unique=True),
        sa.Column("published_at", UtcDateTime),
        sa.Column("published_by", sa.String(64)),
        sa.Column("edited_at", UtcDateTime),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_index("ix_status_updates_incident", "status_updates", ["incident"])
    op.create_index("ix_status_updates_review", "status_updates", ["review"])


def _maintenances() -> None:
    op.create_table(
        "status_maintenances",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("components", Json(), nullable=False),
        sa.Column("starts_at", UtcDateTime, nullable=False),
        sa.Column("ends_at", UtcDateTime, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("window", sa.String(40)),
        sa.Column("ended_early_at", UtcDateTime),
    )
    window = ["window", "starts_at"]
    op.create_index("ix_status_maintenances_window_starts_at", "status_maintenances", window, unique=True)
    op.create_index("ix_status_maintenances_ends_at", "status_maintenances", ["ends_at"])
    op.create_table(
        "status_windows",
        sa.Column("window", sa.String(40), primary_key=True),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("components", Json(), nullable=False),
        sa.Column("shown_at", UtcDateTime, nullable=False),
        sa.Column("shown_by", sa.String(64), nullable=False),
    )
