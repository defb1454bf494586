"""People, sessions, API tokens, one-time links and the counts of failed sign-ins."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watchkeeper.kernel.db.metadata import Json, UtcDateTime

revision = "0002_identity"
down_revision = "0001_kernel"
branch_labels = None
depends_on = None
phase = "pre"


def upgrade() -> None:
    op.create_table(
        "identity_people",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("email", sa.String(254)),
        sa.Column("email_key", sa.String(254)),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("password_hash", sa.String(400)),
        sa.Column("seat", sa.String(5)),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_people")),
        sa.UniqueConstraint("email_key", name=op.f("uq_identity_people_email_key")),
        sa.UniqueConstraint("seat", name=op.f("uq_identity_people_seat")),
    )
    op.create_table(
        "identity_sessions",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("person_id", sa.String(40), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime()),
        sa.Column("device", sa.String(60), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_sessions")),
        sa.UniqueConstraint("digest", name=op.f("uq_identity_sessions_digest")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["identity_people.id"], name=op.f("fk_identity_sessions_person_id_identity_people")
        ),
    )
    op.create_index(op.f("ix_identity_sessions_person_id"), "identity_sessions", ["person_id"])
    op.create_table(
        "identity_tokens",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("scopes", Json(), nullable=False),
        sa.Column("created_by", sa.String(60), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime()),
        sa.Column("last_used_at", UtcDateTime()),
        sa.Column("revoked_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_identity_tokens_digest")),
    )
    op.create_index(op.f("ix_identity_tokens_created_at_id"), "identity_tokens", ["created_at", "id"])
    op.create_table(
        "identity_setup_links",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("purpose", sa.String(10), nullable=False),
        sa.Column("person_id", sa.String(40)),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_setup_links")),
        sa.UniqueConstraint("digest", name=op.f("uq_identity_setup_links_digest")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["identity_people.id"], name=op.f("fk_identity_setup_links_person_id_identity_people")
        ),
    )
    op.create_table(
        "identity_tallies",
        sa.Column("key", sa.String(120), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("last", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_identity_tallies")),
    )


def downgrade() -> None:
    for table in ("tallies", "setup_links", "tokens", "sessions", "people"):
        op.drop_table(f"identity_{table}")
