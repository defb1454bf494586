"""What other modules may ask of identity, and what `app` starts and wires."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session as Database

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.ids import is_id
from watchkeeper.kernel.web.access import Actor, Scope
from watchkeeper.modules.identity import store, store_people, store_teams
from watchkeeper.modules.identity.control import LOCAL
from watchkeeper.modules.identity.model import Person, Role, is_email
from watchkeeper.modules.identity.service import NOBODY, Identity
from watchkeeper.modules.identity.settings import IdentitySettings
from watchkeeper.modules.identity.teams import TeamHoldings

__all__ = [
    "Person",
    "PersonSummary",
    "StaffMember",
    "TeamHoldings",
    "actor_of",
    "count_admins",
    "count_unverified",
    "ensure_demo_person",
    "ensure_sample_person",
    "ensure_setup_link",
    "is_email",
    "is_team",
    "make_login_link",
    "names",
    "people",
    "staff",
    "team_members",
    "token_works",
]


@dataclass(frozen=True)
class PersonSummary:
    """A person as others may show and choose them."""

    id: str
    name: str


def people(session: Database) -> list[PersonSummary]:
    """Everybody with an account, by name."""
    return [PersonSummary(person.id, person.name) for person in store.all_people(session)]


@dataclass(frozen=True)
class StaffMember:
    """A person as those see them who may have to call: `active` until disabled, `responds` and `admin` by role."""

    id: str
    name: str
    email: str | None
    active: bool
    responds: bool
    admin: bool


def staff(session: Database) -> list[StaffMember]:
    """Everybody with an account, the disabled too, by name."""
    return [
        StaffMember(
            id=person.id,
            name=person.name,
            email=person.email,
            active=person.disabled_at is None,
            responds=person.role is not Role.VIEWER,
            admin=person.role is Role.ADMIN,
        )
        for person in store.all_people(session)
    ]


def team_members(session: Database) -> dict[str, tuple[str, ...]]:
    """Every team's name with the ids of the people in it; programs are left out."""
    return {
        team.name: tuple(one for one in team.members if is_id(one, "per")) for team in store_teams.all_teams(session)
    }


def is_team(session: Database, name: str) -> bool:
    """Whether a team of this name exists: only then does an owner of that name limit who may change something."""
    return store_teams.is_team(session, name)


def count_admins(session: Database) -> int:
    """How many people may do everything; those who were disabled may not."""
    return sum(person.role is Role.ADMIN and person.disabled_at is None for person in store.all_people(session))


def count_unverified(session: Database) -> int:
    """How many people have an e-mail address that they never showed to be theirs."""
    return sum(
        person.email is not None and person.email_verified_at is None and person.disabled_at is None
        for person in store.all_people(session)
    )


def names(session: Database, ids: Iterable[str]) -> dict[str, str]:
    """What to call each of these actors; every asked id is in the answer, an unknown one by itself."""
    wanted = sorted(set(ids))
    found = store.person_names(session, [one for one in wanted if is_id(one, "per")])
    tokens = store.token_names(session, [one for one in wanted if is_id(one, "tok")])
    found |= {token: f"{name} (token)" for token, name in tokens.items()}
    return {one: found.get(one) or _name_of_machine(one) for one in wanted}


def token_works(session: Database, token_id: str, at: datetime) -> bool:
    """Whether a token still opens what it opened. The command line's is renewed at each start and works till then."""
    if token_id == LOCAL.id:
        return True
    token = store.token(session, token_id)
    if token is None or not token.works_at(at):
        return False
    account = store_people.account(session, token.account_id) if token.account_id is not None else None
    return account is None or account.disabled_at is None


def actor_of(session: Database, actor_id: str, at: datetime) -> Actor | None:
    """Who this is and what they may do at `at`, for what is done on their behalf when they are not there themselves.

    None for somebody who may do nothing any more: an account that is disabled, a token that works no more.
    """
    if actor_id == LOCAL.id:
        return LOCAL
    if is_id(actor_id, "tok"):
        token = store.token(session, actor_id)
        if token is None or not token_works(session, actor_id, at):
            return None
        teams = store_teams.names_of(session, token.account_id) if token.account_id is not None else token.teams
        limits = None if Scope.ADMIN in token.scopes else teams
        return Actor(id=token.id, kind="token", name=token.name, scopes=token.scopes, teams=limits)
    person = store.person(session, actor_id) if is_id(actor_id, "per") else None
    if person is None or person.disabled_at is not None:
        return None
    of = None if person.role is Role.ADMIN else store_teams.names_of(session, person.id)
    return Actor(id=person.id, kind="person", name=person.name, scopes=person.scopes, teams=of)


def ensure_setup_link(session: Database, clock: Clock, settings: IdentitySettings) -> str | None:
    """The secret for `/setup/{secret}`, made afresh at each start until the first person exists; then None."""
    return Identity(session, clock, settings).ensure_setup_link()


def ensure_demo_person(session: Database, clock: Clock, settings: IdentitySettings, *, name: str = "Demo") -> Person:
    """An admin without a password, for `watchkeeper demo` only."""
    return Identity(session, clock, settings).ensure_demo_person(name)


def ensure_sample_person(
    session: Database, clock: Clock, settings: IdentitySettings, *, name: str, email: str, role: str
) -> Person:
    """Somebody of a sample team, whom nobody can sign in as; for `watchkeeper demo` only."""
    return Identity(session, clock, settings).ensure_sample_person(name=name, email=email, role=Role(role))


def make_login_link(session: Database, clock: Clock, settings: IdentitySettings, person: Person) -> str:
    """The secret for `/login/link/{secret}`, which signs this person in once."""
    return Identity(session, clock, settings).make_login_link(person)


def _name_of_machine(actor: str) -> str:
    if actor == LOCAL.id:
        return LOCAL.name
    if actor == NOBODY:
        return "Somebody not signed in"
    kind, _, rest = actor.partition(":")
    return f"Watchkeeper ({rest})" if kind == "system" and rest else actor
