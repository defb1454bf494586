"""All SQL of changes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from watchkeeper.modules.config.model import ChangeSet, ChangeState, Step
from watchkeeper.modules.config.tables import change_keys, changes


def add(session: Session, change: ChangeSet) -> None:
    """Write a change and which keys it touches."""
    session.execute(
        insert(changes).values(
            id=change.id,
            environment=change.environment,
            state=change.state,
            operations=[[s.key, s.slot, s.before, s.after, s.version] for s in change.steps],
            reason=change.reason,
            content_hash=change.content_hash,
            due_at=change.due_at,
            proposed_by=change.proposed_by,
            proposed_at=change.proposed_at,
            source=change.source,
            decided_by=change.decided_by,
            decided_at=change.decided_at,
            note=change.note,
            reverts=change.reverts,
        )
    )
    session.execute(insert(change_keys), [{"key": key, "change_id": change.id} for key in change.keys])


def by_id(session: Session, change_id: str, *, lock: bool = False) -> ChangeSet | None:
    """The change; with `lock`, nobody else decides it until the transaction ends."""
    query = select(changes).where(changes.c.id == change_id)
    row = session.execute(query.with_for_update() if lock else query).one_or_none()
    return _change(row) if row is not None else None


def decide(
    session: Session,
    change_id: str,
    state: ChangeState,
    *,
    by: str | None,
    at: datetime,
    note: str | None = None,
    steps: Iterable[Step] | None = None,
) -> None:
    """Note what became of a change, and by whom; `steps` where what it replaces is known only now."""
    values: dict[str, Any] = {"state": state, "decided_at": at, "note": note}
    if by is not None:
        values["decided_by"] = by
    if steps is not None:
        values["operations"] = [[s.key, s.slot, s.before, s.after, s.version] for s in steps]
    session.execute(update(changes).where(changes.c.id == change_id).values(values))


def find(
    session: Session,
    *,
    limit: int,
    environment: str | None = None,
    states: Iterable[ChangeState] = (),
    key: str | None = None,
    before: tuple[datetime, str] | None = None,
) -> list[ChangeSet]:
    """Changes, newest first; `before` is the (proposed_at, id) of the last that was shown."""
    query = select(changes).order_by(changes.c.proposed_at.desc(), changes.c.id.desc()).limit(limit)
    if environment is not None:
        query = query.where(changes.c.environment == environment)
    if states := list(states):
        query = query.where(changes.c.state.in_(states))
    if key is not None:
        query = query.join(change_keys, change_keys.c.change_id == changes.c.id).where(change_keys.c.key == key)
    if before is not None:
        at, change_id = before
        older = (changes.c.proposed_at < at) | ((changes.c.proposed_at == at) & (changes.c.id < change_id))
        query = query.where(older)
    return [_change(row) for row in session.execute(query)]


def scheduled(session: Session, environment: str | None = None) -> list[ChangeSet]:
    """Changes that will be made by themselves, the next one first."""
    query = select(changes).where(changes.c.state == ChangeState.SCHEDULED).order_by(changes.c.due_at, changes.c.id)
    if environment is not None:
        query = query.where(changes.c.environment == environment)
    return [_change(row) for row in session.execute(query)]


def open_with_key(session: Session, key: str, states: Iterable[ChangeState]) -> list[ChangeSet]:
    """Changes of these states that touch a key."""
    query = select(changes).join(change_keys, change_keys.c.change_id == changes.c.id)
    rows = session.execute(query.where(change_keys.c.key == key, changes.c.state.in_(list(states))))
    return [_change(row) for row in rows]


def revert_of(session: Session, change_id: str) -> ChangeSet | None:
    """The change that undid this one, or waits to."""
    alive = (ChangeState.APPLIED, ChangeState.SCHEDULED, ChangeState.WAITING_APPROVAL)
    query = select(changes).where(changes.c.reverts == change_id, changes.c.state.in_(alive)).limit(1)
    row = session.execute(query).one_or_none()
    return _change(row) if row is not None else None


def _change(row: Any) -> ChangeSet:
    return ChangeSet(
        id=row.id,
        environment=row.environment,
        state=ChangeState(row.state),
        steps=tuple(Step(*said) for said in row.operations),
        reason=row.reason,
        content_hash=row.content_hash,
        due_at=row.due_at,
        proposed_by=row.proposed_by,
        proposed_at=row.proposed_at,
        source=row.source,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        note=row.note,
        reverts=row.reverts,
    )
