"""All SQL of deliveries and of what other Watchkeepers sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from watchkeeper.app.audit.tables import deliveries, witnessed
from watchkeeper.kernel.db.upsert import insert_for


@dataclass(frozen=True)
class Delivery:
    """How checkpoints reach one sink: the newest that did, and since when they don't."""

    sink: str
    seq: int | None
    delivered_at: datetime | None
    failing_since: datetime | None
    error: str | None


@dataclass(frozen=True)
class Witnessed:
    """The newest checkpoint of another Watchkeeper's key; `journal` is the hash of its first fact."""

    journal: str
    key: str
    public_key: str
    seq: int
    checkpoint: str
    received_at: datetime


def delivery(session: Session, sink: str) -> Delivery:
    """What is known of a sink; nothing yet, where it was never tried."""
    row = session.execute(select(deliveries).where(deliveries.c.sink == sink)).one_or_none()
    return Delivery(**row._mapping) if row else Delivery(sink, None, None, None, None)


def record_delivered(session: Session, sink: str, seq: int, at: datetime) -> None:
    """The sink has the checkpoint of this seq; an older one that comes late changes nothing."""
    values = {"seq": seq, "delivered_at": at, "failing_since": None, "error": None}
    added = insert_for(session, deliveries).values(sink=sink, **values).on_conflict_do_nothing()
    if session.execute(added.returning(deliveries.c.sink)).scalar() is None:
        older = (deliveries.c.seq.is_(None)) | (deliveries.c.seq <= seq)
        session.execute(update(deliveries).where(deliveries.c.sink == sink, older).values(values))


def record_failed(session: Session, sink: str, error: str, at: datetime) -> None:
    """The sink did not take it; since when is kept."""
    values = {"failing_since": at, "error": error[:200]}
    statement = insert_for(session, deliveries).values(sink=sink, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["sink"], set_=values))


def witness(session: Session, journal: str, key: str) -> Witnessed | None:
    """What is held of this journal and key, locked until the transaction ends."""
    wanted = (witnessed.c.journal == journal) & (witnessed.c.key == key)
    row = session.execute(select(witnessed).where(wanted).with_for_update()).one_or_none()
    return Witnessed(**row._mapping) if row else None


def witnesses(session: Session) -> list[Witnessed]:
    """What is held of all others, newest first."""
    rows = session.execute(select(witnessed).order_by(witnessed.c.received_at.desc(), witnessed.c.key))
    return [Witnessed(**row._mapping) for row in rows]


def keep_witness(session: Session, one: Witnessed) -> None:
    """Remember the newest checkpoint of a journal and key."""
    values = vars(one)
    statement = insert_for(session, witnessed).values(values)
    session.execute(statement.on_conflict_do_update(index_elements=["journal", "key"], set_=values))
