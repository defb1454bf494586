"""What is known of checkpoints that left the machine, and of those that came from others."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, String, Table, Text

from watchkeeper.kernel.db.metadata import UtcDateTime, metadata

deliveries = Table(
    "audit_deliveries",
    metadata,
    Column("sink", String(20), primary_key=True),
    Column("seq", BigInteger),
    Column("delivered_at", UtcDateTime),
    Column("failing_since", UtcDateTime),
    Column("error", String(200)),
)

# Checkpoints of other Watchkeepers, the newest of each of their keys in full.
witnessed = Table(
    "audit_witnessed",
    metadata,
    Column("journal", String(64), primary_key=True),  # hash of its first fact
    Column("key", String(16), primary_key=True),
    Column("public_key", String(64), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("checkpoint", Text, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
)
