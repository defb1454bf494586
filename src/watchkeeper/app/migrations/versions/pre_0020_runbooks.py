"""Runbooks, who signed them off, runs of their steps, and runners."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watchkeeper.kernel.db.metadata import Json, UtcDateTime

revision = "0020_runbooks"
down_revision = "0019_versions"
branch_labels = None
depends_on = None
phase = "pre"


def upgrade() -> None:
    op.create_table(
        "runbook_files",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("service", sa.String(200)),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("revision", sa.String(64), nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("updated_by", sa.String(64), nullable=False),
    )
    op.create_index("ix_runbook_files_service", "runbook_files", ["service"])
    op.create_table(
        "runbook_approvals",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("revision", sa.String(64), primary_key=True),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
    )
    _runs()
    _steps()
    op.create_table(
        "runbook_runners",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False),
    )


def _runs() -> None:
    op.create_table(
        "runbook_runs",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("runbook", sa.String(100), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("service", sa.String(200)),
        sa.Column("revision", sa.String(64), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("inputs", Json(), nullable=False),
        sa.Column("dry_run", sa.Boolean, nullable=False),
        sa.Column("about_type", sa.String(40)),
        sa.Column("about_id", sa.String(100)),
        sa.Column("started_by", sa.String(64), nullable=False),
        sa.Column("source", sa.String(20), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("undoes_run", sa.String(40)),
        sa.Column("undoes_step", sa.String(100)),
        sa.Column("cancelled_by", sa.String(64)),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("finished_at", UtcDateTime),
    )
    op.create_index("ix_runbook_runs_runbook", "runbook_runs", ["runbook", "started_at"])
    op.create_index("ix_runbook_runs_about", "runbook_runs", ["about_type", "about_id"])
    op.create_index("ix_runbook_runs_state", "runbook_runs", ["state", "started_at"])


def _steps() -> None:
    op.create_table(
        "runbook_run_steps",
        sa.Column(
            "run_id",
            sa.String(40),
            sa.ForeignKey("runbook_runs.id", ondelete="CASCADE", name="fk_runbook_run_steps_run_id_runbook_runs"),
            primary_key=True,
        ),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("definition", Json(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("waits_for", sa.String(15), nullable=False),
        sa.Column("confirmed_by", sa.String(64)),
        sa.Column("confirmed_at", UtcDateTime),
        sa.Column("started_at", UtcDateTime),
        sa.Column("finished_at", UtcDateTime),
        sa.Column("output", sa.Text, nullable=False),
        sa.Column("output_bytes", sa.BigInteger, nullable=False),
        sa.Column("exit_code", sa.Integer),
        sa.Column("detail", sa.String(500), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("token", sa.Integer, nullable=False),
        sa.Column("lease_until", UtcDateTime),
        sa.Column("runner", sa.String(100)),
        sa.Column("undo", Json()),
    )
    op.create_index("ix_runbook_run_steps_waits_for", "runbook_run_steps", ["waits_for", "state"])
