"""Services and the environments they were seen in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watchkeeper.kernel.db.metadata import Json, UtcDateTime

revision = "0003_catalog"
down_revision = "0002_identity"
phase = "pre"


def upgrade() -> None:
    op.create_table(
        "catalog_services",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("name", sa.String(300), nullable=False, unique=True),
        sa.Column("title", sa.String(200)),
        sa.Column("description", sa.Text),
        sa.Column("owner", sa.String(200)),
        sa.Column("tier", sa.Integer),
        sa.Column("repository", sa.String(500)),
        sa.Column("links", Json(), nullable=False),
        sa.Column("dependencies", Json(), nullable=False),
        sa.Column("declared_environments", Json(), nullable=False),
        sa.Column("managed_by", sa.String(20), nullable=False),
        sa.Column("archived", sa.Boolean, nullable=False),
        sa.Column("applied", Json()),
        sa.Column("differs_since", UtcDateTime),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "catalog_environments",
        sa.Column(
            "service_id", sa.String(40), sa.ForeignKey("catalog_services.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("name", sa.String(300), primary_key=True),
        sa.Column("first_seen", UtcDateTime, nullable=False),
        sa.Column("last_seen", UtcDateTime, nullable=False),
    )
    op.create_index("ix_catalog_environments_last_seen", "catalog_environments", ["last_seen"])
