"""Tables of incidents; nobody else reads them."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, String, Table, Text

from watchkeeper.kernel.db.metadata import Json, UtcDateTime, metadata

incidents = Table(
    "incidents",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(80), nullable=False, unique=True),
    Column("version", Integer, nullable=False),
    Column("title", String(300), nullable=False),
    Column("severity", String(5), nullable=False),
    Column("status", String(20), nullable=False),
    # 0 while it is open and was not merged: lists begin with these.
    Column("closed", Integer, nullable=False),
    Column("services", Json(), nullable=False),
    Column("environment", String(200)),
    Column("started_at", UtcDateTime, nullable=False),
    Column("detected_at", UtcDateTime, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("opened_by", String(64), nullable=False),
    Column("acknowledged_at", UtcDateTime),
    Column("responded_at", UtcDateTime),
    Column("identified_at", UtcDateTime),
    Column("monitoring_at", UtcDateTime),
    Column("resolved_at", UtcDateTime),
    Column("resolved_reason", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("impact", Text, nullable=False),
    Column("users_affected", Integer),
    Column("merged_into", String(40)),
    Column("reopened", Integer, nullable=False),
    Column("drill", Boolean, nullable=False),
    Column("clocks_from", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("last_update_at", UtcDateTime),
    Column("settled_at", UtcDateTime),
    Column("paged", String(10)),
    Column("told", Json(), nullable=False),
    Column("channel", String(40)),
    Index("ix_incidents_closed_severity_opened_at", "closed", "severity", "opened_at"),
    Index("ix_incidents_opened_at", "opened_at"),
)

services = Table(
    "incident_services",
    metadata,
    Column("incident_id", String(40), primary_key=True),
    Column("service", String(200), primary_key=True),
    Index("ix_incident_services_service", "service"),
)

# One person each: the key says so, whatever two people do at the same moment.
roles = Table(
    "incident_roles",
    metadata,
    Column("incident_id", String(40), primary_key=True),
    Column("role", String(20), primary_key=True),
    Column("person_id", String(64), nullable=False),
    Column("since", UtcDateTime, nullable=False),
)

responders = Table(
    "incident_responders",
    metadata,
    Column("incident_id", String(40), primary_key=True),
    Column("person_id", String(64), primary_key=True),
    Column("joined_at", UtcDateTime, nullable=False),
    Column("how", String(60), nullable=False),
)

entries = Table(
    "incident_entries",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("incident_id", String(40), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("text", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("by", String(64), nullable=False),
    Column("pinned", Boolean, nullable=False),
    Column("url", String(2000)),
    Column("file_name", String(120)),
    Column("media_type", String(100)),
    Column("size", Integer),
    Index("ix_incident_entries_incident_id_at", "incident_id", "at"),
)

files = Table(
    "incident_files",
    metadata,
    Column("entry_id", String(40), primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

updates = Table(
    "incident_updates",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("incident_id", String(40), nullable=False),
    # Of the sender, or made from what is said: the same update is published once.
    Column("key", String(120), nullable=False),
    Column("text", Text, nullable=False),
    Column("status", String(20), nullable=False),
    Column("severity", String(5), nullable=False),
    Column("public", Boolean, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("by", String(64), nullable=False),
    Index("ix_incident_updates_incident_id_at", "incident_id", "at"),
    Index("ix_incident_updates_incident_id_key", "incident_id", "key", unique=True),
)

links = Table(
    "incident_links",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("incident_id", String(40), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("target", String(700), nullable=False),
    Column("label", String(300), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("by", String(64), nullable=False),
    Index("ix_incident_links_incident_id_kind_target", "incident_id", "kind", "target", unique=True),
    Index("ix_incident_links_kind_target", "kind", "target"),
)

rules = Table(
    "incident_rules",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("content", Json(), nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("updated_by", String(64), nullable=False),
)
