"""SQL of subscribers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from watchkeeper.kernel.db.upsert import insert_for
from watchkeeper.modules.status.subscribers import Subscriber, SubscriberState, Way
from watchkeeper.modules.status.tables import subscribers


def add(session: Session, one: Subscriber) -> bool:
    """Write a new one; False when its address has one already."""
    fresh = insert_for(session, subscribers).values(**vars(one) | {"components": list(one.components)})
    added = fresh.on_conflict_do_nothing(index_elements=["digest"]).returning(subscribers.c.id)
    return session.execute(added).scalar() is not None


def put(session: Session, one: Subscriber) -> None:
    """Write it as it is."""
    values = vars(one) | {"components": list(one.components)}
    session.execute(update(subscribers).where(subscribers.c.id == one.id).values(**values))


def by_id(session: Session, subscriber_id: str, *, lock: bool = False) -> Subscriber | None:
    """The subscriber of this id."""
    wanted = select(subscribers).where(subscribers.c.id == subscriber_id)
    row = session.execute(wanted.with_for_update() if lock else wanted).one_or_none()
    return _subscriber(row) if row is not None else None


def by_digest(session: Session, digest: str) -> Subscriber | None:
    """The subscriber with this address."""
    row = session.execute(select(subscribers).where(subscribers.c.digest == digest).with_for_update()).one_or_none()
    return _subscriber(row) if row is not None else None


def active_after(session: Session, after: str, limit: int) -> list[Subscriber]:
    """Those that are told of news, by id, from the one behind `after` on."""
    wanted = select(subscribers).where(subscribers.c.state == SubscriberState.ACTIVE, subscribers.c.id > after)
    return [_subscriber(row) for row in session.execute(wanted.order_by(subscribers.c.id).limit(limit))]


def remove(session: Session, subscriber_id: str) -> bool:
    """Forget it, address and all; False when it is not there."""
    gone = delete(subscribers).where(subscribers.c.id == subscriber_id).returning(subscribers.c.id)
    return session.execute(gone).scalar() is not None


def forget(session: Session, *, asked_before: datetime, inactive_before: datetime) -> None:
    """Delete those that nobody confirmed in time, and those that have been inactive for long."""
    pending = (subscribers.c.state == SubscriberState.PENDING) & (subscribers.c.asked_at < asked_before)
    given_up = (subscribers.c.state == SubscriberState.INACTIVE) & (subscribers.c.inactive_since < inactive_before)
    session.execute(delete(subscribers).where(pending | given_up))


def counts(session: Session) -> dict[tuple[Way, SubscriberState], int]:
    """How many of each."""
    found = select(subscribers.c.kind, subscribers.c.state, func.count()).group_by(
        subscribers.c.kind, subscribers.c.state
    )
    return {(Way(row[0]), SubscriberState(row[1])): row[2] for row in session.execute(found)}


def _subscriber(row: Any) -> Subscriber:
    values = dict(row._mapping)
    return Subscriber(
        **values
        | {
            "kind": Way(row.kind),
            "state": SubscriberState(row.state),
            "components": tuple(row.components),
        }
    )
