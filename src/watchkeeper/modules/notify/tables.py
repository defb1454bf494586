"""Tables of notifications; nobody else reads them."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text, UniqueConstraint

from watchkeeper.kernel.db.metadata import Json, UtcDateTime, metadata

channels = Table(
    "notify_channels",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(63), nullable=False, unique=True),
    Column("kind", String(20), nullable=False),
    Column("settings", Json(), nullable=False),
    Column("secrets", Text),
    Column("secrets_set", Json(), nullable=False),
    Column("misses", Integer, nullable=False),
    Column("degraded_since", UtcDateTime),
    Column("last_sent_at", UtcDateTime),
    Column("last_answer", String(200), nullable=False),
    Column("version", Integer, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("updated_by", String(64), nullable=False),
)

contacts = Table(
    "notify_contacts",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("person_id", String(40), nullable=False),
    Column("channel_id", String(40), nullable=False),
    Column("label", String(100), nullable=False),
    Column("hint", String(200), nullable=False),
    Column("address", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("verified_at", UtcDateTime),
    Column("code_until", UtcDateTime),
    Column("code_tries", Integer, nullable=False),
    Column("codes_sent", Json(), nullable=False),
    Index("ix_notify_contacts_person_id", "person_id"),
    Index("ix_notify_contacts_channel_id", "channel_id"),
)

# A person's rules and quiet hours: small, and changed together.
people = Table(
    "notify_people",
    metadata,
    Column("person_id", String(40), primary_key=True),
    Column("rules", Json(), nullable=False),
    Column("time_zone", String(64), nullable=False),
    Column("quiet_from", String(5)),
    Column("quiet_until", String(5)),
    Column("updated_at", UtcDateTime, nullable=False),
)

notifications = Table(
    "notify_notifications",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("call", String(160), nullable=False),
    # What this one is within its call: a contact, or the channel.
    Column("way", String(40), nullable=False),
    Column("person_id", String(40)),
    Column("contact_id", String(40)),
    Column("channel_id", String(40), nullable=False),
    Column("about_type", String(40), nullable=False),
    Column("about_id", String(120), nullable=False),
    Column("service", String(200)),
    Column("urgency", String(4), nullable=False),
    Column("kind", String(10), nullable=False),
    Column("message", Json(), nullable=False),
    Column("state", String(10), nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("settled_at", UtcDateTime),
    Column("reason", String(200), nullable=False),
    Column("attempts", Integer, nullable=False),
    UniqueConstraint("call", "way"),
    Index("ix_notify_notifications_about", "about_type", "about_id"),
    Index("ix_notify_notifications_person_id_created_at", "person_id", "created_at"),
    Index("ix_notify_notifications_contact_id_state", "contact_id", "state"),
    Index("ix_notify_notifications_created_at", "created_at"),
)

attempts = Table(
    "notify_attempts",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("notification_id", String(40), nullable=False),
    Column("work_id", String(40), nullable=False),
    Column("number", Integer, nullable=False),
    Column("begun_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("outcome", String(10), nullable=False),
    Column("answer", String(200), nullable=False),
    Index("ix_notify_attempts_notification_id", "notification_id"),
    Index("ix_notify_attempts_begun_at", "begun_at"),
)
