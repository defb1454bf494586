"""Tables of alerts; nobody else reads them. Texts that may be missing and stand in keys are '' instead of NULL."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text

from watchkeeper.kernel.db.metadata import Json, UtcDateTime, metadata

integrations = Table(
    "alert_integrations",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(63), nullable=False, unique=True),
    Column("kind", String(20), nullable=False),
    # Service, environment, policy, severities, grouping, mapping, rate: read and written as one.
    Column("content", Json(), nullable=False),
    Column("version", Integer, nullable=False),
    Column("last_event_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

# Of a key only its SHA-256 is kept: it has 160 random bits, so nothing slower is needed.
keys = Table(
    "alert_keys",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("integration_id", String(40), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("ends_with", String(4), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Index("ix_alert_keys_integration_id", "integration_id"),
)

groups = Table(
    "alert_groups",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("service", String(200), nullable=False),
    Column("environment", String(200), nullable=False),
    Column("key", String(255), nullable=False),
    Column("grouped_as", String(64), nullable=False),
    # `grouped_as` while alerts may join: at most one group of a kind takes them.
    Column("open_key", String(64), unique=True),
    Column("title", String(1024), nullable=False),
    Column("status", String(20), nullable=False),
    Column("severity", String(10), nullable=False),
    # 0 is the worst: lists are in this order.
    Column("severity_rank", Integer, nullable=False),
    Column("urgency", String(10), nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("acknowledged_at", UtcDateTime),
    Column("acknowledged_by", String(64)),
    Column("acknowledged_until", UtcDateTime),
    Column("snoozed_until", UtcDateTime),
    Column("resolved_at", UtcDateTime),
    Column("resolved_by", String(64)),
    Column("suppressed", String(20)),
    Column("suppressed_by", String(40)),
    Column("alert_count", Integer, nullable=False),
    Column("firing_count", Integer, nullable=False),
    Column("loud_count", Integer, nullable=False),
    Column("event_count", Integer, nullable=False),
    Column("policy", String(63)),
    Column("slo", String(63)),
    Column("integration", String(40), nullable=False),
    Column("joined_at", UtcDateTime, nullable=False),
    Column("last_event_at", UtcDateTime, nullable=False),
    Column("window_seconds", Integer, nullable=False),
    Column("auto_resolve_seconds", Integer),
    Column("flapping", Boolean, nullable=False),
    Column("changes", Json(), nullable=False),
    Index("ix_alert_groups_status_opened_at", "status", "opened_at"),
    Index("ix_alert_groups_grouped_as_resolved_at", "grouped_as", "resolved_at"),
    Index("ix_alert_groups_resolved_at", "resolved_at"),
    Index("ix_alert_groups_suppressed_by", "suppressed_by"),
    Index("ix_alert_groups_service_opened_at", "service", "opened_at"),
)

alerts = Table(
    "alert_alerts",
    metadata,
    Column("id", String(40), primary_key=True),
    # NULL: its end was heard of before its start; nobody is told of it.
    Column("group_id", String(40)),
    Column("identity", String(64), nullable=False),
    # `identity` of the row that the next word about this alert is about.
    Column("live", String(64), unique=True),
    Column("integration", String(40), nullable=False),
    Column("dedup_key", String(255), nullable=False),
    Column("firing", Boolean, nullable=False),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime),
    Column("title", String(1024), nullable=False),
    Column("severity", String(10), nullable=False),
    Column("labels", Json(), nullable=False),
    Column("links", Json(), nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Column("event_count", Integer, nullable=False),
    Column("silence", String(40)),
    Index("ix_alert_alerts_group_id_firing", "group_id", "firing"),
    Index("ix_alert_alerts_last_at", "last_at"),
)

# The newest distinct details of each alert, at most 20.
details = Table(
    "alert_details",
    metadata,
    Column("alert_id", String(40), primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("title", String(1024), nullable=False),
    Column("severity", String(10), nullable=False),
    Column("content", Json(), nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Column("count", Integer, nullable=False),
)

silences = Table(
    "alert_silences",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("matchers", Json(), nullable=False),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("ended_by", String(64)),
    Index("ix_alert_silences_ends_at", "ends_at"),
)

maintenance = Table(
    "alert_maintenance",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("services", Json(), nullable=False),
    Column("environments", Json(), nullable=False),
    Column("starts_at", UtcDateTime, nullable=False),
    # When it is over for good: of a weekly one NULL until somebody ends it.
    Column("ends_at", UtcDateTime),
    # Of a weekly one: days, time, time zone and length.
    Column("weekly", Json()),
    Column("reason", Text, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("ended_by", String(64)),
    Index("ix_alert_maintenance_ends_at", "ends_at"),
)

heartbeats = Table(
    "alert_heartbeats",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(63), nullable=False, unique=True),
    Column("ping_key", String(36), nullable=False, unique=True),
    Column("content", Json(), nullable=False),
    Column("state", String(10), nullable=False),
    Column("started_at", UtcDateTime),
    Column("last_ping_at", UtcDateTime),
    Column("last_duration_ms", Integer),
    Column("late_at", UtcDateTime),
    Column("down_at", UtcDateTime),
    Column("ping_count", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

pings = Table(
    "alert_pings",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("heartbeat_id", String(40), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", String(10), nullable=False),
    Column("exit_status", Integer),
    Column("duration_ms", Integer),
    Column("body", Text, nullable=False),
    Index("ix_alert_pings_heartbeat_id_at", "heartbeat_id", "at"),
)
