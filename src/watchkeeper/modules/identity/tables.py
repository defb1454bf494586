"""The tables of identity. No other module reads them."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table

from watchkeeper.kernel.db.metadata import Json, UtcDateTime, metadata

people = Table(
    "identity_people",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("email", String(254)),
    Column("email_key", String(254), unique=True),
    Column("role", String(20), nullable=False),
    Column("password_hash", String(400)),
    # 'first' for the person made by a set-up link, 'demo' for the demo's: UNIQUE is what decides a race of two.
    Column("seat", String(5), unique=True),
    Column("created_at", UtcDateTime, nullable=False),
)

sessions = Table(
    "identity_sessions",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("person_id", String(40), ForeignKey("identity_people.id"), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("device", String(60), nullable=False),
    Column("address", String(64), nullable=False),
    Index("ix_identity_sessions_person_id", "person_id"),
)

tokens = Table(
    "identity_tokens",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("name", String(100), nullable=False),
    Column("scopes", Json(), nullable=False),
    Column("created_by", String(60), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("last_used_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Index("ix_identity_tokens_created_at_id", "created_at", "id"),
)

links = Table(
    "identity_setup_links",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("purpose", String(10), nullable=False),
    Column("person_id", String(40), ForeignKey("identity_people.id")),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime),
)

tallies = Table(
    "identity_tallies",
    metadata,
    Column("key", String(120), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("last", UtcDateTime, nullable=False),
)
