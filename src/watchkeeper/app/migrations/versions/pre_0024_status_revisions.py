"""What updates of the status page said before they were edited."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watchkeeper.kernel.db.metadata import Json, UtcDateTime

revision = "0024_status_revisions"
down_revision = "0023_recovery"
branch_labels = None
depends_on = None
phase = "pre"


def upgrade() -> None:
    op.create_table(
        "status_revisions",
        sa.Column("update", sa.String(40), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("stage", sa.String(20), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("components", Json(), nullable=False),
        sa.Column("until", UtcDateTime, nullable=False),
        sa.Column("changed_by", sa.String(64), nullable=False),
    )
