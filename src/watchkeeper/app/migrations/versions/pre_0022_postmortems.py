"""Postmortems: what was learned of an incident, what is to be done, and what of it was shared."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watchkeeper.kernel.db.metadata import Json, UtcDateTime

revision = "0022_postmortems"
down_revision = "0021_status"
branch_labels = None
depends_on = None
phase = "pre"


def upgrade() -> None:
    _create_postmortems()
    _create_texts()
    _create_actions()
    _create_shares()


def _create_postmortems() -> None:
    op.create_table(
        "postmortems",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("incident", sa.String(40), nullable=False, unique=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("title", sa.String(500), nullable=False),
        sa.Column("severity", sa.String(10), nullable=False),
        sa.Column("services", Json(), nullable=False),
        sa.Column("environment", sa.String(300), nullable=False),
        sa.Column("drill", sa.Boolean, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("due_at", UtcDateTime),
        sa.Column("resolved_at", UtcDateTime),
        sa.Column("submitted_at", UtcDateTime),
        sa.Column("published_at", UtcDateTime),
        sa.Column("lead", sa.String(40)),
        sa.Column("measures", Json(), nullable=False),
        sa.Column("budgets", Json(), nullable=False),
        sa.Column("causes", Json(), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_postmortems_submitted_at_due_at", "postmortems", ["submitted_at", "due_at"])
    op.create_index("ix_postmortems_created_at", "postmortems", ["created_at"])


def _create_texts() -> None:
    op.create_table(
        "postmortem_sections",
        sa.Column("postmortem", sa.String(40), primary_key=True),
        sa.Column("name", sa.String(20), primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("drafted", sa.Boolean, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("by", sa.String(80), nullable=False),
    )
    op.create_table(
        "postmortem_revisions",
        sa.Column("postmortem", sa.String(40), primary_key=True),
        sa.Column("name", sa.String(20), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("by", sa.String(80), nullable=False),
    )
    op.create_table(
        "postmortem_moments",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("postmortem", sa.String(40), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("origin", sa.String(80), nullable=False),
        sa.Column("first_class", sa.Boolean, nullable=False),
        sa.Column("hidden", sa.Boolean, nullable=False),
        sa.Column("href", sa.String(500)),
        sa.UniqueConstraint("postmortem", "origin"),
    )
    op.create_index("ix_postmortem_moments_postmortem_at", "postmortem_moments", ["postmortem", "at"])
    op.create_table(
        "postmortem_themes",
        sa.Column("postmortem", sa.String(40), primary_key=True),
        sa.Column("theme", sa.String(60), primary_key=True),
    )
    op.create_index("ix_postmortem_themes_theme", "postmortem_themes", ["theme"])
    op.create_table(
        "postmortem_reviews",
        sa.Column("postmortem", sa.String(40), primary_key=True),
        sa.Column("person", sa.String(80), primary_key=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )


def _create_actions() -> None:
    op.create_table(
        "postmortem_actions",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("postmortem", sa.String(40), nullable=False),
        sa.Column("severity", sa.String(10), nullable=False),
        sa.Column("services", Json(), nullable=False),
        sa.Column("drill", sa.Boolean, nullable=False),
        sa.Column("title", sa.String(500), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("owner", sa.String(40)),
        sa.Column("due_on", sa.Date),
        sa.Column("priority", sa.String(10), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("issue_state", sa.String(10), nullable=False),
        sa.Column("issue_repository", sa.String(200), nullable=False),
        sa.Column("issue_number", sa.Integer),
        sa.Column("issue_url", sa.String(500), nullable=False),
        sa.Column("issue_problem", sa.String(500), nullable=False),
        sa.Column("issue_synced_at", UtcDateTime),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("closed_at", UtcDateTime),
    )
    op.create_index("ix_postmortem_actions_postmortem", "postmortem_actions", ["postmortem"])
    op.create_index("ix_postmortem_actions_state_due_on", "postmortem_actions", ["state", "due_on"])
    op.create_index("ix_postmortem_actions_issue_state", "postmortem_actions", ["issue_state"])
    op.create_table(
        "postmortem_trackers",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("api_url", sa.String(500), nullable=False),
        sa.Column("repository", sa.String(200), nullable=False),
        sa.Column("token_sealed", sa.Text, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("updated_by", sa.String(80), nullable=False),
    )


def _create_shares() -> None:
    op.create_table(
        "postmortem_shares",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("postmortem", sa.String(40), nullable=False),
        sa.Column("content", Json(), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("by", sa.String(80), nullable=False),
        sa.Column("revoked_at", UtcDateTime),
        sa.Column("revoked_by", sa.String(80)),
    )
    op.create_index("ix_postmortem_shares_postmortem", "postmortem_shares", ["postmortem"])
