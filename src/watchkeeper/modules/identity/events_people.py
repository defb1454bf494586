"""The facts about people, teams and service accounts. Ids and names of teams and programs; never a person's name.

Why somebody did it is text about people: it is kept beside the sealed fact, where it can be forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from watchkeeper.kernel.journal import Event, Subject


@dataclass(frozen=True, kw_only=True)
class _OfPerson(Event):
    person: str

    def subject(self) -> Subject:
        return Subject("person", self.person)


@dataclass(frozen=True, kw_only=True)
class PersonInvited(Event):
    kind: ClassVar[str] = "identity.person_invited"
    invitation: str
    role: str
    duties: tuple[str, ...]
    teams: tuple[str, ...]

    def subject(self) -> Subject:
        return Subject("link", self.invitation)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"Somebody was invited as {data['role']}{_also(data)}."


@dataclass(frozen=True, kw_only=True)
class InvitationWithdrawn(Event):
    kind: ClassVar[str] = "identity.invitation_withdrawn"
    invitation: str

    def subject(self) -> Subject:
        return Subject("link", self.invitation)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:  # noqa: ARG003 (the base's)
        return "An invitation was withdrawn."


@dataclass(frozen=True, kw_only=True)
class InvitationAccepted(_OfPerson):
    kind: ClassVar[str] = "identity.invitation_accepted"
    invitation: str
    role: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"An invitation was accepted: a person got an account with the role {data['role']}."


@dataclass(frozen=True, kw_only=True)
class ResetLinkMade(_OfPerson):
    kind: ClassVar[str] = "identity.reset_link_made"

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:  # noqa: ARG003 (the base's)
        return "Made a one-time link that sets a new password."


@dataclass(frozen=True, kw_only=True)
class PasswordReset(_OfPerson):
    kind: ClassVar[str] = "identity.password_reset"
    sessions_ended: int

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"A new password was set by a one-time link; {data['sessions_ended']} sessions ended."


@dataclass(frozen=True, kw_only=True)
class PersonPlaced(_OfPerson):
    kind: ClassVar[str] = "identity.person_placed"
    role: str
    duties: tuple[str, ...]
    before: Mapping[str, Any]
    after: Mapping[str, Any]

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"A person's role and duties changed to {data['role']}{_also(data)}."


@dataclass(frozen=True, kw_only=True)
class PersonDisabled(_OfPerson):
    kind: ClassVar[str] = "identity.person_disabled"
    sessions_ended: int

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"An account was disabled; {data['sessions_ended']} sessions ended."


@dataclass(frozen=True, kw_only=True)
class PersonEnabled(_OfPerson):
    kind: ClassVar[str] = "identity.person_enabled"

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:  # noqa: ARG003 (the base's)
        return "An account was enabled again."


@dataclass(frozen=True, kw_only=True)
class TeamChanged(Event):
    """`before` is None for a new team, `after` for one that is gone."""

    kind: ClassVar[str] = "identity.team_changed"
    team: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None

    def subject(self) -> Subject:
        return Subject("team", self.team)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        done = "was made" if data["before"] is None else "was deleted" if data["after"] is None else "changed"
        return f"The team {data['team']} {done}."


@dataclass(frozen=True, kw_only=True)
class TeamJoined(Event):
    kind: ClassVar[str] = "identity.team_joined"
    team: str
    member: str

    def subject(self) -> Subject:
        return Subject("team", self.team)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{_kind_of(data['member'])} joined the team {data['team']}."


@dataclass(frozen=True, kw_only=True)
class TeamLeft(Event):
    kind: ClassVar[str] = "identity.team_left"
    team: str
    member: str

    def subject(self) -> Subject:
        return Subject("team", self.team)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{_kind_of(data['member'])} left the team {data['team']}."


@dataclass(frozen=True, kw_only=True)
class AccountMade(Event):
    kind: ClassVar[str] = "identity.account_made"
    account: str

    def subject(self) -> Subject:
        return Subject("service_account", self.account)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:  # noqa: ARG003 (the base's)
        return "Made a service account."


@dataclass(frozen=True, kw_only=True)
class AccountDescribed(Event):
    kind: ClassVar[str] = "identity.account_described"
    account: str

    def subject(self) -> Subject:
        return Subject("service_account", self.account)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:  # noqa: ARG003 (the base's)
        return "A service account was named or described otherwise."


@dataclass(frozen=True, kw_only=True)
class AccountSwitched(Event):
    kind: ClassVar[str] = "identity.account_switched"
    account: str
    enabled: bool

    def subject(self) -> Subject:
        return Subject("service_account", self.account)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"A service account and its tokens were {'enabled' if data['enabled'] else 'disabled'}."


def _also(data: Mapping[str, Any]) -> str:
    more = [*(f"duty {one}" for one in data["duties"]), *(f"team {one}" for one in data.get("teams", ()))]
    return f" ({', '.join(more)})" if more else ""


def _kind_of(member: str) -> str:
    return "A service account" if member.startswith("sva_") else "A person"
