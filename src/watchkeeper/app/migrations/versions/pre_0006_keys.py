"""What replicas share: the installation's key where no file holds it, and its mark."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006_keys"
down_revision = "0005_identity_grows"
branch_labels = None
depends_on = None
phase = "pre"


def upgrade() -> None:
    op.create_table(
        "shared_keys",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("secret", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_shared_keys")),
    )


def downgrade() -> None:
    op.drop_table("shared_keys")
