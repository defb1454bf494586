"""Due work; nobody else reads this table."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text

from watchkeeper.kernel.db.metadata import Json, UtcDateTime, metadata

work = Table(
    "work",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("key", String(200), nullable=False, unique=True),
    Column("kind", String(80), nullable=False),
    Column("state", String(10), nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    Column("payload", Json(), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("token", Integer, nullable=False),
    Column("lease_until", UtcDateTime),
    Column("last_error", Text),
    Column("finished_at", UtcDateTime),
    Index("ix_work_state_kind_due_at", "state", "kind", "due_at"),
    Index("ix_work_finished_at", "finished_at"),
)
