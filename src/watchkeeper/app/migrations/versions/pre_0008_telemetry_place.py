"""In which folder a telemetry part lies: replicas with folders of their own see only theirs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008_telemetry_place"
down_revision = "0007_sealed_journal"
branch_labels = None
depends_on = None
phase = "pre"


def upgrade() -> None:
    # NULL: listed by a release without places. Whoever has the file takes it over at its start.
    op.add_column("telemetry_parts", sa.Column("place", sa.String(40)))


def downgrade() -> None:
    with op.batch_alter_table("telemetry_parts") as table:
        table.drop_column("place")
