"""All SQL of due work. Leases go by the database's clock, because replicas' clocks differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from watchkeeper.kernel.db.upsert import insert_for
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.work.model import State, Task
from watchkeeper.kernel.work.tables import work


def enqueue(session: Session, *, kind: str, key: str, due_at: datetime, payload: Mapping[str, Any]) -> bool:
    """Write a row that becomes due at `due_at`; False when `key` is there already, whatever its state."""
    statement = insert_for(session, work).values(
        id=new_id("wrk"), key=key, kind=kind, state=State.DUE, due_at=due_at, payload=dict(payload), attempts=0, token=0
    )
    added = session.execute(statement.on_conflict_do_nothing(index_elements=["key"]).returning(work.c.id)).scalar()
    return added is not None


def lease(session: Session, kinds: Sequence[str], *, now: datetime, length: timedelta, most: int) -> list[Task]:
    """Take at most `most` due rows of these kinds for `length`. No two holders have the same row and token."""
    free = or_(work.c.lease_until.is_(None), work.c.lease_until <= now)
    due = (
        select(work.c.id)
        .where(work.c.state == State.DUE, work.c.kind.in_(kinds), work.c.due_at <= now, free)
        .order_by(work.c.due_at)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    ids = session.execute(due).scalars().all()
    if not ids:
        return []
    rows = session.execute(
        update(work)
        .where(work.c.id.in_(ids))
        .values(lease_until=now + length, token=work.c.token + 1, attempts=work.c.attempts + 1)
        .returning(work.c.id, work.c.kind, work.c.key, work.c.payload, work.c.attempts, work.c.token, work.c.due_at)
    ).all()
    return [
        Task(row.id, row.kind, row.key, row.payload, row.attempts, row.token)
        for row in sorted(rows, key=lambda row: row.due_at)
    ]


def renew(session: Session, task: Task, *, until: datetime) -> bool:
    """Make the lease longer; False when somebody else has the row by now."""
    return _fenced(session, task, lease_until=until)


def mark_done(session: Session, task: Task, *, now: datetime) -> bool:
    """False when the lease ran out and the row went to another: then nothing of this attempt may be committed."""
    return _fenced(session, task, state=State.DONE, finished_at=now, lease_until=None, last_error=None)


def mark_waiting(session: Session, task: Task, *, due_at: datetime, attempts: int, error: str | None) -> bool:
    """Give the row back, due again at `due_at`."""
    return _fenced(session, task, due_at=due_at, attempts=attempts, lease_until=None, last_error=error)


def mark_failed(session: Session, task: Task, *, now: datetime, error: str) -> bool:
    """Keep the row as failed; nobody takes it again."""
    return _fenced(session, task, state=State.FAILED, finished_at=now, lease_until=None, last_error=error)


def is_anything_due(session: Session, kinds: Sequence[str], *, now: datetime) -> bool:
    """Whether any row of these kinds could be leased now."""
    free = or_(work.c.lease_until.is_(None), work.c.lease_until <= now)
    due = select(work.c.id).where(work.c.state == State.DUE, work.c.kind.in_(kinds), work.c.due_at <= now, free)
    return session.execute(due.limit(1)).first() is not None


def exists(session: Session, key: str) -> bool:
    """Whether a row with this key was ever enqueued and not pruned since."""
    return session.execute(select(work.c.id).where(work.c.key == key)).first() is not None


def counts(session: Session) -> dict[str, int]:
    """Rows by state."""
    rows = session.execute(select(work.c.state, func.count()).group_by(work.c.state)).all()
    return dict(rows)


def overdue(session: Session, *, now: datetime) -> tuple[dict[str, int], timedelta]:
    """Rows that are due and not leased, by kind, and for how long the oldest is."""
    free = or_(work.c.lease_until.is_(None), work.c.lease_until <= now)
    due = select(work.c.kind, func.count(), func.min(work.c.due_at).label("oldest"))
    rows = session.execute(due.where(work.c.state == State.DUE, work.c.due_at <= now, free).group_by(work.c.kind)).all()
    return {row[0]: row[1] for row in rows}, max((now - row.oldest for row in rows), default=timedelta())


def overdue_kinds(session: Session, *, before: datetime) -> dict[str, int]:
    """Rows that were due before an instant and that nobody holds, by kind; a lease that ran out after it counts not."""
    held = or_(work.c.lease_until.is_(None), work.c.lease_until <= before)
    due = select(work.c.kind, func.count()).where(work.c.state == State.DUE, work.c.due_at <= before, held)
    return {row[0]: row[1] for row in session.execute(due.group_by(work.c.kind))}


def forget_done(session: Session, prefixes: Sequence[str], *, before: datetime) -> None:
    """Delete rows whose key begins with one of these and that were done before an instant: sooner than `prune`, for
    work that comes every few seconds."""
    for prefix in prefixes:
        # A range of the key's index, which LIKE is not on SQLite.
        mine = work.c.key >= prefix, work.c.key < f"{prefix}\U0010ffff"
        session.execute(delete(work).where(*mine, work.c.state == State.DONE, work.c.finished_at < before))


def prune(session: Session, *, before: datetime) -> int:
    """Delete rows that were done before `before`; failed ones stay for people to look at.

    Recurring rows that are overdue for so long belong to replicas that are gone; one that returns makes its own again.
    """
    forgotten = (work.c.state == State.DUE) & work.c.kind.startswith("recurring.") & (work.c.due_at < before)
    gone = ((work.c.state == State.DONE) & (work.c.finished_at < before)) | forgotten
    done = select(work.c.id).where(gone).limit(5_000)
    return session.execute(delete(work).where(work.c.id.in_(done))).rowcount  # type: ignore[attr-defined, no-any-return]


def _fenced(session: Session, task: Task, **values: Any) -> bool:
    changed = session.execute(
        update(work)
        .where(work.c.id == task.id, work.c.token == task.token, work.c.state == State.DUE)
        .values(**values)
        .returning(work.c.id)
    ).scalar()
    return changed is not None
