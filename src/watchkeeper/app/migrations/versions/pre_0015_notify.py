"""Notifications: channels, contacts, rules, messages and attempts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watchkeeper.kernel.db.metadata import Json, UtcDateTime

revision = "0015_notify"
down_revision = "0014_oncall"
branch_labels = None
depends_on = None
phase = "pre"


def upgrade() -> None:
    _people()
    _messages()


def _people() -> None:
    op.create_table(
        "notify_channels",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("name", sa.String(63), nullable=False, unique=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("settings", Json(), nullable=False),
        sa.Column("secrets", sa.Text),
        sa.Column("secrets_set", Json(), nullable=False),
        sa.Column("misses", sa.Integer, nullable=False),
        sa.Column("degraded_since", UtcDateTime),
        sa.Column("last_sent_at", UtcDateTime),
        sa.Column("last_answer", sa.String(200), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("updated_by", sa.String(64), nullable=False),
    )
    op.create_table(
        "notify_contacts",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("person_id", sa.String(40), nullable=False),
        sa.Column("channel_id", sa.String(40), nullable=False),
        sa.Column("label", sa.String(100), nullable=False),
        sa.Column("hint", sa.String(200), nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("verified_at", UtcDateTime),
        sa.Column("code_until", UtcDateTime),
        sa.Column("code_tries", sa.Integer, nullable=False),
        sa.Column("codes_sent", Json(), nullable=False),
    )
    op.create_index("ix_notify_contacts_person_id", "notify_contacts", ["person_id"])
    op.create_index("ix_notify_contacts_channel_id", "notify_contacts", ["channel_id"])
    op.create_table(
        "notify_people",
        sa.Column("person_id", sa.String(40), primary_key=True),
        sa.Column("rules", Json(), nullable=False),
        sa.Column("time_zone", sa.String(64), nullable=False),
        sa.Column("quiet_from", sa.String(5)),
        sa.Column("quiet_until", sa.String(5)),
        sa.Column("updated_at", UtcDateTime, nullable=False),
    )


def _messages() -> None:
    table = "notify_notifications"
    op.create_table(
        table,
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("call", sa.String(160), nullable=False),
        sa.Column("way", sa.String(40), nullable=False),
        sa.Column("person_id", sa.String(40)),
        sa.Column("contact_id", sa.String(40)),
        sa.Column("channel_id", sa.String(40), nullable=False),
        sa.Column("about_type", sa.String(40), nullable=False),
        sa.Column("about_id", sa.String(120), nullable=False),
        sa.Column("service", sa.String(200)),
        sa.Column("urgency", sa.String(4), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("message", Json(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("due_at", UtcDateTime, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("settled_at", UtcDateTime),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.UniqueConstraint("call", "way"),
    )
    op.create_index("ix_notify_notifications_about", table, ["about_type", "about_id"])
    op.create_index("ix_notify_notifications_person_id_created_at", table, ["person_id", "created_at"])
    op.create_index("ix_notify_notifications_contact_id_state", table, ["contact_id", "state"])
    op.create_index("ix_notify_notifications_created_at", table, ["created_at"])
    op.create_table(
        "notify_attempts",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("notification_id", sa.String(40), nullable=False),
        sa.Column("work_id", sa.String(40), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("begun_at", UtcDateTime, nullable=False),
        sa.Column("ended_at", UtcDateTime),
        sa.Column("outcome", sa.String(10), nullable=False),
        sa.Column("answer", sa.String(200), nullable=False),
    )
    op.create_index("ix_notify_attempts_notification_id", "notify_attempts", ["notification_id"])
    op.create_index("ix_notify_attempts_begun_at", "notify_attempts", ["begun_at"])
