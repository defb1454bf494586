"""All SQL of what was shared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.orm import Session

from watchkeeper.modules.postmortems.tables import shares


@dataclass(frozen=True, kw_only=True)
class Share:
    """A public version as it was shared; `version` is that of the postmortem it was made from."""

    id: str
    postmortem: str
    content: Mapping[str, Any]
    version: int
    at: datetime
    by: str
    revoked_at: datetime | None = None
    revoked_by: str | None = None


def add(session: Session, one: Share) -> None:
    session.execute(insert(shares).values({name: getattr(one, name) for name in Share.__dataclass_fields__}))


def by_id(session: Session, share_id: str) -> Share | None:
    row = session.execute(select(shares).where(shares.c.id == share_id)).one_or_none()
    return None if row is None else _share(row)


def of_postmortem(session: Session, postmortem_id: str) -> list[Share]:
    """The newest first."""
    asked = select(shares).where(shares.c.postmortem == postmortem_id).order_by(shares.c.at.desc(), shares.c.id)
    return [_share(row) for row in session.execute(asked)]


def revoke(session: Session, share_id: str, *, at: datetime, by: str) -> None:
    session.execute(update(shares).where(shares.c.id == share_id).values(revoked_at=at, revoked_by=by))


def _share(row: Row[Any]) -> Share:
    return Share(**{name: getattr(row, name) for name in Share.__dataclass_fields__})
