"""Runtime configuration: environments, parameters, values, changes, and what running services report."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watchkeeper.kernel.db.metadata import Json, UtcDateTime

revision = "0009_config"
down_revision = "0008_telemetry_place"
branch_labels = None
depends_on = None
phase = "pre"


def upgrade() -> None:
    op.create_table(
        "config_environments",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("needs_approval", sa.Boolean, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("changed_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "config_parameters",
        sa.Column("key", sa.String(150), primary_key=True),
        sa.Column("definition", Json(), nullable=False),
        sa.Column("managed_by", sa.String(20), nullable=False),
        sa.Column("applied", Json()),
        sa.Column("differs_since", UtcDateTime),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("updated_by", sa.String(64), nullable=False),
    )
    op.create_table(
        "system_config",
        sa.Column("environment", sa.String(64), sa.ForeignKey("config_environments.name"), primary_key=True),
        sa.Column("key", sa.String(150), sa.ForeignKey("config_parameters.key"), primary_key=True),
        sa.Column("slot", sa.String(220), primary_key=True),
        sa.Column("value", Json(), nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("changed_at", UtcDateTime, nullable=False),
        sa.Column("changed_by", sa.String(64), nullable=False),
        sa.Column("change_id", sa.String(40), nullable=False),
    )
    op.create_index("ix_system_config_slot", "system_config", ["slot"])
    op.create_index("ix_system_config_key", "system_config", ["key"])
    _changes()
    _reports()


def _changes() -> None:
    op.create_table(
        "config_changes",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("environment", sa.String(64), sa.ForeignKey("config_environments.name"), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("operations", Json(), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("content_hash", sa.String(64), nullable=False),
        sa.Column("due_at", UtcDateTime),
        sa.Column("proposed_by", sa.String(64), nullable=False),
        sa.Column("proposed_at", UtcDateTime, nullable=False),
        sa.Column("source", sa.String(20), nullable=False),
        sa.Column("decided_by", sa.String(64)),
        sa.Column("decided_at", UtcDateTime),
        sa.Column("note", sa.Text),
        sa.Column("reverts", sa.String(40)),
    )
    op.create_index("ix_config_changes_environment_proposed_at", "config_changes", ["environment", "proposed_at"])
    op.create_index("ix_config_changes_state", "config_changes", ["state"])
    op.create_table(
        "config_change_keys",
        sa.Column("key", sa.String(150), primary_key=True),
        sa.Column("change_id", sa.String(40), sa.ForeignKey("config_changes.id", ondelete="CASCADE"), primary_key=True),
    )


def _reports() -> None:
    op.create_table(
        "config_declarations",
        sa.Column("key", sa.String(150), primary_key=True),
        sa.Column("service", sa.String(200), primary_key=True),
        sa.Column("definition", Json(), nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "config_variables",
        sa.Column("environment", sa.String(64), primary_key=True),
        sa.Column("key", sa.String(150), primary_key=True),
        sa.Column("service", sa.String(200), primary_key=True),
        sa.Column("instance", sa.String(64), primary_key=True),
        sa.Column("said", sa.Text),
        sa.Column("seen_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_config_variables_seen_at", "config_variables", ["seen_at"])
    op.create_table(
        "config_readers",
        sa.Column("environment", sa.String(64), primary_key=True),
        sa.Column("service", sa.String(200), primary_key=True),
        sa.Column("instance", sa.String(64), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("stale_seconds", sa.Integer, nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_config_readers_seen_at", "config_readers", ["seen_at"])
    op.create_table(
        "config_usage",
        sa.Column("environment", sa.String(64), primary_key=True),
        sa.Column("key", sa.String(150), primary_key=True),
        sa.Column("variant", sa.String(64), primary_key=True),
        sa.Column("hour", UtcDateTime, primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
    )
    op.create_index("ix_config_usage_hour", "config_usage", ["hour"])


def downgrade() -> None:
    for table in (
        "config_usage", "config_readers", "config_variables", "config_declarations", "config_change_keys",
        "config_changes", "system_config", "config_parameters", "config_environments",
    ):  # fmt: skip
        op.drop_table(table)
