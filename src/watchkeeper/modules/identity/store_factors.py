"""All SQL of second factors: one-time codes, recovery codes and passkeys."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, delete, func, insert, select, update
from sqlalchemy.orm import Session as Database

from watchkeeper.kernel.db.upsert import insert_for
from watchkeeper.modules.identity.tables import passkeys, people, recovery_codes, totp


@dataclass(frozen=True)
class Totp:
    """A secret for one-time codes, sealed; `last_step` is the last 30-second step whose code was taken."""

    person_id: str
    secret: str
    created_at: datetime
    confirmed_at: datetime | None
    last_step: int


@dataclass(frozen=True)
class Passkey:
    """A passkey of a person: what the browser calls it, and its public key (both base64url)."""

    id: str
    person_id: str
    credential_id: str
    public_key: str
    sign_count: int
    name: str
    created_at: datetime
    last_used_at: datetime | None


# --- one-time codes ---


def totp_of(db: Database, person_id: str) -> Totp | None:
    row = db.execute(select(totp).where(totp.c.person_id == person_id)).first()
    return Totp(**row._mapping) if row else None


def put_totp(db: Database, person_id: str, secret: str, now: datetime) -> None:
    """A fresh secret that is not confirmed yet, in place of one that never was."""
    values = {"secret": secret, "created_at": now, "confirmed_at": None, "last_step": 0}
    statement = insert_for(db, totp).values(person_id=person_id, **values)
    unconfirmed = totp.c.confirmed_at.is_(None)
    db.execute(statement.on_conflict_do_update(index_elements=["person_id"], set_=values, where=unconfirmed))


def take_step(db: Database, person_id: str, step: int) -> bool:
    """True for exactly one caller for each step, and never for an earlier one."""
    later = (totp.c.person_id == person_id) & (totp.c.last_step < step)
    return _changed(db, update(totp).where(later).values(last_step=step)) == 1


def confirm_totp(db: Database, person_id: str, now: datetime) -> bool:
    fresh = (totp.c.person_id == person_id) & totp.c.confirmed_at.is_(None)
    return _changed(db, update(totp).where(fresh).values(confirmed_at=now)) == 1


def drop_totp(db: Database, person_id: str) -> bool:
    return _changed(db, delete(totp).where(totp.c.person_id == person_id)) == 1


# --- recovery codes ---


def put_recovery_codes(db: Database, person_id: str, digests: Iterable[str], now: datetime) -> None:
    """These in place of all there were."""
    db.execute(delete(recovery_codes).where(recovery_codes.c.person_id == person_id))
    for digest in digests:
        db.execute(insert(recovery_codes).values(digest=digest, person_id=person_id, created_at=now))


def use_recovery_code(db: Database, person_id: str, digest: str, now: datetime) -> bool:
    """True for exactly one caller."""
    unused = (recovery_codes.c.person_id == person_id) & (recovery_codes.c.digest == digest)
    unused &= recovery_codes.c.used_at.is_(None)
    return _changed(db, update(recovery_codes).where(unused).values(used_at=now)) == 1


def recovery_codes_left(db: Database, person_id: str) -> int:
    unused = (recovery_codes.c.person_id == person_id) & recovery_codes.c.used_at.is_(None)
    return int(db.execute(select(func.count()).select_from(recovery_codes).where(unused)).scalar_one())


# --- passkeys ---


def passkeys_of(db: Database, person_id: str) -> list[Passkey]:
    rows = db.execute(select(passkeys).where(passkeys.c.person_id == person_id).order_by(passkeys.c.created_at))
    return [Passkey(**row._mapping) for row in rows]


def passkey_by_credential(db: Database, credential_id: str) -> Passkey | None:
    """Locked until the transaction ends: its counter must not be read twice."""
    row = db.execute(select(passkeys).where(passkeys.c.credential_id == credential_id).with_for_update()).first()
    return Passkey(**row._mapping) if row else None


def add_passkey(db: Database, passkey: Passkey) -> None:
    """Raises IntegrityError when the credential is known already."""
    db.execute(insert(passkeys).values(vars(passkey)))


def used_passkey(db: Database, passkey_id: str, sign_count: int, now: datetime) -> None:
    values = {"sign_count": sign_count, "last_used_at": now}
    db.execute(update(passkeys).where(passkeys.c.id == passkey_id).values(values))


def drop_passkey(db: Database, person_id: str, passkey_id: str) -> bool:
    mine = (passkeys.c.id == passkey_id) & (passkeys.c.person_id == person_id)
    return _changed(db, delete(passkeys).where(mine)) == 1


def lock_person(db: Database, person_id: str) -> None:
    """Until the transaction ends nobody else changes the person's password or removes a factor."""
    db.execute(select(people.c.id).where(people.c.id == person_id).with_for_update())


def has_factor(db: Database, person_id: str) -> bool:
    """Whether the person has a confirmed authenticator app or a passkey."""
    app = select(totp.c.person_id).where(totp.c.person_id == person_id, totp.c.confirmed_at.is_not(None))
    key = select(passkeys.c.id).where(passkeys.c.person_id == person_id).limit(1)
    return db.execute(app).first() is not None or db.execute(key).first() is not None


def _changed(db: Database, statement: Any) -> int:
    return cast("CursorResult[Any]", db.execute(statement)).rowcount
