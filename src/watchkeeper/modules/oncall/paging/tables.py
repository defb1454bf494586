"""Tables of paging; nobody else reads them."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, UniqueConstraint

from watchkeeper.kernel.db.metadata import Json, UtcDateTime, metadata

runs = Table(
    "oncall_runs",
    metadata,
    Column("group_id", String(40), primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("state", String(10), nullable=False),
    Column("policy", String(63)),
    Column("severity", String(10), nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("round", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("next_at", UtcDateTime),
    Index("ix_oncall_runs_state", "state", "next_at"),
)

pages = Table(
    "oncall_pages",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("group_id", String(40), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("round", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("until", String(12), nullable=False),
    # Whom: a person's id, or a channel's name.
    Column("target", String(80), nullable=False),
    Column("person_id", String(40)),
    Column("channel", String(63)),
    Column("why", String(200), nullable=False),
    Column("called_at", UtcDateTime, nullable=False),
    Column("messages", Integer, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("ended_because", String(200), nullable=False),
    Column("missed_at", UtcDateTime),
    UniqueConstraint("group_id", "generation", "round", "number", "target"),
    Index("ix_oncall_pages_person_id_called_at", "person_id", "called_at"),
    Index("ix_oncall_pages_called_at", "called_at"),
)

# One row: what the last audit found, and when the word that all is well left last.
watch = Table(
    "oncall_watch",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("findings", Json(), nullable=False),
    Column("looked_at", UtcDateTime, nullable=False),
    Column("heartbeat_at", UtcDateTime),
    # Why the last word was not taken; '' when it was.
    Column("heartbeat_failure", String(200), nullable=False, server_default=""),
)

# The newest synthetic pages: when each came through every stage, or where it stayed.
probes = Table(
    "oncall_probes",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("begun_at", UtcDateTime, nullable=False),
    Column("accepted_at", UtcDateTime),
    Column("called_at", UtcDateTime),
    Column("leased_at", UtcDateTime),
    Column("sent_at", UtcDateTime),
    Column("failure", String(200), nullable=False),
    Index("ix_oncall_probes_begun_at", "begun_at"),
)
