"""Tables that belong to no module: what the web layer remembers of requests, and what replicas share."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text

from watchkeeper.kernel.db.metadata import Json, UtcDateTime, metadata

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("actor", String(64), primary_key=True),
    Column("route", String(200), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("request_hash", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("headers", Json(), nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index("ix_idempotency_keys_created_at", "created_at"),
)

# Of replicas without a key file: the installation's key. And for all: by which mark the right key is recognised.
shared_keys = Table(
    "shared_keys",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("secret", String(64), nullable=False),
)
