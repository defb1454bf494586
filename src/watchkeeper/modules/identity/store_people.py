"""All SQL of what admins change about people, of invitations and of service accounts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, delete, insert, select, update
from sqlalchemy.orm import Session as Database

from watchkeeper.modules.identity.model import Duty, LinkPurpose, Person, Role
from watchkeeper.modules.identity.tables import external_accounts, links, passkeys, people, service_accounts, sessions


@dataclass(frozen=True)
class Invitation:
    """A one-time link for somebody who has no account yet, without its secret."""

    id: str
    email: str
    role: Role
    duties: frozenset[Duty]
    teams: tuple[str, ...]
    made_by: str
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class ServiceAccount:
    """A program with a name, whose tokens go with it."""

    id: str
    name: str
    description: str
    created_by: str
    created_at: datetime
    disabled_at: datetime | None


def lock_person(db: Database, person_id: str) -> bool:
    """Hold the person and every admin until the transaction ends; False when there is no such person.

    All in one order: two who change each other at once wait instead of blocking one another.
    """
    wanted = (people.c.id == person_id) | (people.c.role == Role.ADMIN.value)
    held = db.scalars(select(people.c.id).where(wanted).order_by(people.c.id).with_for_update())
    return person_id in set(held)


def set_place(db: Database, person: Person, role: Role, duties: frozenset[Duty]) -> None:
    values = {"role": role.value, "duties": sorted(duty.value for duty in duties)}
    db.execute(update(people).where(people.c.id == person.id).values(values))


def set_disabled(db: Database, person_id: str, at: datetime | None) -> None:
    db.execute(update(people).where(people.c.id == person_id).values(disabled_at=at))


def set_verified(db: Database, person_id: str, at: datetime) -> None:
    db.execute(update(people).where(people.c.id == person_id).values(email_verified_at=at))


def reset_password(db: Database, person_id: str, password_hash: str) -> None:
    db.execute(update(people).where(people.c.id == person_id).values(password_hash=password_hash))


def lock_admins_with_a_way_in(db: Database) -> set[str]:
    """Ids of everybody who may do everything and can sign in by themselves, held until the transaction ends."""
    admins = (people.c.role == Role.ADMIN.value) & people.c.disabled_at.is_(None)
    held = db.execute(
        select(people.c.id, people.c.password_hash).where(admins).order_by(people.c.id).with_for_update()
    ).all()
    elsewhere = {*db.scalars(select(passkeys.c.person_id)), *db.scalars(select(external_accounts.c.person_id))}
    return {row.id for row in held if row.password_hash is not None or row.id in elsewhere}


def end_all_sessions(db: Database, person_id: str, now: datetime) -> int:
    open_ones = (sessions.c.person_id == person_id) & sessions.c.ended_at.is_(None)
    return _changed(db, update(sessions).where(open_ones).values(ended_at=now))


# --- invitations ---


def add_link(db: Database, row: Mapping[str, Any]) -> None:
    db.execute(insert(links).values(dict(row)))


def invitations(db: Database, now: datetime) -> list[Invitation]:
    """Those that still work, newest first."""
    live = (links.c.purpose == LinkPurpose.INVITATION.value) & links.c.used_at.is_(None) & (links.c.expires_at > now)
    return [_invitation(row) for row in db.execute(select(links).where(live).order_by(links.c.created_at.desc()))]


def invitation_by_digest(db: Database, digest: str, now: datetime) -> Invitation | None:
    live = (links.c.digest == digest) & (links.c.purpose == LinkPurpose.INVITATION.value)
    live &= links.c.used_at.is_(None) & (links.c.expires_at > now)
    row = db.execute(select(links).where(live)).first()
    return _invitation(row) if row else None


def drop_invitation(db: Database, link_id: str) -> bool:
    mine = (links.c.id == link_id) & (links.c.purpose == LinkPurpose.INVITATION.value) & links.c.used_at.is_(None)
    return _changed(db, delete(links).where(mine)) == 1


def drop_reset_links(db: Database, person_id: str) -> None:
    _drop_open(db, (links.c.person_id == person_id) & (links.c.purpose == LinkPurpose.RESET.value))


def drop_links_for(db: Database, person_id: str) -> None:
    """Every open link that lets this person in."""
    _drop_open(db, links.c.person_id == person_id)


def drop_reset_links_by(db: Database, maker: str) -> None:
    """Every open link to a new password that this person made for others."""
    _drop_open(db, (links.c.made_by == maker) & (links.c.purpose == LinkPurpose.RESET.value))


def _drop_open(db: Database, which: ColumnElement[bool]) -> None:
    db.execute(delete(links).where(which, links.c.used_at.is_(None)))


# --- service accounts ---


def accounts(db: Database) -> list[ServiceAccount]:
    rows = db.execute(select(service_accounts).order_by(service_accounts.c.name))
    return [ServiceAccount(**row._mapping) for row in rows]


def account(db: Database, account_id: str, *, lock: bool = False) -> ServiceAccount | None:
    query = select(service_accounts).where(service_accounts.c.id == account_id)
    row = db.execute(query.with_for_update() if lock else query).first()
    return ServiceAccount(**row._mapping) if row else None


def add_account(db: Database, one: ServiceAccount) -> None:
    """Raises IntegrityError when the name is taken."""
    db.execute(insert(service_accounts).values(vars(one)))


def describe_account(db: Database, account_id: str, name: str, description: str) -> None:
    """Raises IntegrityError when the name is taken."""
    values = {"name": name, "description": description}
    db.execute(update(service_accounts).where(service_accounts.c.id == account_id).values(values))


def set_account_disabled(db: Database, account_id: str, at: datetime | None) -> None:
    db.execute(update(service_accounts).where(service_accounts.c.id == account_id).values(disabled_at=at))


def _invitation(row: Any) -> Invitation:
    grants = row.grants or {}
    return Invitation(
        id=row.id,
        email=grants["email"],
        role=Role(grants["role"]),
        duties=frozenset(Duty(one) for one in grants["duties"]),
        teams=tuple(grants["teams"]),
        made_by=row.made_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )


def _changed(db: Database, statement: Any) -> int:
    return cast("CursorResult[Any]", db.execute(statement)).rowcount
