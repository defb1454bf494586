"""What of an incident was brought to its channel in Slack."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watchkeeper.kernel.db.metadata import UtcDateTime

revision = "0022_incident_mirror"
down_revision = "0021_status"
branch_labels = None
depends_on = None
phase = "pre"


def upgrade() -> None:
    op.create_table(
        "incident_mirrored",
        sa.Column("incident_id", sa.String(40), primary_key=True),
        sa.Column("step", sa.String(60), primary_key=True),
        sa.Column("at", UtcDateTime, nullable=False),
    )
