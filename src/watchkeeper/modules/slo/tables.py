"""Tables of objectives; nobody else reads them."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, String, Table, Text

from watchkeeper.kernel.db.metadata import Json, UtcDateTime, metadata

definitions = Table(
    "slo_definitions",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("id", String(40), nullable=False, unique=True),
    Column("service", String(200), nullable=False),
    Column("definition", Json(), nullable=False),
    Column("version", Integer, nullable=False),
    # Told apart by it: what was counted before the indicator changed is not this objective's.
    Column("counted_as", String(64), nullable=False),
    Column("managed_by", String(20), nullable=False),
    Column("applied", Json()),
    Column("differs_since", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("updated_by", String(64), nullable=False),
    Index("ix_slo_definitions_service", "service"),
)

# Data sources and policies: small, and each kind has its own names.
records = Table(
    "slo_records",
    metadata,
    Column("kind", String(20), primary_key=True),
    Column("name", String(63), primary_key=True),
    Column("content", Json(), nullable=False),
    Column("managed_by", String(20), nullable=False),
    Column("applied", Json()),
    Column("differs_since", UtcDateTime),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("updated_by", String(64), nullable=False),
)

# Grows with every change of what is measured: engines look at it alone.
generation = Table(
    "slo_generation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("number", Integer, nullable=False),
)

# What was counted, hour by hour. `part`: `` for all of it, else what of it lies in exclusions of that kind.
hours = Table(
    "slo_hours",
    metadata,
    Column("slo", String(63), primary_key=True),
    Column("objective", String(63), primary_key=True),
    Column("hour", Integer, primary_key=True),
    Column("part", String(20), primary_key=True),
    Column("good", Float(53), nullable=False),
    Column("total", Float(53), nullable=False),
    Column("measured", Float(53), nullable=False),
    # When it was told for good: a later change is a revision.
    Column("settled", Boolean, nullable=False),
)

revisions = Table(
    "slo_revisions",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("slo", String(63), nullable=False),
    Column("objective", String(63), nullable=False),
    Column("hour", Integer, nullable=False),
    Column("before", Json(), nullable=False),
    Column("after", Json(), nullable=False),
    Column("found_at", UtcDateTime, nullable=False),
    Index("ix_slo_revisions_slo_found_at", "slo", "found_at"),
)

alerts = Table(
    "slo_alerts",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("slo", String(63), nullable=False),
    Column("objective", String(63), nullable=False),
    Column("service", String(200), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("action", String(10), nullable=False),
    Column("dedup_key", String(250), nullable=False),
    # The dedup key while it is open: at most one episode is.
    Column("open_key", String(250), unique=True),
    Column("started_at", UtcDateTime, nullable=False),
    Column("resolved_at", UtcDateTime),
    Column("last_fired_at", UtcDateTime, nullable=False),
    Column("fired", Integer, nullable=False),
    Column("rules", Json(), nullable=False),
    Column("burn", Float(53), nullable=False),
    Column("budget_spent", Float(53), nullable=False),
    Column("detail", Text, nullable=False),
    Index("ix_slo_alerts_slo_started_at", "slo", "started_at"),
    Index("ix_slo_alerts_dedup_key", "dedup_key", "started_at"),
)

exclusions = Table(
    "slo_exclusions",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("service", String(200)),
    Column("slos", Json(), nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("until", UtcDateTime),
    Column("reason", Text, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("withdrawn_at", UtcDateTime),
    Index("ix_slo_exclusions_since", "since"),
)

adjustments = Table(
    "slo_adjustments",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("slo", String(63), nullable=False),
    Column("objective", String(63), nullable=False),
    Column("events", Float(53), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("reason", Text, nullable=False),
    Column("incident", String(64)),
    Column("state", String(20), nullable=False),
    Column("proposed_by", String(64), nullable=False),
    Column("proposed_at", UtcDateTime, nullable=False),
    Column("decided_by", String(64)),
    Column("decided_at", UtcDateTime),
    Index("ix_slo_adjustments_slo", "slo"),
)
