"""All SQL of accounts elsewhere: which person each is here, and the sign-ins that wait for their answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, delete, insert, select, update
from sqlalchemy.orm import Session as Database

from watchkeeper.modules.identity import store
from watchkeeper.modules.identity.model import Person
from watchkeeper.modules.identity.tables import challenges, external_accounts, people

_PURPOSE = "oidc"


def person_of(db: Database, issuer: str, subject: str) -> Person | None:
    found = db.scalar(
        select(external_accounts.c.person_id).where(
            external_accounts.c.issuer == issuer, external_accounts.c.subject == subject
        )
    )
    return store.person(db, found) if found is not None else None


def issuers_of(db: Database, person_id: str) -> Sequence[str]:
    """The issuers at which this person has an account."""
    wanted = select(external_accounts.c.issuer).where(external_accounts.c.person_id == person_id)
    return db.scalars(wanted.distinct().order_by(external_accounts.c.issuer)).all()


def add(db: Database, *, issuer: str, subject: str, person_id: str, now: datetime) -> None:
    """Raises IntegrityError when the account is somebody's already."""
    row = {"issuer": issuer, "subject": subject, "person_id": person_id, "created_at": now}
    db.execute(insert(external_accounts).values(row))


def drop(db: Database, person_id: str) -> Sequence[str]:
    """Forget this person's accounts elsewhere; answers the issuers they were of."""
    issuers = issuers_of(db, person_id)
    db.execute(delete(external_accounts).where(external_accounts.c.person_id == person_id))
    return issuers


def lock_person(db: Database, person_id: str) -> None:
    """Until the transaction ends nobody else links an account to this person."""
    db.execute(select(people.c.id).where(people.c.id == person_id).with_for_update())


def confirm_email(db: Database, person_id: str, now: datetime) -> None:
    unconfirmed = (people.c.id == person_id) & people.c.email_verified_at.is_(None)
    db.execute(update(people).where(unconfirmed).values(email_verified_at=now))


def remember(db: Database, digest: str, data: dict[str, Any], *, now: datetime, until: datetime) -> None:
    """Keep what a sign-in needs until the browser is back; those that came to nothing are cleared away."""
    db.execute(delete(challenges).where(challenges.c.purpose == _PURPOSE, challenges.c.expires_at <= now))
    row = {"digest": digest, "purpose": _PURPOSE, "data": data, "created_at": now, "expires_at": until}
    db.execute(insert(challenges).values(row))


def recall(db: Database, digest: str, now: datetime) -> dict[str, Any] | None:
    """What was kept, for exactly one caller; it is gone afterwards."""
    wanted = (challenges.c.digest == digest) & (challenges.c.purpose == _PURPOSE)
    row = db.execute(select(challenges).where(wanted)).first()
    gone = cast("CursorResult[Any]", db.execute(delete(challenges).where(wanted))).rowcount
    return dict(row.data) if row is not None and gone == 1 and now < row.expires_at else None
