"""The verbs of action items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal, work
from watchkeeper.kernel.clock import Clock, rfc3339
from watchkeeper.kernel.errors import Complaint, PreconditionFailed
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.journal import Event
from watchkeeper.modules.notify import public as notify
from watchkeeper.modules.postmortems import store, store_actions
from watchkeeper.modules.postmortems.errors import (
    ActionInvalid,
    ActionNotFound,
    PostmortemInvalid,
    PostmortemNotFound,
    TrackerMissing,
)
from watchkeeper.modules.postmortems.events import ActionAdded, ActionChanged, IssueWanted
from watchkeeper.modules.postmortems.model import (
    LONGEST_DETAIL,
    LONGEST_TITLE,
    MOST_ACTIONS,
    ActionItem,
    ActionState,
    Issue,
    IssueState,
    Priority,
    due_problem,
    reminders,
)
from watchkeeper.modules.postmortems.service import require_active

ABOUT = "action_item"
REMIND = "postmortems.remind"
ISSUE = "postmortems.issue"
TELL = "postmortems.tell_issue"
_CHANGEABLE = ("title", "detail", "owner", "due_on", "priority", "state")


@dataclass(frozen=True, kw_only=True)
class NewAction:
    """What is to be done."""

    title: str
    detail: str = ""
    owner: str | None = None
    due_on: date | None = None
    priority: Priority = Priority.MEDIUM


@dataclass(frozen=True)
class Actions:
    """Action items, on one session."""

    session: Session
    clock: Clock

    def get(self, action_id: str, *, lock: bool = False) -> ActionItem:
        """Raises ActionNotFound."""
        found = store_actions.by_id(self.session, action_id, lock=lock)
        if found is None:
            raise ActionNotFound(f"There is no action item {action_id[:60]!r}.")
        return found

    def add(self, postmortem_id: str, order: NewAction, *, by: str, source: str) -> ActionItem:
        """Raises PostmortemNotFound or ActionInvalid: a title, an owner who is here, a day that is not over."""
        about = store.by_id(self.session, postmortem_id, lock=True)
        if about is None:
            raise PostmortemNotFound(f"There is no postmortem {postmortem_id[:60]!r}.")
        there = store_actions.listed(self.session, store_actions.ActionFilter(postmortem=about.id))
        if len(there) >= MOST_ACTIONS:
            raise ActionInvalid(f"A postmortem has at most {MOST_ACTIONS} action items: nobody does more.")
        now = self.clock.now()
        made = ActionItem(
            id=new_id("act"),
            postmortem=about.id,
            severity=about.severity,
            services=about.services,
            drill=about.drill,
            created_at=now,
            updated_at=now,
            **_checked(self.session, order.__dict__, self.clock),
        )
        store_actions.add(self.session, made)
        fact = ActionAdded(
            **_about(made), title=made.title, owner=made.owner, due_on=made.due_on, priority=made.priority.value
        )
        self._tell(fact, by=by, source=source)
        self._plan_reminders(made)
        return made

    def change(
        self, action_id: str, changes: Mapping[str, Any], *, by: str, source: str, version: int | None = None
    ) -> ActionItem:
        """Set what `changes` names of title, detail, owner, due_on, priority and state.

        `version`: the one that was read; None for a button whose meaning hangs on nothing else. Raises ActionNotFound,
        ActionInvalid or PreconditionFailed. The same again changes nothing.
        """
        held = self.get(action_id, lock=True)
        if version is not None and version != held.version:
            raise PreconditionFailed("Somebody else changed this action item meanwhile. Read it again.")
        wanted = {
            name: value for name, value in changes.items() if name in _CHANGEABLE and getattr(held, name) != value
        }
        state = ActionState(wanted.pop("state", held.state))
        checked = _checked(self.session, wanted, self.clock)
        if not checked and state is held.state:
            return held
        now = self.clock.now()
        closed_at = (held.closed_at or now) if state.is_over else None
        changed = replace(held, **checked, state=state, closed_at=closed_at, version=held.version + 1, updated_at=now)
        store_actions.put(self.session, changed)
        names = [*checked, *(["state"] if state is not held.state else [])]
        fact = ActionChanged(
            **_about(changed),
            title=changed.title,
            before={name: _plain(getattr(held, name)) for name in names if name != "detail"},
            after={name: _plain(getattr(changed, name)) if name != "detail" else "changed" for name in names},
        )
        self._tell(fact, by=by, source=source)
        self._after_change(held, changed)
        return changed

    def want_issue(self, action_id: str, *, by: str, source: str) -> ActionItem:
        """Have an issue opened: the intent is written now, and sent by due work. Harmless when repeated.

        Raises TrackerMissing, or ActionInvalid for what is over.
        """
        held = self.get(action_id, lock=True)
        if held.issue.state in (IssueState.WANTED, IssueState.OPEN, IssueState.CLOSED):
            return held
        tracker = store_actions.tracker(self.session)
        if tracker is None:
            raise TrackerMissing("Say first where issues go, at /postmortems/tracker.")
        if held.state.is_over:
            raise ActionInvalid("What is over needs no issue.")
        issue = Issue(state=IssueState.WANTED, repository=tracker.repository)
        wanted = replace(held, issue=issue, version=held.version + 1, updated_at=self.clock.now())
        store_actions.put(self.session, wanted)
        self._tell(IssueWanted(**_about(wanted), repository=tracker.repository), by=by, source=source)
        work.enqueue(
            self.session,
            kind=ISSUE,
            # Of each asking its own: one that was refused may be asked for again.
            key=f"{ISSUE}:{held.id}:{wanted.version}",
            due_at=self.clock.now(),
            payload={"action": held.id, "wanted_at": rfc3339(self.clock.now())},
        )
        return wanted

    def tell_issue(self, one: ActionItem) -> None:
        """Have the issue closed or opened again by due work, where it isn't what the item is. Harmless when repeated:
        a row for each version of the item, which looks once more before it says anything."""
        if one.issue_is_behind:
            payload = {"action": one.id}
            key = f"{TELL}:{one.id}:{one.version}"
            work.enqueue(self.session, kind=TELL, key=key, due_at=self.clock.now(), payload=payload)

    def _after_change(self, before: ActionItem, now: ActionItem) -> None:
        self.tell_issue(now)
        moved = (before.due_on, before.owner) != (now.due_on, now.owner)
        if now.state.is_over or moved:
            reason = "it is over" if now.state.is_over else "it was changed"
            notify.drop(self.session, ABOUT, now.id, at=self.clock.now(), reason=reason)
        if not now.state.is_over and (moved or before.state.is_over):
            self._plan_reminders(now)

    def _plan_reminders(self, one: ActionItem) -> None:
        """Rows of due work, in this transaction. One whose instant is over is not told: the list says it."""
        if one.due_on is None:
            return
        now = self.clock.now()
        for why, at in reminders(one.due_on).items():
            if at > now:
                payload = {"action": one.id, "due_on": one.due_on.isoformat(), "owner": one.owner, "why": why}
                key = f"{REMIND}:{one.id}:{one.due_on.isoformat()}:{one.owner or 'nobody'}:{why}"
                work.enqueue(self.session, kind=REMIND, key=key, due_at=at, payload={**payload, "at": rfc3339(at)})

    def _tell(self, fact: Event, *, by: str, source: str) -> None:
        journal.append(self.session, fact, by=by, source=source, at=self.clock.now())


def _checked(session: Session, values: Mapping[str, Any], clock: Clock) -> dict[str, Any]:
    """The same, cleaned. Raises ActionInvalid with every complaint."""
    found, complaints = dict(values), list[Complaint]()
    if "title" in found:
        found["title"] = " ".join(str(found["title"]).split())
        if not 0 < len(found["title"]) <= LONGEST_TITLE:
            complaints.append(Complaint("title", f"what is done, in 1 to {LONGEST_TITLE} characters"))
    if "detail" in found:
        found["detail"] = str(found["detail"]).replace("\r\n", "\n").strip()
        if len(found["detail"]) > LONGEST_DETAIL:
            complaints.append(Complaint("detail", f"at most {LONGEST_DETAIL:,} characters"))
    if "owner" in found:
        found["owner"] = found["owner"] or None
        if found["owner"] is not None:
            complaints += _owner_complaints(session, found["owner"])
    if found.get("due_on") is not None:
        problem = due_problem(found["due_on"], clock.now())
        complaints += [Complaint("due_on", problem)] if problem else []
    if "priority" in found:
        found["priority"] = Priority(found["priority"])
    if complaints:
        raise ActionInvalid(f"Expected {complaints[0].expected}.", complaints=complaints)
    return found


def _owner_complaints(session: Session, owner: str) -> list[Complaint]:
    try:
        require_active(session, owner, "owner")
    except PostmortemInvalid as refusal:
        return list(refusal.complaints)
    return []


def _about(one: ActionItem) -> dict[str, Any]:
    return {
        "action": one.id,
        "postmortem": one.postmortem,
        "service_name": one.services[0] if one.services else None,
    }


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
