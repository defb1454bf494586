"""All SQL of challenges."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, Row, delete, insert, select, update
from sqlalchemy.orm import Session as Database

from watchkeeper.modules.identity.tables import challenges


def add(
    db: Database,
    digest: str,
    purpose: str,
    person_id: str | None,
    data: Mapping[str, Any],
    *,
    at: datetime,
    expires_at: datetime,
) -> None:
    row = {"digest": digest, "purpose": purpose, "person_id": person_id, "data": dict(data)}
    db.execute(insert(challenges).values(row | {"created_at": at, "expires_at": expires_at}))


def find(db: Database, digest: str, purpose: str, now: datetime) -> Row[Any] | None:
    """The challenge, unless it was used or is over."""
    live = (challenges.c.digest == digest) & (challenges.c.purpose == purpose)
    live &= challenges.c.used_at.is_(None) & (challenges.c.expires_at > now)
    return db.execute(select(challenges).where(live)).first()


def use(db: Database, digest: str, now: datetime) -> bool:
    """True for exactly one caller."""
    unused = (challenges.c.digest == digest) & challenges.c.used_at.is_(None)
    return _changed(db, update(challenges).where(unused).values(used_at=now)) == 1


def forget(db: Database, now: datetime) -> int:
    """Delete what is over."""
    return _changed(db, delete(challenges).where(challenges.c.expires_at <= now))


def _changed(db: Database, statement: Any) -> int:
    return cast("CursorResult[Any]", db.execute(statement)).rowcount
