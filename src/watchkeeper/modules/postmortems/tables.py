"""Tables of postmortems; nobody else reads them."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Date, Index, Integer, String, Table, Text, UniqueConstraint

from watchkeeper.kernel.db.metadata import Json, UtcDateTime, metadata

postmortems = Table(
    "postmortems",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("incident", String(40), nullable=False, unique=True),
    Column("name", String(200), nullable=False),
    Column("title", String(500), nullable=False),
    Column("severity", String(10), nullable=False),
    Column("services", Json(), nullable=False),
    Column("environment", String(300), nullable=False),
    Column("drill", Boolean, nullable=False),
    Column("state", String(12), nullable=False),
    Column("due_at", UtcDateTime),
    Column("resolved_at", UtcDateTime),
    Column("submitted_at", UtcDateTime),
    Column("published_at", UtcDateTime),
    Column("lead", String(40)),
    Column("measures", Json(), nullable=False),
    Column("budgets", Json(), nullable=False),
    Column("causes", Json(), nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Index("ix_postmortems_submitted_at_due_at", "submitted_at", "due_at"),
    Index("ix_postmortems_created_at", "created_at"),
)

sections = Table(
    "postmortem_sections",
    metadata,
    Column("postmortem", String(40), primary_key=True),
    Column("name", String(20), primary_key=True),
    Column("text", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("drafted", Boolean, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("by", String(80), nullable=False),
)

# What each section said before: texts name people, so they are here and not in the journal, which never forgets.
revisions = Table(
    "postmortem_revisions",
    metadata,
    Column("postmortem", String(40), primary_key=True),
    Column("name", String(20), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("text", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("by", String(80), nullable=False),
)

moments = Table(
    "postmortem_moments",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("postmortem", String(40), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("text", Text, nullable=False),
    Column("kind", String(12), nullable=False),
    Column("origin", String(80), nullable=False),
    Column("first_class", Boolean, nullable=False),
    Column("hidden", Boolean, nullable=False),
    Column("href", String(500)),
    UniqueConstraint("postmortem", "origin"),
    Index("ix_postmortem_moments_postmortem_at", "postmortem", "at"),
)

themes = Table(
    "postmortem_themes",
    metadata,
    Column("postmortem", String(40), primary_key=True),
    Column("theme", String(60), primary_key=True),
    Index("ix_postmortem_themes_theme", "theme"),
)

reviews = Table(
    "postmortem_reviews",
    metadata,
    Column("postmortem", String(40), primary_key=True),
    Column("person", String(80), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("version", Integer, nullable=False),
)

actions = Table(
    "postmortem_actions",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("postmortem", String(40), nullable=False),
    Column("severity", String(10), nullable=False),
    Column("services", Json(), nullable=False),
    Column("drill", Boolean, nullable=False),
    Column("title", String(500), nullable=False),
    Column("detail", Text, nullable=False),
    Column("owner", String(40)),
    Column("due_on", Date),
    Column("priority", String(10), nullable=False),
    Column("state", String(12), nullable=False),
    Column("issue_state", String(10), nullable=False),
    Column("issue_repository", String(200), nullable=False),
    Column("issue_number", Integer),
    Column("issue_url", String(500), nullable=False),
    Column("issue_problem", String(500), nullable=False),
    Column("issue_synced_at", UtcDateTime),
    Column("version", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("closed_at", UtcDateTime),
    Index("ix_postmortem_actions_postmortem", "postmortem"),
    Index("ix_postmortem_actions_state_due_on", "state", "due_on"),
    Index("ix_postmortem_actions_issue_state", "issue_state"),
)

# What was shared, as it was then: a later edit changes nothing that is outside.
shares = Table(
    "postmortem_shares",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("postmortem", String(40), nullable=False),
    Column("content", Json(), nullable=False),
    Column("version", Integer, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("by", String(80), nullable=False),
    Column("revoked_at", UtcDateTime),
    Column("revoked_by", String(80)),
    Index("ix_postmortem_shares_postmortem", "postmortem"),
)

# The one row is where issues go. The token is sealed with the installation's key.
trackers = Table(
    "postmortem_trackers",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("api_url", String(500), nullable=False),
    Column("repository", String(200), nullable=False),
    Column("token_sealed", Text, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("updated_by", String(80), nullable=False),
)
