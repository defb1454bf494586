"""Incidents: themselves, their record, what they have to do with, and the rules that open them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watchkeeper.kernel.db.metadata import Json, UtcDateTime

revision = "0018_incidents"
down_revision = "0017_probe"
branch_labels = None
depends_on = None
phase = "pre"


def upgrade() -> None:
    _incidents()
    _people()
    _record()
    _around()


def _incidents() -> None:
    op.create_table(
        "incidents",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("name", sa.String(80), nullable=False, unique=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("title", sa.String(300), nullable=False),
        sa.Column("severity", sa.String(5), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("closed", sa.Integer, nullable=False),
        sa.Column("services", Json(), nullable=False),
        sa.Column("environment", sa.String(200)),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("detected_at", UtcDateTime, nullable=False),
        sa.Column("opened_at", UtcDateTime, nullable=False),
        sa.Column("opened_by", sa.String(64), nullable=False),
        sa.Column("acknowledged_at", UtcDateTime),
        sa.Column("responded_at", UtcDateTime),
        sa.Column("identified_at", UtcDateTime),
        sa.Column("monitoring_at", UtcDateTime),
        sa.Column("resolved_at", UtcDateTime),
        sa.Column("resolved_reason", sa.Text, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("impact", sa.Text, nullable=False),
        sa.Column("users_affected", sa.Integer),
        sa.Column("merged_into", sa.String(40)),
        sa.Column("reopened", sa.Integer, nullable=False),
        sa.Column("drill", sa.Boolean, nullable=False),
        sa.Column("clocks_from", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("last_update_at", UtcDateTime),
        sa.Column("settled_at", UtcDateTime),
        sa.Column("paged", sa.String(10)),
        sa.Column("told", Json(), nullable=False),
        sa.Column("channel", sa.String(40)),
    )
    op.create_index("ix_incidents_closed_severity_opened_at", "incidents", ["closed", "severity", "opened_at"])
    op.create_index("ix_incidents_opened_at", "incidents", ["opened_at"])


def _people() -> None:
    op.create_table(
        "incident_services",
        sa.Column("incident_id", sa.String(40), primary_key=True),
        sa.Column("service", sa.String(200), primary_key=True),
    )
    op.create_index("ix_incident_services_service", "incident_services", ["service"])
    op.create_table(
        "incident_roles",
        sa.Column("incident_id", sa.String(40), primary_key=True),
        sa.Column("role", sa.String(20), primary_key=True),
        sa.Column("person_id", sa.String(64), nullable=False),
        sa.Column("since", UtcDateTime, nullable=False),
    )
    op.create_table(
        "incident_responders",
        sa.Column("incident_id", sa.String(40), primary_key=True),
        sa.Column("person_id", sa.String(64), primary_key=True),
        sa.Column("joined_at", UtcDateTime, nullable=False),
        sa.Column("how", sa.String(60), nullable=False),
    )


def _record() -> None:
    op.create_table(
        "incident_entries",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("incident_id", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("pinned", sa.Boolean, nullable=False),
        sa.Column("url", sa.String(2000)),
        sa.Column("file_name", sa.String(120)),
        sa.Column("media_type", sa.String(100)),
        sa.Column("size", sa.Integer),
    )
    op.create_index("ix_incident_entries_incident_id_at", "incident_entries", ["incident_id", "at"])
    op.create_table(
        "incident_files",
        sa.Column("entry_id", sa.String(40), primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "incident_updates",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("incident_id", sa.String(40), nullable=False),
        sa.Column("key", sa.String(120), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("severity", sa.String(5), nullable=False),
        sa.Column("public", sa.Boolean, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
    )
    op.create_index("ix_incident_updates_incident_id_at", "incident_updates", ["incident_id", "at"])
    op.create_index("ix_incident_updates_incident_id_key", "incident_updates", ["incident_id", "key"], unique=True)


def _around() -> None:
    op.create_table(
        "incident_links",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("incident_id", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("target", sa.String(700), nullable=False),
        sa.Column("label", sa.String(300), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
    )
    op.create_index(
        "ix_incident_links_incident_id_kind_target", "incident_links", ["incident_id", "kind", "target"], unique=True
    )
    op.create_index("ix_incident_links_kind_target", "incident_links", ["kind", "target"])
    op.create_table(
        "incident_rules",
        sa.Column("name", sa.String(63), primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("content", Json(), nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("updated_by", sa.String(64), nullable=False),
    )
