"""The tables of identity. No other module reads them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table

from watchkeeper.kernel.db.metadata import Json, UtcDateTime, metadata

people = Table(
    "identity_people",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("email", String(254)),
    Column("email_key", String(254), unique=True),
    Column("role", String(20), nullable=False),
    Column("password_hash", String(400)),
    # 'first' for the person made by a set-up link, 'demo' for the demo's: UNIQUE is what decides a race of two.
    Column("seat", String(5), unique=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("duties", Json(), nullable=False, server_default="[]"),
    Column("disabled_at", UtcDateTime),
    Column("email_verified_at", UtcDateTime),
)

sessions = Table(
    "identity_sessions",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("person_id", String(40), ForeignKey("identity_people.id"), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("device", String(60), nullable=False),
    Column("address", String(64), nullable=False),
    Column("method", String(20), nullable=False, server_default="password"),
    # When the person last showed who they are: at sign-in, or since. NULL stands for `created_at`.
    Column("proved_at", UtcDateTime),
    Index("ix_identity_sessions_person_id", "person_id"),
)

tokens = Table(
    "identity_tokens",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("name", String(100), nullable=False),
    Column("scopes", Json(), nullable=False),
    Column("created_by", String(60), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("last_used_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("account_id", String(40)),
    Index("ix_identity_tokens_created_at_id", "created_at", "id"),
)

links = Table(
    "identity_setup_links",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("purpose", String(10), nullable=False),
    Column("person_id", String(40), ForeignKey("identity_people.id")),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime),
    # Of an invitation: e-mail, role, duties and teams of the person it makes.
    Column("grants", Json()),
    Column("made_by", String(60)),
)

tallies = Table(
    "identity_tallies",
    metadata,
    Column("key", String(120), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("last", UtcDateTime, nullable=False),
)

teams = Table(
    "identity_teams",
    metadata,
    Column("id", String(40), primary_key=True),
    # What `owner` of a service says.
    Column("name", String(200), nullable=False, unique=True),
    Column("description", String(1000), nullable=False),
    Column("managed_by", String(10)),  # 'ops' where files describe it
    Column("created_at", UtcDateTime, nullable=False),
)

# People and service accounts alike: ids of both kinds are distinct.
team_members = Table(
    "identity_team_members",
    metadata,
    Column("team_id", String(40), ForeignKey("identity_teams.id"), primary_key=True),
    Column("member_id", String(40), primary_key=True),
    Index("ix_identity_team_members_member_id", "member_id"),
)

service_accounts = Table(
    "identity_service_accounts",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("description", String(1000), nullable=False),
    Column("created_by", String(60), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("disabled_at", UtcDateTime),
)

# The secret is sealed with the installation's key, since a code can't be checked against a digest.
totp = Table(
    "identity_totp",
    metadata,
    Column("person_id", String(40), ForeignKey("identity_people.id"), primary_key=True),
    Column("secret", String(400), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("confirmed_at", UtcDateTime),
    # The last 30-second step whose code was taken: each code works once.
    Column("last_step", BigInteger, nullable=False),
)

recovery_codes = Table(
    "identity_recovery_codes",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("person_id", String(40), ForeignKey("identity_people.id"), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime),
    Index("ix_identity_recovery_codes_person_id", "person_id"),
)

passkeys = Table(
    "identity_passkeys",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("person_id", String(40), ForeignKey("identity_people.id"), nullable=False),
    Column("credential_id", String(1400), nullable=False, unique=True),  # base64url, at most 1,023 bytes
    Column("public_key", String(4000), nullable=False),  # base64url of the COSE key
    Column("sign_count", BigInteger, nullable=False),
    Column("name", String(100), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("last_used_at", UtcDateTime),
    Index("ix_identity_passkeys_person_id", "person_id"),
)

# What was begun and waits for the browser's answer: a second factor, a passkey's challenge, a sign-in elsewhere.
challenges = Table(
    "identity_challenges",
    metadata,
    Column("digest", String(64), primary_key=True),  # of the secret in the browser's cookie or in `state`
    Column("purpose", String(20), nullable=False),
    Column("person_id", String(40)),
    Column("data", Json(), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime),
)

# Which account elsewhere is which person here.
external_accounts = Table(
    "identity_external_accounts",
    metadata,
    Column("issuer", String(400), primary_key=True),
    Column("subject", String(255), primary_key=True),
    Column("person_id", String(40), ForeignKey("identity_people.id"), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index("ix_identity_external_accounts_person_id", "person_id"),
)
