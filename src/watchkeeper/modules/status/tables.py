"""Tables of status pages; nobody else reads them."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text

from watchkeeper.kernel.db.metadata import Json, UtcDateTime, metadata

# The page itself is the row `public` here, components are the others: what people and files say, read as one.
described = Table(
    "status_described",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("name", String(63), nullable=False),
    Column("content", Json(), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Index("ix_status_described_kind_name", "kind", "name", unique=True),
)

incidents = Table(
    "status_incidents",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("title", String(200), nullable=False),
    Column("incident", String(40), unique=True),
    Column("started_at", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    # Of its published updates; nothing while none is.
    Column("published_at", UtcDateTime),
    Column("resolved_at", UtcDateTime),
    Column("updated_at", UtcDateTime),
    Column("stage", String(20)),
    Index("ix_status_incidents_published_at", "published_at"),
)

updates = Table(
    "status_updates",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("incident", String(40), nullable=False),
    Column("review", String(10), nullable=False),
    Column("stage", String(20), nullable=False),
    Column("body", Text, nullable=False),
    Column("components", Json(), nullable=False),
    Column("happened_at", UtcDateTime, nullable=False),
    Column("drafted_at", UtcDateTime, nullable=False),
    Column("drafted_by", String(64), nullable=False),
    # What it was made from: a fact that comes twice makes one draft.
    Column("source", String(100), unique=True),
    Column("published_at", UtcDateTime),
    Column("published_by", String(64)),
    Column("edited_at", UtcDateTime),
    Column("version", Integer, nullable=False),
    Index("ix_status_updates_incident", "incident"),
    Index("ix_status_updates_review", "review"),
)

# What public updates said before they were edited, up to `until`.
revisions = Table(
    "status_revisions",
    metadata,
    Column("update", String(40), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("stage", String(20), nullable=False),
    Column("body", Text, nullable=False),
    Column("components", Json(), nullable=False),
    Column("until", UtcDateTime, nullable=False),
    Column("changed_by", String(64), nullable=False),
)

maintenances = Table(
    "status_maintenances",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("title", String(200), nullable=False),
    Column("body", Text, nullable=False),
    Column("components", Json(), nullable=False),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("window", String(40)),
    Column("ended_early_at", UtcDateTime),
    Index("ix_status_maintenances_window_starts_at", "window", "starts_at", unique=True),
    Index("ix_status_maintenances_ends_at", "ends_at"),
)

# Windows of alerts that are shown to the public.
windows = Table(
    "status_windows",
    metadata,
    Column("window", String(40), primary_key=True),
    Column("title", String(200), nullable=False),
    Column("body", Text, nullable=False),
    Column("components", Json(), nullable=False),
    Column("shown_at", UtcDateTime, nullable=False),
    Column("shown_by", String(64), nullable=False),
)

# Addresses are sealed; the digest is keyed, so that nobody can try addresses on a copy of the database.
subscribers = Table(
    "status_subscribers",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("kind", String(10), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("address", Text, nullable=False),
    Column("components", Json(), nullable=False),
    Column("state", String(10), nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("confirmed_at", UtcDateTime),
    Column("refusals", Integer, nullable=False),
    Column("inactive_since", UtcDateTime),
    Index("ix_status_subscribers_state", "state"),
)
