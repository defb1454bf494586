"""Service level objectives: what people say of them, what was counted, and what came of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watchkeeper.kernel.db.metadata import Json, UtcDateTime

revision = "0011_slo"
down_revision = "0010_subjects"
branch_labels = None
depends_on = None
phase = "pre"


def upgrade() -> None:
    _definitions()
    _counts()
    _alerts()
    _records()


def _definitions() -> None:
    op.create_table(
        "slo_definitions",
        sa.Column("name", sa.String(63), primary_key=True),
        sa.Column("id", sa.String(40), nullable=False, unique=True),
        sa.Column("service", sa.String(200), nullable=False),
        sa.Column("definition", Json(), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("counted_as", sa.String(64), nullable=False),
        sa.Column("managed_by", sa.String(20), nullable=False),
        sa.Column("applied", Json()),
        sa.Column("differs_since", UtcDateTime),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("updated_by", sa.String(64), nullable=False),
    )
    op.create_index("ix_slo_definitions_service", "slo_definitions", ["service"])
    op.create_table(
        "slo_records",
        sa.Column("kind", sa.String(20), primary_key=True),
        sa.Column("name", sa.String(63), primary_key=True),
        sa.Column("content", Json(), nullable=False),
        sa.Column("managed_by", sa.String(20), nullable=False),
        sa.Column("applied", Json()),
        sa.Column("differs_since", UtcDateTime),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("updated_by", sa.String(64), nullable=False),
    )
    numbers = op.create_table(
        "slo_generation",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
    )
    op.bulk_insert(numbers, [{"id": 1, "number": 1}])


def _counts() -> None:
    op.create_table(
        "slo_hours",
        sa.Column("slo", sa.String(63), primary_key=True),
        sa.Column("objective", sa.String(63), primary_key=True),
        sa.Column("hour", sa.Integer, primary_key=True),
        sa.Column("part", sa.String(20), primary_key=True),
        sa.Column("good", sa.Float(53), nullable=False),
        sa.Column("total", sa.Float(53), nullable=False),
        sa.Column("measured", sa.Float(53), nullable=False),
        sa.Column("settled", sa.Boolean, nullable=False),
    )
    op.create_table(
        "slo_revisions",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("slo", sa.String(63), nullable=False),
        sa.Column("objective", sa.String(63), nullable=False),
        sa.Column("hour", sa.Integer, nullable=False),
        sa.Column("before", Json(), nullable=False),
        sa.Column("after", Json(), nullable=False),
        sa.Column("found_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_slo_revisions_slo_found_at", "slo_revisions", ["slo", "found_at"])


def _alerts() -> None:
    op.create_table(
        "slo_alerts",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("slo", sa.String(63), nullable=False),
        sa.Column("objective", sa.String(63), nullable=False),
        sa.Column("service", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("action", sa.String(10), nullable=False),
        sa.Column("dedup_key", sa.String(250), nullable=False),
        sa.Column("open_key", sa.String(250), unique=True),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("resolved_at", UtcDateTime),
        sa.Column("last_fired_at", UtcDateTime, nullable=False),
        sa.Column("fired", sa.Integer, nullable=False),
        sa.Column("rules", Json(), nullable=False),
        sa.Column("burn", sa.Float(53), nullable=False),
        sa.Column("budget_spent", sa.Float(53), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("ix_slo_alerts_slo_started_at", "slo_alerts", ["slo", "started_at"])
    op.create_index("ix_slo_alerts_dedup_key", "slo_alerts", ["dedup_key", "started_at"])


def _records() -> None:
    op.create_table(
        "slo_exclusions",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("service", sa.String(200)),
        sa.Column("slos", Json(), nullable=False),
        sa.Column("since", UtcDateTime, nullable=False),
        sa.Column("until", UtcDateTime),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("withdrawn_at", UtcDateTime),
    )
    op.create_index("ix_slo_exclusions_since", "slo_exclusions", ["since"])
    op.create_table(
        "slo_adjustments",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("slo", sa.String(63), nullable=False),
        sa.Column("objective", sa.String(63), nullable=False),
        sa.Column("events", sa.Float(53), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("incident", sa.String(64)),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("proposed_by", sa.String(64), nullable=False),
        sa.Column("proposed_at", UtcDateTime, nullable=False),
        sa.Column("decided_by", sa.String(64)),
        sa.Column("decided_at", UtcDateTime),
    )
    op.create_index("ix_slo_adjustments_slo", "slo_adjustments", ["slo"])
