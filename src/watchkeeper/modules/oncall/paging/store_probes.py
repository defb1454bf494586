"""All SQL of synthetic pages."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.orm import Session

from watchkeeper.modules.oncall.paging.model import Probe
from watchkeeper.modules.oncall.paging.tables import probes

KEPT = 20


def add(session: Session, one: Probe) -> None:
    """Write a new one, and keep the newest only."""
    session.execute(insert(probes).values(id=one.id, begun_at=one.begun_at, failure=""))
    newest = select(probes.c.id).order_by(probes.c.begun_at.desc(), probes.c.id.desc()).limit(KEPT)
    session.execute(delete(probes).where(probes.c.id.not_in(newest.scalar_subquery())))


def latest(session: Session, *, limit: int = KEPT) -> list[Probe]:
    """Newest first."""
    wanted = select(probes).order_by(probes.c.begun_at.desc(), probes.c.id.desc()).limit(limit)
    return [_probe(row) for row in session.execute(wanted)]


def last_through(session: Session) -> Probe | None:
    """The newest that came through every stage."""
    wanted = select(probes).where(probes.c.sent_at.is_not(None)).order_by(probes.c.sent_at.desc()).limit(1)
    row = session.execute(wanted).one_or_none()
    return None if row is None else _probe(row)


def change(session: Session, probe_id: str, **values: Any) -> bool:
    """Write what became of it; False when that is known already, or it is not there."""
    open_ones = probes.c.id == probe_id, probes.c.sent_at.is_(None), probes.c.failure == ""
    changed = session.execute(update(probes).where(*open_ones).values(**values).returning(probes.c.id))
    return changed.scalar() is not None


def _probe(row: Row[Any]) -> Probe:
    return Probe(**row._mapping)
