"""The list of Parquet parts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watchkeeper.kernel.db.metadata import Json, UtcDateTime

revision = "0004_telemetry"
down_revision = "0003_catalog"
phase = "pre"


def upgrade() -> None:
    op.create_table(
        "telemetry_parts",
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("segment", sa.String(40), nullable=False),
        sa.Column("dataset", sa.String(16), nullable=False),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("min_time", sa.BigInteger, nullable=False),
        sa.Column("max_time", sa.BigInteger, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("path", sa.String(200), nullable=False),
        sa.Column("services", Json()),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("retired_at", UtcDateTime),
    )
    op.create_index(
        "ix_telemetry_parts_dataset_retired_at_max_time", "telemetry_parts", ["dataset", "retired_at", "max_time"]
    )
    op.create_index("ix_telemetry_parts_segment", "telemetry_parts", ["segment"])
