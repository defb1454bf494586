"""The tables of subjects and segments; nobody else reads them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from watchkeeper.kernel.db.metadata import Json, UtcDateTime, metadata

# `draw` is a hash of the id: in its order, any first part is a fair sample.
subjects = Table(
    "subjects",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("country", String(2)),
    Column("birth_year", Integer),
    Column("status", String(32), nullable=False),
    Column("last_active_at", UtcDateTime),
    Column("attributes", Json(), nullable=False),
    Column("draw", BigInteger, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Index("ix_subjects_draw", "draw"),
    Index("ix_subjects_country_id", "country", "id"),
    Index("ix_subjects_status_country", "status", "country"),
)

segments = Table(
    "subject_segments",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("type", String(20), nullable=False),
    Column("description", Text, nullable=False),
    Column("rule", Json(), nullable=False),
    Column("condition", Json()),
    Column("allow_empty", Boolean, nullable=False),
    Column("managed_by", String(20), nullable=False),
    Column("applied", Json()),
    Column("differs_since", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("updated_by", String(64), nullable=False),
)

# Members of manual segments; they need not be known as subjects.
members = Table(
    "subject_segment_members",
    metadata,
    Column("segment", String(64), ForeignKey("subject_segments.name", ondelete="CASCADE"), primary_key=True),
    Column("subject_id", String(200), primary_key=True),
    Column("added_at", UtcDateTime, nullable=False),
    Index("ix_subject_segment_members_subject_id", "subject_id"),
)

# One row: how often what segments mean has changed.
versions = Table(
    "subject_segments_version",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version", Integer, nullable=False),
)
