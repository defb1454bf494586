"""The facts of identity. They hold ids only: no name, e-mail or address may enter the journal in clear."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from watchkeeper.kernel.journal import Event, Subject


@dataclass(frozen=True, kw_only=True)
class PersonCreated(Event):
    kind: ClassVar[str] = "identity.person_created"
    person: str
    role: str

    def subject(self) -> Subject:
        return Subject("person", self.person)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"A person got an account with the role {data['role']}."


@dataclass(frozen=True, kw_only=True)
class SignedIn(Event):
    kind: ClassVar[str] = "identity.signed_in"
    person: str
    session: str
    method: str

    def subject(self) -> Subject:
        return Subject("session", self.session)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"Signed in with a {_METHODS.get(data['method'], data['method'])}."


@dataclass(frozen=True, kw_only=True)
class SignInRefused(Event):
    """`person` is None when nobody has the e-mail that was tried."""

    kind: ClassVar[str] = "identity.sign_in_refused"
    person: str | None
    reason: str

    def subject(self) -> Subject | None:
        return Subject("person", self.person) if self.person else None

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        whose = "for an account" if data["person"] else "for an unknown e-mail"
        return f"A sign-in {whose} was refused: {_REASONS.get(data['reason'], data['reason'])}."


@dataclass(frozen=True, kw_only=True)
class SignedOut(Event):
    kind: ClassVar[str] = "identity.signed_out"
    person: str
    session: str

    def subject(self) -> Subject:
        return Subject("session", self.session)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return "Signed out."


@dataclass(frozen=True, kw_only=True)
class SessionRevoked(Event):
    kind: ClassVar[str] = "identity.session_revoked"
    person: str
    session: str
    reason: str

    def subject(self) -> Subject:
        return Subject("session", self.session)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"A session was ended: {_REASONS.get(data['reason'], data['reason'])}."


@dataclass(frozen=True, kw_only=True)
class PasswordChanged(Event):
    kind: ClassVar[str] = "identity.password_changed"
    person: str

    def subject(self) -> Subject:
        return Subject("person", self.person)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return "Changed the password; every other session of the account ended."


@dataclass(frozen=True, kw_only=True)
class TokenCreated(Event):
    kind: ClassVar[str] = "identity.token_created"
    token: str
    scopes: tuple[str, ...]
    expires_at: str | None

    def subject(self) -> Subject:
        return Subject("token", self.token)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        until = f", valid until {data['expires_at'][:10]}" if data["expires_at"] else ", without an end"
        return f"Made an API token for {' and '.join(data['scopes'])}{until}."


@dataclass(frozen=True, kw_only=True)
class TokenRevoked(Event):
    kind: ClassVar[str] = "identity.token_revoked"
    token: str

    def subject(self) -> Subject:
        return Subject("token", self.token)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return "Revoked an API token."


@dataclass(frozen=True, kw_only=True)
class SetupLinkMade(Event):
    kind: ClassVar[str] = "identity.setup_link_made"
    link: str
    expires_at: str

    def subject(self) -> Subject:
        return Subject("link", self.link)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return "Made a one-time set-up link, because nobody has an account yet."


@dataclass(frozen=True, kw_only=True)
class ExternalAccountLinked(Event):
    """`issuer` is a mark of the provider; which account there it is stays out of the journal."""

    kind: ClassVar[str] = "identity.external_account_linked"
    person: str
    issuer: str

    def subject(self) -> Subject:
        return Subject("person", self.person)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return "An account at an OpenID provider was linked: from now on it signs this person in."


@dataclass(frozen=True, kw_only=True)
class ExternalAccountUnlinked(Event):
    kind: ClassVar[str] = "identity.external_account_unlinked"
    person: str
    issuer: str

    def subject(self) -> Subject:
        return Subject("person", self.person)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return "An account at an OpenID provider was unlinked: it no longer signs this person in."


@dataclass(frozen=True, kw_only=True)
class TotpAdded(Event):
    """An app has shown a right code, and is asked for from now on."""

    kind: ClassVar[str] = "identity.totp_added"
    person: str

    def subject(self) -> Subject:
        return Subject("person", self.person)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return "An authenticator app was added to an account."


@dataclass(frozen=True, kw_only=True)
class TotpRemoved(Event):
    kind: ClassVar[str] = "identity.totp_removed"
    person: str

    def subject(self) -> Subject:
        return Subject("person", self.person)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return "An authenticator app was removed from an account."


@dataclass(frozen=True, kw_only=True)
class PasskeyAdded(Event):
    kind: ClassVar[str] = "identity.passkey_added"
    person: str

    def subject(self) -> Subject:
        return Subject("person", self.person)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return "A passkey was added to an account."


@dataclass(frozen=True, kw_only=True)
class PasskeyRemoved(Event):
    kind: ClassVar[str] = "identity.passkey_removed"
    person: str

    def subject(self) -> Subject:
        return Subject("person", self.person)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return "A passkey was removed from an account."


@dataclass(frozen=True, kw_only=True)
class RecoveryCodesMade(Event):
    kind: ClassVar[str] = "identity.recovery_codes_made"
    person: str

    def subject(self) -> Subject:
        return Subject("person", self.person)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return "New recovery codes were made; earlier ones no longer work."


@dataclass(frozen=True, kw_only=True)
class RecoveryCodeUsed(Event):
    kind: ClassVar[str] = "identity.recovery_code_used"
    person: str
    left: int

    def subject(self) -> Subject:
        return Subject("person", self.person)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"A recovery code was used; {data['left']} are left."


@dataclass(frozen=True, kw_only=True)
class SecondFactorRefused(Event):
    """A code after the right password, or a passkey, did not fit: somebody may know the password or hold a copy."""

    kind: ClassVar[str] = "identity.second_factor_refused"
    person: str
    reason: str

    def subject(self) -> Subject:
        return Subject("person", self.person)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"A second factor was refused: {_REASONS.get(data['reason'], data['reason'])}."


@dataclass(frozen=True, kw_only=True)
class ProvedAgain(Event):
    kind: ClassVar[str] = "identity.proved_again"
    person: str
    session: str
    method: str

    def subject(self) -> Subject:
        return Subject("session", self.session)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"Showed once more who they are, with a {_METHODS.get(data['method'], data['method'])}."


@dataclass(frozen=True, kw_only=True)
class EmailChanged(Event):
    kind: ClassVar[str] = "identity.email_changed"
    person: str

    def subject(self) -> Subject:
        return Subject("person", self.person)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return "The e-mail address of an account was changed."


_METHODS = {
    "password": "password",
    "setup": "set-up link",
    "link": "one-time link",
    "second_factor": "password and a code",
    "recovery": "password and a recovery code",
    "passkey": "passkey",
    "invitation": "invitation",
    "reset": "link to a new password",
    "oidc": "OpenID provider",
}
_REASONS = {
    "wrong_password": "the password was wrong",
    "wrong_code": "the code was wrong or used",
    "wrong_passkey": "the passkey's answer did not fit",
    "copied_passkey": "the passkey's counter went back, so there may be a copy of it",
    "paused": "too many attempts",
    "by_person": "its owner ended it",
    "password_changed": "the password was changed",
    "replaced": "the same browser signed in again",
    "email_unproven": "the provider does not vouch for the e-mail",
    "other_subject": "another account of the provider is linked to the person",
    "unknown_person": "the provider knows them, but nobody here does",
    "disabled": "the account is disabled",
}
