"""Alerts: integrations and their keys, groups, silences, maintenance windows, heartbeats."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watchkeeper.kernel.db.metadata import Json, UtcDateTime

revision = "0013_alerts"
down_revision = "0012_slo_reports"
branch_labels = None
depends_on = None
phase = "pre"


def upgrade() -> None:
    _ways_in()
    _groups()
    _alerts()
    _noise()
    _heartbeats()


def _ways_in() -> None:
    op.create_table(
        "alert_integrations",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("name", sa.String(63), nullable=False, unique=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("content", Json(), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("last_event_at", UtcDateTime),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "alert_keys",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("integration_id", sa.String(40), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("ends_with", sa.String(4), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("expires_at", UtcDateTime),
        sa.Column("revoked_at", UtcDateTime),
    )
    op.create_index("ix_alert_keys_integration_id", "alert_keys", ["integration_id"])


def _groups() -> None:
    op.create_table(
        "alert_groups",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("service", sa.String(200), nullable=False),
        sa.Column("environment", sa.String(200), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("grouped_as", sa.String(64), nullable=False),
        sa.Column("open_key", sa.String(64), unique=True),
        sa.Column("title", sa.String(1024), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("severity", sa.String(10), nullable=False),
        sa.Column("severity_rank", sa.Integer, nullable=False),
        sa.Column("urgency", sa.String(10), nullable=False),
        sa.Column("opened_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("acknowledged_at", UtcDateTime),
        sa.Column("acknowledged_by", sa.String(64)),
        sa.Column("acknowledged_until", UtcDateTime),
        sa.Column("snoozed_until", UtcDateTime),
        sa.Column("resolved_at", UtcDateTime),
        sa.Column("resolved_by", sa.String(64)),
        sa.Column("suppressed", sa.String(20)),
        sa.Column("suppressed_by", sa.String(40)),
        sa.Column("alert_count", sa.Integer, nullable=False),
        sa.Column("firing_count", sa.Integer, nullable=False),
        sa.Column("loud_count", sa.Integer, nullable=False),
        sa.Column("event_count", sa.Integer, nullable=False),
        sa.Column("policy", sa.String(63)),
        sa.Column("slo", sa.String(63)),
        sa.Column("integration", sa.String(40), nullable=False),
        sa.Column("joined_at", UtcDateTime, nullable=False),
        sa.Column("last_event_at", UtcDateTime, nullable=False),
        sa.Column("window_seconds", sa.Integer, nullable=False),
        sa.Column("auto_resolve_seconds", sa.Integer),
        sa.Column("flapping", sa.Boolean, nullable=False),
        sa.Column("changes", Json(), nullable=False),
    )
    op.create_index("ix_alert_groups_grouped_as_resolved_at", "alert_groups", ["grouped_as", "resolved_at"])
    op.create_index("ix_alert_groups_resolved_at", "alert_groups", ["resolved_at"])
    op.create_index("ix_alert_groups_service_opened_at", "alert_groups", ["service", "opened_at"])
    op.create_index("ix_alert_groups_status_opened_at", "alert_groups", ["status", "opened_at"])
    op.create_index("ix_alert_groups_suppressed_by", "alert_groups", ["suppressed_by"])


def _alerts() -> None:
    op.create_table(
        "alert_alerts",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("group_id", sa.String(40)),
        sa.Column("identity", sa.String(64), nullable=False),
        sa.Column("live", sa.String(64), unique=True),
        sa.Column("integration", sa.String(40), nullable=False),
        sa.Column("dedup_key", sa.String(255), nullable=False),
        sa.Column("firing", sa.Boolean, nullable=False),
        sa.Column("starts_at", UtcDateTime, nullable=False),
        sa.Column("ends_at", UtcDateTime),
        sa.Column("title", sa.String(1024), nullable=False),
        sa.Column("severity", sa.String(10), nullable=False),
        sa.Column("labels", Json(), nullable=False),
        sa.Column("links", Json(), nullable=False),
        sa.Column("first_at", UtcDateTime, nullable=False),
        sa.Column("last_at", UtcDateTime, nullable=False),
        sa.Column("event_count", sa.Integer, nullable=False),
        sa.Column("silence", sa.String(40)),
    )
    op.create_index("ix_alert_alerts_group_id_firing", "alert_alerts", ["group_id", "firing"])
    op.create_index("ix_alert_alerts_last_at", "alert_alerts", ["last_at"])
    op.create_table(
        "alert_details",
        sa.Column("alert_id", sa.String(40), primary_key=True),
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("title", sa.String(1024), nullable=False),
        sa.Column("severity", sa.String(10), nullable=False),
        sa.Column("content", Json(), nullable=False),
        sa.Column("first_at", UtcDateTime, nullable=False),
        sa.Column("last_at", UtcDateTime, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
    )


def _noise() -> None:
    op.create_table(
        "alert_silences",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("matchers", Json(), nullable=False),
        sa.Column("starts_at", UtcDateTime, nullable=False),
        sa.Column("ends_at", UtcDateTime, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("ended_by", sa.String(64)),
    )
    op.create_index("ix_alert_silences_ends_at", "alert_silences", ["ends_at"])
    op.create_table(
        "alert_maintenance",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("services", Json(), nullable=False),
        sa.Column("environments", Json(), nullable=False),
        sa.Column("starts_at", UtcDateTime, nullable=False),
        sa.Column("ends_at", UtcDateTime),
        sa.Column("weekly", Json()),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("ended_by", sa.String(64)),
    )
    op.create_index("ix_alert_maintenance_ends_at", "alert_maintenance", ["ends_at"])


def _heartbeats() -> None:
    op.create_table(
        "alert_heartbeats",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("name", sa.String(63), nullable=False, unique=True),
        sa.Column("ping_key", sa.String(36), nullable=False, unique=True),
        sa.Column("content", Json(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("started_at", UtcDateTime),
        sa.Column("last_ping_at", UtcDateTime),
        sa.Column("last_duration_ms", sa.Integer),
        sa.Column("late_at", UtcDateTime),
        sa.Column("down_at", UtcDateTime),
        sa.Column("ping_count", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "alert_pings",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("heartbeat_id", sa.String(40), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("exit_status", sa.Integer),
        sa.Column("duration_ms", sa.Integer),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("ix_alert_pings_heartbeat_id_at", "alert_pings", ["heartbeat_id", "at"])
