"""The product's users by opaque id, and the segments that they belong to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watchkeeper.kernel.db.metadata import Json, UtcDateTime

revision = "0010_subjects"
down_revision = "0009_config"
branch_labels = None
depends_on = None
phase = "pre"


def upgrade() -> None:
    op.create_table(
        "subjects",
        sa.Column("id", sa.String(200), primary_key=True),
        sa.Column("country", sa.String(2)),
        sa.Column("birth_year", sa.Integer),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("last_active_at", UtcDateTime),
        sa.Column("attributes", Json(), nullable=False),
        sa.Column("draw", sa.BigInteger, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_subjects_draw", "subjects", ["draw"])
    op.create_index("ix_subjects_country_id", "subjects", ["country", "id"])
    op.create_index("ix_subjects_status_country", "subjects", ["status", "country"])
    op.create_table(
        "subject_segments",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("type", sa.String(20), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("rule", Json(), nullable=False),
        sa.Column("condition", Json()),
        sa.Column("allow_empty", sa.Boolean, nullable=False),
        sa.Column("managed_by", sa.String(20), nullable=False),
        sa.Column("applied", Json()),
        sa.Column("differs_since", UtcDateTime),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("updated_by", sa.String(64), nullable=False),
    )
    op.create_table(
        "subject_segment_members",
        sa.Column(
            "segment", sa.String(64), sa.ForeignKey("subject_segments.name", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("subject_id", sa.String(200), primary_key=True),
        sa.Column("added_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_subject_segment_members_subject_id", "subject_segment_members", ["subject_id"])
    versions = op.create_table(
        "subject_segments_version",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.bulk_insert(versions, [{"id": 1, "version": 0}])
