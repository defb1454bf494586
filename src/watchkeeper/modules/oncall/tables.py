"""Tables of schedules and policies; nobody else reads them."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text

from watchkeeper.kernel.db.metadata import Json, UtcDateTime, metadata

definitions = Table(
    "oncall_definitions",
    metadata,
    Column("kind", String(10), primary_key=True),  # schedule or policy
    Column("name", String(63), primary_key=True),
    Column("id", String(40), nullable=False, unique=True),
    Column("content", Json(), nullable=False),
    Column("version", Integer, nullable=False),
    Column("managed_by", String(10), nullable=False),
    Column("applied", Json()),
    Column("differs_since", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("updated_by", String(64), nullable=False),
)

overrides = Table(
    "oncall_overrides",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("schedule_id", String(40), nullable=False),
    # In which order they were made: a later one goes before an earlier one.
    Column("number", Integer, nullable=False),
    Column("who", String(40), nullable=False),
    Column("instead_of", String(40)),
    Column("since", UtcDateTime, nullable=False),
    Column("until", UtcDateTime, nullable=False),
    Column("reason", Text, nullable=False),
    Column("swap_id", String(40)),
    Column("created_by", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    # Taken back before it began; one that ended early has an earlier `until`.
    Column("withdrawn_at", UtcDateTime),
    Index("uq_oncall_overrides_number", "schedule_id", "number", unique=True),
    Index("ix_oncall_overrides_until", "schedule_id", "until"),
)

swaps = Table(
    "oncall_swaps",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("schedule_id", String(40), nullable=False),
    Column("asker", String(40), nullable=False),
    Column("other", String(40), nullable=False),
    Column("gives_since", UtcDateTime, nullable=False),
    Column("gives_until", UtcDateTime, nullable=False),
    Column("takes_since", UtcDateTime),
    Column("takes_until", UtcDateTime),
    Column("reason", Text, nullable=False),
    Column("state", String(10), nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("decided_at", UtcDateTime),
    Index("ix_oncall_swaps_schedule", "schedule_id", "state"),
)

# By these, calendars read schedules in a person's name. The secret is kept nowhere.
calendar_links = Table(
    "oncall_calendar_links",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("person", String(40), nullable=False),
    Column("name", String(100), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    Index("ix_oncall_calendar_links_person", "person"),
)
