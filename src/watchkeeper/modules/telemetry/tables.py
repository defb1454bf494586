"""The list of Parquet parts: what is in it is stored, what is not is not."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table

from watchkeeper.kernel.db.metadata import Json, UtcDateTime, metadata

telemetry_parts = Table(
    "telemetry_parts",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("segment", String(40), nullable=False),
    Column("dataset", String(16), nullable=False),
    Column("level", Integer, nullable=False),
    Column("min_time", BigInteger, nullable=False),
    Column("max_time", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("path", String(200), nullable=False),
    Column("services", Json()),
    Column("created_at", UtcDateTime, nullable=False),
    Column("retired_at", UtcDateTime),
    # Which folder has the file; only replicas that see this folder read, merge or delete the part.
    Column("place", String(40)),
    Index("ix_telemetry_parts_dataset_retired_at_max_time", "dataset", "retired_at", "max_time"),
    Index("ix_telemetry_parts_segment", "segment"),
)
