"""The catalog's tables; nobody else reads them."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from watchkeeper.kernel.db.metadata import Json, UtcDateTime, metadata

services = Table(
    "catalog_services",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(300), nullable=False, unique=True),
    Column("title", String(200)),
    Column("description", Text),
    Column("owner", String(200)),
    Column("tier", Integer),
    Column("repository", String(500)),
    Column("links", Json(), nullable=False),
    Column("dependencies", Json(), nullable=False),
    Column("declared_environments", Json(), nullable=False),
    Column("managed_by", String(20), nullable=False),
    Column("archived", Boolean, nullable=False),
    Column("applied", Json()),
    Column("differs_since", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

environments = Table(
    "catalog_environments",
    metadata,
    Column("service_id", String(40), ForeignKey("catalog_services.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(300), primary_key=True),
    Column("first_seen", UtcDateTime, nullable=False),
    Column("last_seen", UtcDateTime, nullable=False),
    Index("ix_catalog_environments_last_seen", "last_seen"),
)

versions = Table(
    "catalog_versions",
    metadata,
    Column("service_id", String(40), ForeignKey("catalog_services.id", ondelete="CASCADE"), primary_key=True),
    Column("environment", String(300), primary_key=True),
    Column("version", String(100), primary_key=True),
    Column("first_seen", UtcDateTime, nullable=False),
    Column("last_seen", UtcDateTime, nullable=False),
)
