"""Tables of runtime configuration; nobody else reads them."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from watchkeeper.kernel.db.metadata import Json, UtcDateTime, metadata

environments = Table(
    "config_environments",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("needs_approval", Boolean, nullable=False),
    # Grows with every change of the environment: snapshots are told apart by it.
    Column("version", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
)

# The registry: what each parameter is, in all environments.
parameters = Table(
    "config_parameters",
    metadata,
    Column("key", String(150), primary_key=True),
    Column("definition", Json(), nullable=False),
    Column("managed_by", String(20), nullable=False),
    Column("applied", Json()),
    Column("differs_since", UtcDateTime),
    Column("version", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("updated_by", String(64), nullable=False),
)

# What is set: for everybody (slot `value`), for a user (`user:<id>`) or for a segment (`segment:<name>`).
system_config = Table(
    "system_config",
    metadata,
    Column("environment", String(64), ForeignKey("config_environments.name"), primary_key=True),
    Column("key", String(150), ForeignKey("config_parameters.key"), primary_key=True),
    Column("slot", String(220), primary_key=True),
    Column("value", Json(), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("changed_by", String(64), nullable=False),
    Column("change_id", String(40), nullable=False),
    Index("ix_system_config_slot", "slot"),
    Index("ix_system_config_key", "key"),
)

changes = Table(
    "config_changes",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("environment", String(64), ForeignKey("config_environments.name"), nullable=False),
    Column("state", String(20), nullable=False),
    Column("operations", Json(), nullable=False),
    Column("reason", Text, nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("due_at", UtcDateTime),
    Column("proposed_by", String(64), nullable=False),
    Column("proposed_at", UtcDateTime, nullable=False),
    Column("source", String(20), nullable=False),
    Column("decided_by", String(64)),
    Column("decided_at", UtcDateTime),
    Column("note", Text),
    Column("reverts", String(40)),
    Index("ix_config_changes_environment_proposed_at", "environment", "proposed_at"),
    Index("ix_config_changes_state", "state"),
)

# Which changes touch a key.
change_keys = Table(
    "config_change_keys",
    metadata,
    Column("key", String(150), primary_key=True),
    Column("change_id", String(40), ForeignKey("config_changes.id", ondelete="CASCADE"), primary_key=True),
)

# Keys that code declares, as running services said.
declarations = Table(
    "config_declarations",
    metadata,
    Column("key", String(150), primary_key=True),
    Column("service", String(200), primary_key=True),
    Column("definition", Json(), nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)

# Environment variables that running services see; `said` is NULL for a secret, which is only known to be set.
variables = Table(
    "config_variables",
    metadata,
    Column("environment", String(64), primary_key=True),
    Column("key", String(150), primary_key=True),
    Column("service", String(200), primary_key=True),
    Column("instance", String(64), primary_key=True),
    Column("said", Text),
    Column("seen_at", UtcDateTime, nullable=False),
    Index("ix_config_variables_seen_at", "seen_at"),
)

# Programs that read the configuration, and how far behind each is.
readers = Table(
    "config_readers",
    metadata,
    Column("environment", String(64), primary_key=True),
    Column("service", String(200), primary_key=True),
    Column("instance", String(64), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("stale_seconds", Integer, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Index("ix_config_readers_seen_at", "seen_at"),
)

# How often each variant was served, by hour.
usage = Table(
    "config_usage",
    metadata,
    Column("environment", String(64), primary_key=True),
    Column("key", String(150), primary_key=True),
    Column("variant", String(64), primary_key=True),
    Column("hour", UtcDateTime, primary_key=True),
    Column("count", Integer, nullable=False),
    Index("ix_config_usage_hour", "hour"),
)
