"""Action items as issues: due work that opens them, and that reads back whether they were closed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal, work
from watchkeeper.kernel.clock import Clock, parse_rfc3339, rfc3339
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.journal import Event
from watchkeeper.kernel.work import Task
from watchkeeper.modules.postmortems import store_actions
from watchkeeper.modules.postmortems.actions import ISSUE, Actions
from watchkeeper.modules.postmortems.events import IssueCreated, IssueRefused, IssueStateRead
from watchkeeper.modules.postmortems.github import GitHub, RefusedByTracker, TrackerAway
from watchkeeper.modules.postmortems.model import ActionItem, ActionState, IssueState
from watchkeeper.modules.postmortems.service import BY
from watchkeeper.modules.postmortems.settings import PostmortemSettings
from watchkeeper.modules.postmortems.wire_github import IssueSaid

# After so many tries, which takes about two days, somebody has to look.
MOST_TRIES = 50
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)
_AT_ONCE = 60
_SOURCE = "worker"


@dataclass(frozen=True)
class Opened:
    """How a try ended. `issue` None: it did not, because of `problem`; `later` says whether it is tried again."""

    issue: IssueSaid | None = None
    found: bool = False
    problem: str = ""
    later: bool = False
    retry_after: int | None = None


@dataclass(frozen=True)
class OpenIssue:
    """A work Handler. Before it opens an issue it looks for the one that an earlier try may have opened: a process
    that died after it asked, and an answer that never came, leave one issue and not two."""

    db: Database
    clock: Clock
    github: GitHub
    base_url: str

    def act(self, task: Task) -> Opened:
        """Ask GitHub."""
        with self.db.read() as session:
            action = store_actions.by_id(session, str(task.payload["action"]))
            tracker = store_actions.tracker(session)
        if action is None or action.issue.state is not IssueState.WANTED:
            return Opened()
        if tracker is None:
            return Opened(problem="nobody says any more where issues go")
        tracker = replace(tracker, repository=action.issue.repository)
        try:
            there = self.github.find(tracker, action, _wanted_at(task, action))
            if there is not None:
                return Opened(there, found=True)
            return Opened(self.github.open(tracker, action, f"{self.base_url}/postmortems/{action.postmortem}"))
        except RefusedByTracker as refused:
            return Opened(problem=str(refused))
        except TrackerAway as away:
            return Opened(problem=str(away), later=True, retry_after=away.retry_after)

    def finish(self, session: Session, task: Task, result: Opened) -> None:
        """Record it; a try that comes to nothing is followed by another, in the same transaction."""
        action = store_actions.by_id(session, str(task.payload["action"]), lock=True)
        if action is None or action.issue.state is not IssueState.WANTED:
            return
        now, tries = self.clock.now(), int(task.payload.get("tries", 0)) + 1
        if result.issue is not None:
            put(session, action, now, state=IssueState.OPEN, number=result.issue.number, url=_shown(result.issue))
            fact: Event = IssueCreated(
                **about(action),
                repository=action.issue.repository,
                number=result.issue.number,
                found=result.found,
            )
            journal.append(session, fact, by=BY, source=_SOURCE, at=now)
            # Somebody may have finished the item while its issue was on its way.
            verbs = Actions(session, self.clock)
            verbs.tell_issue(verbs.get(action.id))
            return
        if result.later and tries < MOST_TRIES:
            put(session, action, now, problem=f"{result.problem}; tried {tries} times, and again soon")
            wait = pause_after(tries, result.retry_after)
            work.enqueue(
                session,
                kind=ISSUE,
                key=f"{ISSUE}:{action.id}:{action.version}:{tries}",
                due_at=now + wait,
                payload={
                    "action": action.id,
                    "tries": tries,
                    "wanted_at": rfc3339(_wanted_at(task, action)),
                },
            )
            return
        problem = result.problem or "it could not be asked for"
        put(session, action, now, state=IssueState.REFUSED, problem=problem)
        fact = IssueRefused(**about(action), repository=action.issue.repository, problem=problem)
        journal.append(session, fact, by=BY, source=_SOURCE, at=now)


@dataclass(frozen=True)
class Looked:
    """What a look that began `at` found, by action item: the issue, or why it could not be read."""

    at: datetime
    said: dict[str, IssueSaid | str] = field(default_factory=dict)


@dataclass(frozen=True)
class ReadBack:
    """A work Handler: what became of the issues. One that was closed closes its action item; one that was opened again
    opens the item that it had closed. A person's word here is never overruled by an issue that merely stays open."""

    db: Database
    clock: Clock
    github: GitHub
    settings: PostmortemSettings
    # Since when GitHub wants to be left alone, in this process; a restart costs one request.
    quiet_until: dict[str, datetime] = field(default_factory=dict)

    def act(self, task: Task) -> Looked:  # noqa: ARG002
        """Those whose time it is: the setting counts from now on, not from the next start."""
        now = self.clock.now()
        looked, pause = Looked(now), timedelta(minutes=self.settings.read_back_minutes)
        with self.db.read() as session:
            tracker = store_actions.tracker(session)
            known = store_actions.with_issue(session, IssueState.OPEN, IssueState.CLOSED, limit=_AT_ONCE)
        if tracker is None or now < self.quiet_until.get(tracker.api_url, now):
            return looked
        for one in known:
            if one.issue.synced_at is not None and one.issue.synced_at > now - pause:
                continue
            try:
                looked.said[one.id] = self.github.read(tracker, one.issue.repository, one.issue.number or 0)
            except RefusedByTracker as refused:
                looked.said[one.id] = str(refused)
            except TrackerAway as away:
                self.quiet_until[tracker.api_url] = now + max(pause, timedelta(seconds=away.retry_after or 0))
                break
        return looked

    def finish(self, session: Session, task: Task, result: Looked) -> None:  # noqa: ARG002
        """Record it. What was told to an issue since it was looked at is newer than the look."""
        for action_id, said in result.said.items():
            action = store_actions.by_id(session, action_id, lock=True)
            if action is None or action.issue.number is None:
                continue
            if action.issue.synced_at is not None and action.issue.synced_at > result.at:
                continue
            now = self.clock.now()
            if isinstance(said, str):
                put(session, action, now, problem=said)
            else:
                self._noted(session, action, said, now)

    def _noted(self, session: Session, action: ActionItem, said: IssueSaid, now: datetime) -> None:
        state = IssueState.CLOSED if said.is_closed else IssueState.OPEN
        put(session, action, now, state=state)
        if state is action.issue.state:
            return
        fact = IssueStateRead(
            **about(action), repository=action.issue.repository, number=said.number, state=state.value
        )
        journal.append(session, fact, by=BY, source=_SOURCE, at=now)
        wanted = ActionState.OPEN
        if said.is_closed:
            wanted = ActionState.DONE if said.state_reason in (None, "completed") else ActionState.DROPPED
        if wanted.is_over != action.state.is_over:
            Actions(session, self.clock).change(action.id, {"state": wanted}, by=BY, source=_SOURCE)


def put(session: Session, action: ActionItem, now: datetime, **issue: Any) -> None:
    """What is known of the issue. The item's version stays: what people edit did not change."""
    problem = str(issue.pop("problem", ""))[:500]
    store_actions.put(session, replace(action, issue=replace(action.issue, synced_at=now, problem=problem, **issue)))


def _wanted_at(task: Task, action: ActionItem) -> datetime:
    """When the issue was first asked for: none of ours is older."""
    said = task.payload.get("wanted_at")
    return parse_rfc3339(str(said)) if said else action.created_at


def _shown(said: IssueSaid) -> str:
    return said.html_url if said.html_url.startswith("https://") else ""


def pause_after(tries: int, asked: int | None) -> timedelta:
    """How long a tracker that is away is left alone: longer each time, and as long as it asked for."""
    doubled: int = 2 ** min(tries - 1, 10)
    grown = min(_FIRST_PAUSE * doubled, _LONGEST_PAUSE)
    return max(grown, timedelta(seconds=min(asked or 0, 86_400)))


def about(one: ActionItem) -> dict[str, Any]:
    return {
        "action": one.id,
        "postmortem": one.postmortem,
        "service_name": one.services[0] if one.services else None,
    }
