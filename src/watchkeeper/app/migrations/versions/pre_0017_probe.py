"""The record of synthetic pages, and why the last word to the outside was not taken."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watchkeeper.kernel.db.metadata import UtcDateTime

revision = "0017_probe"
down_revision = "0016_paging"
branch_labels = None
depends_on = None
phase = "pre"


def upgrade() -> None:
    op.add_column("oncall_watch", sa.Column("heartbeat_failure", sa.String(200), nullable=False, server_default=""))
    op.create_table(
        "oncall_probes",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("begun_at", UtcDateTime, nullable=False),
        sa.Column("accepted_at", UtcDateTime),
        sa.Column("called_at", UtcDateTime),
        sa.Column("leased_at", UtcDateTime),
        sa.Column("sent_at", UtcDateTime),
        sa.Column("failure", sa.String(200), nullable=False),
    )
    op.create_index("ix_oncall_probes_begun_at", "oncall_probes", ["begun_at"])
