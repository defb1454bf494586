"""All SQL of recovery."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from watchkeeper.kernel.db.upsert import insert_for
from watchkeeper.modules.recovery.described import RecoveryRule
from watchkeeper.modules.recovery.model import Attempt, AttemptState, Breaker, Mode, Rule
from watchkeeper.modules.recovery.tables import attempts, rules

_OPEN = tuple(one.value for one in AttemptState if not one.is_over)


@dataclass(frozen=True)
class Held:
    """A rule as it is kept. `content` is what files said."""

    rule: Rule
    content: Mapping[str, Any]
    armed: bool
    breaker: Breaker
    rehearsed_at: datetime | None
    rehearsed_state: str
    rehearsal_run: str | None
    updated_at: datetime


def all_rules(session: Session) -> list[Held]:
    """By name."""
    return [_held(row) for row in session.execute(select(rules).order_by(rules.c.name))]


def rule(session: Session, name: str, *, lock: bool = False) -> Held | None:
    """The rule of this name."""
    query = select(rules).where(rules.c.name == name)
    row = session.execute(query.with_for_update() if lock else query).one_or_none()
    return _held(row) if row is not None else None


def put(session: Session, name: str, content: Mapping[str, Any], *, by: str, at: datetime) -> None:
    """What files say; in dry run, with its breaker as it was."""
    values = {"content": dict(content), "mode": Mode.DRY_RUN.value, "updated_at": at, "updated_by": by}
    fresh = {"name": name, "armed": True, "breaker_reason": "", "rehearsed_state": "", **values}
    statement = insert_for(session, rules).values(fresh)
    session.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))


def save(session: Session, name: str, **columns: Any) -> None:
    """Change columns of a rule."""
    session.execute(update(rules).where(rules.c.name == name).values(**columns))


def remove(session: Session, name: str) -> None:
    """Its attempts stay: they happened."""
    session.execute(delete(rules).where(rules.c.name == name))


def add_attempt(session: Session, one: Attempt) -> bool:
    """False when another attempt works on the service already."""
    statement = insert_for(session, attempts).values(_columns(one)).on_conflict_do_nothing(index_elements=["busy_key"])
    return session.execute(statement.returning(attempts.c.id)).first() is not None


def save_attempt(session: Session, one: Attempt) -> None:
    session.execute(update(attempts).where(attempts.c.id == one.id).values(_columns(one)))


def attempt(session: Session, attempt_id: str, *, lock: bool = False) -> Attempt | None:
    query = select(attempts).where(attempts.c.id == attempt_id)
    row = session.execute(query.with_for_update() if lock else query).one_or_none()
    return _attempt(row) if row is not None else None


def attempt_of_run(session: Session, run_id: str) -> Attempt | None:
    row = session.execute(select(attempts).where(attempts.c.run_id == run_id)).one_or_none()
    return _attempt(row) if row is not None else None


def attempts_of(session: Session, rule: str | None = None, *, limit: int = 50) -> list[Attempt]:
    """Of a rule, or of all; the newest first."""
    query = select(attempts).order_by(attempts.c.started_at.desc(), attempts.c.id).limit(limit)
    if rule is not None:
        query = query.where(attempts.c.rule == rule)
    return [_attempt(row) for row in session.execute(query)]


def since(session: Session, rule: str, at: datetime) -> list[Attempt]:
    """Attempts of a rule that began or ended since then."""
    late = (attempts.c.started_at >= at) | (attempts.c.finished_at >= at) | attempts.c.finished_at.is_(None)
    return [_attempt(row) for row in session.execute(select(attempts).where(attempts.c.rule == rule, late))]


def going_on(session: Session) -> list[Attempt]:
    """Every attempt that is not over."""
    return [_attempt(row) for row in session.execute(select(attempts).where(attempts.c.state.in_(_OPEN)))]


def forget(session: Session, *, before: datetime) -> None:
    """Delete attempts that were over before an instant."""
    session.execute(delete(attempts).where(attempts.c.finished_at < before))


def _columns(one: Attempt) -> dict[str, Any]:
    return {
        "id": one.id,
        "rule": one.rule,
        "service": one.service,
        "group_id": one.group,
        "state": one.state.value,
        "mode": one.mode.value,
        "run_id": one.run,
        "busy_key": one.id if one.state.is_over else f"service:{one.service}",
        "started_at": one.started_at,
        "acted_at": one.acted_at,
        "due_at": one.due_at,
        "finished_at": one.finished_at,
        "detail": one.detail[:2_000],
        "approved_by": one.approved_by,
    }


def _attempt(row: Any) -> Attempt:
    return Attempt(
        id=row.id,
        rule=row.rule,
        service=row.service,
        group=row.group_id,
        state=AttemptState(row.state),
        mode=Mode(row.mode),
        started_at=row.started_at,
        run=row.run_id,
        acted_at=row.acted_at,
        due_at=row.due_at,
        finished_at=row.finished_at,
        detail=row.detail,
        approved_by=row.approved_by,
    )


def _held(row: Any) -> Held:
    return Held(
        rule=RecoveryRule.model_validate(row.content).rule(Mode(row.mode)),
        content=row.content,
        armed=row.armed,
        breaker=Breaker(row.breaker_opened_at, row.breaker_reason),
        rehearsed_at=row.rehearsed_at,
        rehearsed_state=row.rehearsed_state,
        rehearsal_run=row.rehearsal_run,
        updated_at=row.updated_at,
    )
