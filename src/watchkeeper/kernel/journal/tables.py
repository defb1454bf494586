"""The journal's tables; nobody else reads them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from watchkeeper.kernel.db.metadata import UtcDateTime, metadata
from watchkeeper.kernel.journal.verifier import GENESIS

# The data is text, not JSONB: its bytes are what is hashed, and JSONB would reorder them.
journal = Table(
    "journal",
    metadata,
    Column("seq", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("source", String(64), nullable=False),
    Column("kind", String(80), nullable=False),
    Column("version", Integer, nullable=False),
    Column("service", String(200)),
    Column("subject_type", String(40)),
    Column("subject_id", String(200)),
    Column("data", Text, nullable=False),
    Column("trace_id", String(32)),
    # Names of private values and their commitments, as canonical JSON.
    Column("commitments", Text),
    Column("prev_hash", String(64), nullable=False, server_default=""),
    Column("hash", String(64), nullable=False, server_default=""),
    Index("ix_journal_service_seq", "service", "seq"),
    Index("ix_journal_kind_seq", "kind", "seq"),
    Index("ix_journal_actor_seq", "actor", "seq"),
    Index("ix_journal_at", "at"),
    # Two rows that follow the same one would be a fork.
    Index("uq_journal_prev_hash", "prev_hash", unique=True),
)

# One row. Whoever appends locks it, so that numbers follow commits and a reader never sees a gap that fills later.
journal_head = Table(
    "journal_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False, server_default=GENESIS),
)

# What may have to be forgotten: the chain holds only commitments, so these rows can go and it still verifies.
journal_private = Table(
    "journal_private",
    metadata,
    Column("seq", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=False),
    Column("name", String(40), primary_key=True),
    Column("value", Text, nullable=False),
    Column("salt", String(64), nullable=False),
)

journal_receipts = Table(
    "journal_receipts",
    metadata,
    Column("listener", String(80), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("retry_at", UtcDateTime),
)

journal_parked = Table(
    "journal_parked",
    metadata,
    Column("listener", String(80), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("error", Text, nullable=False),
    Column("parked_at", UtcDateTime, nullable=False),
)
