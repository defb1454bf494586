"""Settings of sign-in, sessions and links."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from watchkeeper.kernel.settings import SettingsGroup
from watchkeeper.modules.identity.model import Limit, Role, SessionPolicy
from watchkeeper.modules.identity.oidc_model import parse_domains, parse_roles, require_issuer


class IdentitySettings(SettingsGroup):
    """How long sessions and links live, and how many wrong passwords are answered."""

    section: ClassVar[str] = "identity"
    live: ClassVar[frozenset[str]] = frozenset(
        {
            "session_idle_hours",
            "setup_link_hours",
            "login_link_minutes",
            "failures_per_account",
            "failures_per_address",
            "code_failures",
            "failure_window_minutes",
            "proof_minutes",
            "require_second_factor",
        }
    )

    session_idle_hours: int = Field(12, ge=1, le=720, description="A session ends after this many hours without use.")
    session_absolute_days: int = Field(
        14, ge=1, le=90, description="A session ends this many days after sign-in, however much it is used."
    )
    setup_link_hours: int = Field(24, ge=1, le=168, description="The one-time set-up link works for this many hours.")
    login_link_minutes: int = Field(15, ge=1, le=60, description="A one-time sign-in link works for this many minutes.")
    failures_per_account: int = Field(
        10, ge=3, le=100, description="Wrong passwords answered per account in a window before sign-in pauses."
    )
    failures_per_address: int = Field(
        30, ge=3, le=1000, description="Wrong passwords answered per network address in a window before sign-in pauses."
    )
    code_failures: int = Field(
        5, ge=3, le=50, description="Wrong codes of a second factor answered per account in a window, then a pause."
    )
    proof_minutes: int = Field(
        10,
        ge=1,
        le=60,
        description="What protects an account may be changed for this many minutes after sign-in; then the person is "
        "asked once more who they are.",
    )
    require_second_factor: bool = Field(
        False, description="Whether everybody with a password must add a second factor before they go on."
    )
    failure_window_minutes: int = Field(
        15, ge=1, le=1440, description="The window in which wrong passwords are counted, and the longest pause."
    )
    oidc_issuer: str | None = Field(
        None,
        description="Issuer of the OpenID provider that people may sign in with, to the letter "
        "(`https://id.example.com/realms/main`). Unset: no such sign-in.",
    )
    oidc_client_id: str | None = Field(
        None, validate_default=True, description="What the provider calls this console; needed with `oidc_issuer`."
    )
    oidc_client_secret_file: str | None = Field(
        None,
        description="File with the secret that the provider gave this console, or `env:NAME` for an environment "
        "variable; read at each sign-in. Unset: a public client, by PKCE alone.",
    )
    oidc_name: str = Field(
        "your provider",
        min_length=1,
        max_length=40,
        description="What the button on the sign-in page calls the provider.",
    )
    oidc_allowed_domains: str = Field(
        "",
        description="E-mail domains whose people get an account at their first sign-in with the provider, separated by "
        "commas; `*` for any. It limits nobody who has an account.",
    )
    oidc_default_role: Literal["none", "viewer", "responder", "operator"] = Field(
        "none",
        validate_default=True,
        description="Role of people whom the provider knows and this console does not; needs `oidc_allowed_domains`. "
        "`none`: only who has an account under the e-mail that the provider has verified.",
    )
    oidc_role_claim: str | None = Field(
        None, description="Claim that lists a person's groups, such as `groups`; looked at when an account is made."
    )
    oidc_roles: str = Field(
        "",
        validate_default=True,
        description="Which group gives which role to a new account (`ops-admins=admin, on-call=responder`); the "
        "highest counts. Needs `oidc_role_claim` and `oidc_allowed_domains`.",
    )

    @field_validator("oidc_issuer")
    @classmethod
    def _issuer_is_safe(cls, value: str | None) -> str | None:
        return value if value is None else require_issuer(value)

    @field_validator("oidc_client_id")
    @classmethod
    def _issuer_knows_the_client(cls, value: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("oidc_issuer") and not value:
            raise ValueError("needed where oidc_issuer is set")
        return value

    @field_validator("oidc_default_role")
    @classmethod
    def _newcomers_have_a_domain(cls, value: str, info: ValidationInfo) -> str:
        # Without it, everybody in the world with an account at a public provider would get in.
        if value != "none" and not parse_domains(info.data.get("oidc_allowed_domains", "")):
            raise ValueError("needs oidc_allowed_domains; `*` there stands for any")
        return value

    @field_validator("oidc_roles")
    @classmethod
    def _roles_can_be_read(cls, value: str, info: ValidationInfo) -> str:
        if parse_roles(value) and not (
            info.data.get("oidc_role_claim") and parse_domains(info.data.get("oidc_allowed_domains", ""))
        ):
            raise ValueError("needs oidc_role_claim and oidc_allowed_domains")
        return value

    @property
    def provider_name(self) -> str | None:
        """What the button on the sign-in page says, or None where there is no provider."""
        return self.oidc_name if self.oidc_issuer else None

    @property
    def default_role(self) -> Role | None:
        return None if self.oidc_default_role == "none" else Role(self.oidc_default_role)

    @property
    def role_of_group(self) -> Mapping[str, Role]:
        return parse_roles(self.oidc_roles)

    def welcomes(self, domain: str | None) -> bool:
        """Whether somebody new with a verified e-mail of this domain may get an account."""
        allowed = parse_domains(self.oidc_allowed_domains)
        return domain is not None and ("*" in allowed or domain in allowed)

    @property
    def sessions(self) -> SessionPolicy:
        return SessionPolicy(
            idle=timedelta(hours=self.session_idle_hours), absolute=timedelta(days=self.session_absolute_days)
        )

    @property
    def setup_link(self) -> timedelta:
        return timedelta(hours=self.setup_link_hours)

    @property
    def login_link(self) -> timedelta:
        return timedelta(minutes=self.login_link_minutes)

    @property
    def account_limit(self) -> Limit:
        return Limit(self.failures_per_account, timedelta(minutes=self.failure_window_minutes), grows=True)

    @property
    def proof(self) -> timedelta:
        return timedelta(minutes=self.proof_minutes)

    @property
    def code_limit(self) -> Limit:
        return Limit(self.code_failures, timedelta(minutes=self.failure_window_minutes), grows=True)

    @property
    def address_limit(self) -> Limit:
        return Limit(self.failures_per_address, timedelta(minutes=self.failure_window_minutes), grows=False)
