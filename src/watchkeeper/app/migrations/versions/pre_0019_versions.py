"""The catalog: which versions of a service telemetry named, and where."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watchkeeper.kernel.db.metadata import UtcDateTime

revision = "0019_versions"
down_revision = "0018_incidents"
branch_labels = None
depends_on = None
phase = "pre"


def upgrade() -> None:
    op.create_table(
        "catalog_versions",
        sa.Column(
            "service_id", sa.String(40), sa.ForeignKey("catalog_services.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("environment", sa.String(300), primary_key=True),
        sa.Column("version", sa.String(100), primary_key=True),
        sa.Column("first_seen", UtcDateTime, nullable=False),
        sa.Column("last_seen", UtcDateTime, nullable=False),
    )
