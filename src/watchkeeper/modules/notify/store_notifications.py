"""All SQL of notifications and their attempts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from watchkeeper.kernel.db.upsert import insert_for
from watchkeeper.modules.notify.model import LOOPBACK, PATIENCE, Attempt, Notification, Outcome, State
from watchkeeper.modules.notify.tables import attempts, notifications

_AT_ONCE = 5_000


def add(session: Session, one: Notification) -> bool:
    """False when the call has this way already."""
    statement = insert_for(session, notifications).values(
        id=one.id,
        call=one.call,
        way=one.contact_id or one.channel_id,
        person_id=one.person_id,
        contact_id=one.contact_id,
        channel_id=one.channel_id,
        about_type=one.about_type,
        about_id=one.about_id,
        service=one.service,
        urgency=one.urgency,
        kind=one.kind,
        message=dict(one.message),
        state=one.state,
        due_at=one.due_at,
        created_at=one.created_at,
        reason=one.reason,
        attempts=one.attempts,
    )
    added = statement.on_conflict_do_nothing(index_elements=["call", "way"]).returning(notifications.c.id)
    return session.execute(added).scalar() is not None


def notification(session: Session, notification_id: str, *, lock: bool = False) -> Notification | None:
    wanted = select(notifications).where(notifications.c.id == notification_id)
    row = session.execute(wanted.with_for_update() if lock else wanted).one_or_none()
    return None if row is None else _notification(row)


def of_call(session: Session, call: str, *, lock: bool = False) -> list[Notification]:
    """All that reach for one person about one thing, in the order in which they are due."""
    wanted = select(notifications).where(notifications.c.call == call).order_by(notifications.c.id)
    found = [_notification(row) for row in session.execute(wanted.with_for_update() if lock else wanted)]
    return sorted(found, key=lambda one: one.due_at)


def settle(session: Session, ids: Sequence[str], state: State, *, at: datetime, reason: str = "") -> None:
    """Only those that wait: what was sent stays sent."""
    session.execute(
        update(notifications)
        .where(notifications.c.id.in_(ids), notifications.c.state == State.WAITING)
        .values(state=state, settled_at=at, reason=reason[:200])
    )


def set_due(session: Session, notification_id: str, due_at: datetime) -> None:
    session.execute(update(notifications).where(notifications.c.id == notification_id).values(due_at=due_at))


def waiting(session: Session, about_type: str, about_id: str) -> list[Notification]:
    """All about one thing that were not sent yet."""
    rows = session.execute(
        select(notifications).where(
            notifications.c.about_type == about_type,
            notifications.c.about_id == about_id,
            notifications.c.state == State.WAITING,
        )
    )
    return [_notification(row) for row in rows]


def beside(session: Session, one: Notification, until: datetime) -> list[Notification]:
    """Others of the same urgency and kind that wait for the same contact or channel and are due by `until`, newest
    first."""
    same = (
        notifications.c.contact_id == one.contact_id
        if one.contact_id is not None
        else and_(notifications.c.contact_id.is_(None), notifications.c.channel_id == one.channel_id)
    )
    rows = session.execute(
        select(notifications)
        .where(
            same,
            notifications.c.state == State.WAITING,
            notifications.c.kind == one.kind,
            notifications.c.urgency == one.urgency,
            notifications.c.due_at <= until,
            notifications.c.id != one.id,
        )
        .order_by(notifications.c.created_at.desc())
        .limit(50)
    )
    return [_notification(row) for row in rows]


def newest_about(session: Session, one: Notification, now: datetime) -> datetime:
    """When the newest message about the same thing to the same contact was ordered, of those that are due."""
    found = session.execute(
        select(func.max(notifications.c.created_at)).where(
            notifications.c.about_type == one.about_type,
            notifications.c.about_id == one.about_id,
            notifications.c.contact_id == one.contact_id,
            notifications.c.channel_id == one.channel_id,
            notifications.c.kind == one.kind,
            notifications.c.due_at <= now,
        )
    ).scalar()
    return found or one.created_at


def sent_since(session: Session, contact_id: str, since: datetime) -> int:
    """How many messages a contact got."""
    counted = (
        select(func.count())
        .select_from(notifications)
        .where(
            notifications.c.contact_id == contact_id,
            notifications.c.state == State.SENT,
            notifications.c.settled_at >= since,
        )
    )
    return int(session.execute(counted).scalar_one())


def was_told(session: Session, one: Notification) -> bool:
    """Whether this contact was sent anything about the same thing."""
    found = session.execute(
        select(notifications.c.id)
        .where(
            notifications.c.about_type == one.about_type,
            notifications.c.about_id == one.about_id,
            notifications.c.contact_id == one.contact_id,
            notifications.c.state == State.SENT,
        )
        .limit(1)
    ).first()
    return found is not None


def begin_attempt(session: Session, one: Attempt) -> None:
    session.execute(
        attempts.insert().values(
            id=one.id,
            notification_id=one.notification_id,
            work_id=one.work_id,
            number=one.number,
            begun_at=one.begun_at,
            outcome=one.outcome,
            answer="",
        )
    )
    session.execute(update(notifications).where(notifications.c.id == one.notification_id).values(attempts=one.number))


def end_attempt(session: Session, attempt_id: str, outcome: Outcome, *, at: datetime, answer: str) -> None:
    session.execute(
        update(attempts).where(attempts.c.id == attempt_id).values(outcome=outcome, ended_at=at, answer=answer[:200])
    )


def attempt(session: Session, attempt_id: str) -> Attempt | None:
    row = session.execute(select(attempts).where(attempts.c.id == attempt_id)).one_or_none()
    return None if row is None else _attempt(row)


def last_attempt(session: Session, notification_id: str) -> Attempt | None:
    """The newest of a message."""
    wanted = select(attempts).where(attempts.c.notification_id == notification_id)
    row = session.execute(wanted.order_by(attempts.c.number.desc(), attempts.c.begun_at.desc()).limit(1)).one_or_none()
    return None if row is None else _attempt(row)


def open_since(session: Session, channel_id: str, beside: str, now: datetime) -> datetime | None:
    """Since when another message than this waits for a channel's answer; None when none does."""
    found: datetime | None = session.execute(
        select(func.min(attempts.c.begun_at))
        .join(notifications, notifications.c.id == attempts.c.notification_id)
        .where(
            notifications.c.channel_id == channel_id,
            notifications.c.id != beside,
            attempts.c.ended_at.is_(None),
            # What began before is of a process that died.
            attempts.c.begun_at > now - PATIENCE,
        )
    ).scalar()
    return found


def attempts_of(session: Session, ids: Sequence[str]) -> dict[str, list[Attempt]]:
    """Of these notifications, in their order."""
    found: dict[str, list[Attempt]] = {one: [] for one in ids}
    rows = session.execute(
        select(attempts).where(attempts.c.notification_id.in_(ids)).order_by(attempts.c.number, attempts.c.begun_at)
    )
    for row in rows:
        found[row.notification_id].append(_attempt(row))
    return found


def latest(
    session: Session,
    *,
    about: tuple[str, str] | None = None,
    person_id: str | None = None,
    before: tuple[datetime, str] | None = None,
    limit: int = 100,
) -> list[Notification]:
    """Newest first; not those of synthetic pages."""
    wanted = select(notifications).order_by(notifications.c.created_at.desc(), notifications.c.id.desc()).limit(limit)
    wanted = wanted.where(notifications.c.channel_id != LOOPBACK.id)
    if about is not None:
        wanted = wanted.where(notifications.c.about_type == about[0], notifications.c.about_id == about[1])
    if person_id is not None:
        wanted = wanted.where(notifications.c.person_id == person_id)
    if before is not None:
        at, last = before
        wanted = wanted.where(
            or_(
                notifications.c.created_at < at,
                and_(notifications.c.created_at == at, notifications.c.id < last),
            )
        )
    return [_notification(row) for row in session.execute(wanted)]


def overdue(session: Session, before: datetime) -> int:
    """Messages that were due before an instant and wait still."""
    counted = (
        select(func.count())
        .select_from(notifications)
        .where(notifications.c.state == State.WAITING, notifications.c.due_at < before)
    )
    return int(session.execute(counted).scalar_one())


def forget(session: Session, *, before: datetime) -> int:
    """Delete what was ordered before an instant, with its attempts."""
    old = select(notifications.c.id).where(notifications.c.created_at < before).limit(_AT_ONCE)
    ids = session.execute(old).scalars().all()
    session.execute(delete(attempts).where(attempts.c.notification_id.in_(ids)))
    session.execute(delete(notifications).where(notifications.c.id.in_(ids)))
    return len(ids)


def forget_about(session: Session, about_type: str, about_ids: Sequence[str]) -> list[str]:
    """Delete all messages about these things with their attempts; answers the ids of both."""
    wanted = notifications.c.about_type == about_type, notifications.c.about_id.in_(about_ids)
    ids = session.execute(select(notifications.c.id).where(*wanted)).scalars().all()
    gone = delete(attempts).where(attempts.c.notification_id.in_(ids)).returning(attempts.c.id)
    tries = session.execute(gone).scalars().all()
    session.execute(delete(notifications).where(notifications.c.id.in_(ids)))
    return [*ids, *tries]


def _notification(row: Row[Any]) -> Notification:
    return Notification(
        id=row.id,
        call=row.call,
        person_id=row.person_id,
        contact_id=row.contact_id,
        channel_id=row.channel_id,
        about_type=row.about_type,
        about_id=row.about_id,
        service=row.service,
        urgency=row.urgency,
        kind=row.kind,
        message=row.message,
        state=State(row.state),
        due_at=row.due_at,
        created_at=row.created_at,
        settled_at=row.settled_at,
        reason=row.reason,
        attempts=row.attempts,
    )


def _attempt(row: Row[Any]) -> Attempt:
    return Attempt(
        id=row.id,
        notification_id=row.notification_id,
        work_id=row.work_id,
        number=row.number,
        begun_at=row.begun_at,
        ended_at=row.ended_at,
        outcome=Outcome(row.outcome),
        answer=row.answer,
    )
