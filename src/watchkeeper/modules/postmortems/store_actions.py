"""All SQL of action items and of where their issues go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, case, insert, or_, select, update
from sqlalchemy.orm import Session

from watchkeeper.kernel.db.upsert import insert_for
from watchkeeper.modules.postmortems.model import ActionItem, ActionState, Issue, IssueState, Priority
from watchkeeper.modules.postmortems.tables import actions, trackers

_PLAIN = (
    "id",
    "postmortem",
    "severity",
    "drill",
    "title",
    "detail",
    "owner",
    "due_on",
    "version",
    "created_at",
    "updated_at",
    "closed_at",
)
_ISSUE = ("repository", "number", "url", "problem", "synced_at")
_OPEN = (ActionState.OPEN.value, ActionState.IN_PROGRESS.value)
# What is due first comes first, and what is due never comes last: the two engines disagree about NULL.
_DUE_FIRST = (case((actions.c.due_on.is_(None), 1), else_=0), actions.c.due_on, actions.c.created_at, actions.c.id)


@dataclass(frozen=True, kw_only=True)
class ActionFilter:
    """Which action items; an empty field asks for all. `due_before`: those whose day is before this one."""

    postmortem: str | None = None
    owner: str | None = None
    service: str | None = None
    open_only: bool = False
    severities: tuple[str, ...] = ()
    due_before: date | None = None
    drills: bool | None = None


def add(session: Session, one: ActionItem) -> None:
    session.execute(insert(actions).values(_row(one)))


def put(session: Session, one: ActionItem) -> None:
    """All of an item as it is now."""
    session.execute(update(actions).where(actions.c.id == one.id).values(_row(one)))


def by_id(session: Session, action_id: str, *, lock: bool = False) -> ActionItem | None:
    asked = select(actions).where(actions.c.id == action_id)
    row = session.execute(asked.with_for_update() if lock else asked).one_or_none()
    return None if row is None else _action(row)


def listed(session: Session, wanted: ActionFilter, *, limit: int = 1_000) -> list[ActionItem]:
    """What is due first comes first."""
    asked = select(actions).where(*_conditions(wanted)).order_by(*_DUE_FIRST)
    # Services are a list in one column, which the two engines search differently: there are few enough to look at.
    asked = asked if wanted.service is not None else asked.limit(limit)
    found = [_action(row) for row in session.execute(asked)]
    return [one for one in found if wanted.service is None or wanted.service in one.services][:limit]


def with_issue(session: Session, *states: IssueState, limit: int = 500) -> list[ActionItem]:
    """Whose issue is in one of these states, those that were not looked at for the longest first."""
    never_first = (case((actions.c.issue_synced_at.is_(None), 0), else_=1), actions.c.issue_synced_at, actions.c.id)
    asked = select(actions).where(actions.c.issue_state.in_([one.value for one in states]))
    return [_action(row) for row in session.execute(asked.order_by(*never_first).limit(limit))]


@dataclass(frozen=True, kw_only=True)
class Tracker:
    """Where issues go. The token is sealed."""

    api_url: str
    repository: str
    token_sealed: str
    updated_at: datetime
    updated_by: str


_GITHUB = "github"


def tracker(session: Session) -> Tracker | None:
    row = session.execute(select(trackers).where(trackers.c.id == _GITHUB)).one_or_none()
    return None if row is None else Tracker(**{name: getattr(row, name) for name in Tracker.__dataclass_fields__})


def put_tracker(session: Session, one: Tracker) -> None:
    values = {name: getattr(one, name) for name in Tracker.__dataclass_fields__}
    statement = insert_for(session, trackers).values(id=_GITHUB, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))


def forget_tracker(session: Session) -> None:
    session.execute(trackers.delete().where(trackers.c.id == _GITHUB))


def _conditions(wanted: ActionFilter) -> Iterable[ColumnElement[bool]]:
    if wanted.postmortem is not None:
        yield actions.c.postmortem == wanted.postmortem
    if wanted.owner is not None:
        yield actions.c.owner == wanted.owner
    if wanted.open_only or wanted.due_before is not None:
        yield actions.c.state.in_(_OPEN)
    if wanted.due_before is not None:
        yield actions.c.due_on < wanted.due_before
    if wanted.severities:
        yield or_(*(actions.c.severity == one for one in wanted.severities))
    if wanted.drills is not None:
        yield actions.c.drill.is_(wanted.drills)


def _row(one: ActionItem) -> dict[str, Any]:
    issue = {f"issue_{name}": getattr(one.issue, name) for name in _ISSUE}
    return {
        **{name: getattr(one, name) for name in _PLAIN},
        "services": list(one.services),
        "priority": one.priority.value,
        "state": one.state.value,
        "issue_state": one.issue.state.value,
        **issue,
    }


def _action(row: Row[Any]) -> ActionItem:
    return ActionItem(
        **{name: getattr(row, name) for name in _PLAIN},
        services=tuple(row.services),
        priority=Priority(row.priority),
        state=ActionState(row.state),
        issue=Issue(state=IssueState(row.issue_state), **{name: getattr(row, f"issue_{name}") for name in _ISSUE}),
    )
