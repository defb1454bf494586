"""Teams, duties, invitations, service accounts, second factors, passkeys and accounts elsewhere."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watchkeeper.kernel.db.metadata import Json, UtcDateTime

revision = "0005_identity_grows"
down_revision = "0004_telemetry"
branch_labels = None
depends_on = None
phase = "pre"


def upgrade() -> None:
    _columns()
    _teams_and_accounts()
    _factors()
    _elsewhere()


def _columns() -> None:
    op.add_column("identity_people", sa.Column("duties", Json(), nullable=False, server_default="[]"))
    op.add_column("identity_people", sa.Column("disabled_at", UtcDateTime()))
    op.add_column("identity_people", sa.Column("email_verified_at", UtcDateTime()))
    op.add_column("identity_sessions", sa.Column("method", sa.String(20), nullable=False, server_default="password"))
    op.add_column("identity_sessions", sa.Column("proved_at", UtcDateTime()))
    op.add_column("identity_tokens", sa.Column("account_id", sa.String(40)))
    op.add_column("identity_setup_links", sa.Column("grants", Json()))
    op.add_column("identity_setup_links", sa.Column("made_by", sa.String(60)))


def _teams_and_accounts() -> None:
    op.create_table(
        "identity_teams",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("description", sa.String(1000), nullable=False),
        sa.Column("managed_by", sa.String(10)),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_teams")),
        sa.UniqueConstraint("name", name=op.f("uq_identity_teams_name")),
    )
    op.create_table(
        "identity_team_members",
        sa.Column("team_id", sa.String(40), nullable=False),
        sa.Column("member_id", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("team_id", "member_id", name=op.f("pk_identity_team_members")),
        sa.ForeignKeyConstraint(
            ["team_id"], ["identity_teams.id"], name=op.f("fk_identity_team_members_team_id_identity_teams")
        ),
    )
    op.create_index(op.f("ix_identity_team_members_member_id"), "identity_team_members", ["member_id"])
    op.create_table(
        "identity_service_accounts",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("description", sa.String(1000), nullable=False),
        sa.Column("created_by", sa.String(60), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("disabled_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_service_accounts")),
        sa.UniqueConstraint("name", name=op.f("uq_identity_service_accounts_name")),
    )


def _factors() -> None:
    op.create_table(
        "identity_totp",
        sa.Column("person_id", sa.String(40), nullable=False),
        sa.Column("secret", sa.String(400), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("confirmed_at", UtcDateTime()),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_identity_totp")),
        _of_person("totp"),
    )
    op.create_table(
        "identity_recovery_codes",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("person_id", sa.String(40), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_identity_recovery_codes")),
        _of_person("recovery_codes"),
    )
    op.create_index(op.f("ix_identity_recovery_codes_person_id"), "identity_recovery_codes", ["person_id"])
    op.create_table(
        "identity_passkeys",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("person_id", sa.String(40), nullable=False),
        sa.Column("credential_id", sa.String(1400), nullable=False),
        sa.Column("public_key", sa.String(4000), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("last_used_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_passkeys")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_identity_passkeys_credential_id")),
        _of_person("passkeys"),
    )
    op.create_index(op.f("ix_identity_passkeys_person_id"), "identity_passkeys", ["person_id"])


def _elsewhere() -> None:
    op.create_table(
        "identity_challenges",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("purpose", sa.String(20), nullable=False),
        sa.Column("person_id", sa.String(40)),
        sa.Column("data", Json(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_identity_challenges")),
    )
    op.create_table(
        "identity_external_accounts",
        sa.Column("issuer", sa.String(400), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("person_id", sa.String(40), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("issuer", "subject", name=op.f("pk_identity_external_accounts")),
        _of_person("external_accounts"),
    )
    op.create_index(op.f("ix_identity_external_accounts_person_id"), "identity_external_accounts", ["person_id"])


def _of_person(table: str) -> sa.ForeignKeyConstraint:
    name = f"fk_identity_{table}_person_id_identity_people"
    return sa.ForeignKeyConstraint(["person_id"], ["identity_people.id"], name=op.f(name))


def downgrade() -> None:
    tables = ("external_accounts", "challenges", "passkeys", "recovery_codes", "totp", "service_accounts")
    for table in (*tables, "team_members", "teams"):
        op.drop_table(f"identity_{table}")
    for table, columns in _ADDED.items():
        for column in columns:
            op.drop_column(table, column)


_ADDED = {
    "identity_people": ("duties", "disabled_at", "email_verified_at"),
    "identity_sessions": ("method", "proved_at"),
    "identity_tokens": ("account_id",),
    "identity_setup_links": ("grants", "made_by"),
}
