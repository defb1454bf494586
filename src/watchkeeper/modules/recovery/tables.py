"""Tables of recovery; nobody else reads them."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, String, Table, Text

from watchkeeper.kernel.db.metadata import Json, UtcDateTime, metadata

rules = Table(
    "recovery_rules",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("content", Json(), nullable=False),
    Column("armed", Boolean, nullable=False),
    # A rule acts only after somebody armed it as it stands: a changed file begins with a dry run again.
    Column("mode", String(12), nullable=False),
    Column("breaker_opened_at", UtcDateTime),
    Column("breaker_reason", String(500), nullable=False),
    Column("rehearsed_at", UtcDateTime),
    Column("rehearsed_state", String(20), nullable=False),
    Column("rehearsal_run", String(40)),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("updated_by", String(64), nullable=False),
)

attempts = Table(
    "recovery_attempts",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("rule", String(63), nullable=False),
    Column("service", String(200), nullable=False),
    Column("group_id", String(40), nullable=False),
    Column("state", String(20), nullable=False),
    Column("mode", String(12), nullable=False),
    Column("run_id", String(40)),
    # The service while it goes on, else the attempt's own id: the key says that no two work on one service.
    Column("busy_key", String(220), nullable=False, unique=True),
    Column("started_at", UtcDateTime, nullable=False),
    Column("acted_at", UtcDateTime),
    Column("due_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("detail", Text, nullable=False),
    Column("approved_by", String(64)),
    Index("ix_recovery_attempts_rule_started_at", "rule", "started_at"),
    Index("ix_recovery_attempts_group_id", "group_id"),
    Index("ix_recovery_attempts_run_id", "run_id"),
)
