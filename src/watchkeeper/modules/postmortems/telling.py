"""What people decide here, told to the issue: it is closed when its action item is over, and opened again with it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal, work
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.work import Task
from watchkeeper.modules.postmortems import store_actions
from watchkeeper.modules.postmortems.actions import TELL, Actions
from watchkeeper.modules.postmortems.events import IssueStateRefused, IssueStateTold
from watchkeeper.modules.postmortems.github import GitHub, RefusedByTracker, TrackerAway
from watchkeeper.modules.postmortems.issues import MOST_TRIES, about, pause_after, put
from watchkeeper.modules.postmortems.model import ActionItem, IssueState
from watchkeeper.modules.postmortems.service import BY
from watchkeeper.modules.postmortems.wire_github import IssueSaid

_SOURCE = "worker"


@dataclass(frozen=True)
class Told:
    """How a try ended. `issue` None: nothing was to be told, or it could not be, because of `problem`."""

    issue: IssueSaid | None = None
    problem: str = ""
    later: bool = False
    retry_after: int | None = None


@dataclass(frozen=True)
class TellIssue:
    """A work Handler. To set a state twice is harmless: a lost answer costs another request."""

    db: Database
    clock: Clock
    github: GitHub

    def act(self, task: Task) -> Told:
        """Ask GitHub, unless the issue is by now what the item is."""
        with self.db.read() as session:
            action = store_actions.by_id(session, str(task.payload["action"]))
            tracker = store_actions.tracker(session)
        if action is None or not action.issue_is_behind:
            return Told()
        if tracker is None:
            return Told(problem="nobody says any more where issues go")
        try:
            return Told(self.github.set_state(tracker, action))
        except RefusedByTracker as refused:
            return Told(problem=str(refused))
        except TrackerAway as away:
            return Told(problem=str(away), later=True, retry_after=away.retry_after)

    def finish(self, session: Session, task: Task, result: Told) -> None:
        """Record it; a try that comes to nothing is followed by another, in the same transaction."""
        verbs = Actions(session, self.clock)
        action = store_actions.by_id(session, str(task.payload["action"]), lock=True)
        if action is None or action.issue.number is None:
            return
        if result.issue is not None:
            self._told(session, action, result.issue)
            # Whoever changed their mind while GitHub was asked is heard, too.
            verbs.tell_issue(verbs.get(action.id))
        elif result.problem:
            self._failed(session, task, action, result)

    def _told(self, session: Session, action: ActionItem, said: IssueSaid) -> None:
        now, state = self.clock.now(), IssueState.CLOSED if said.is_closed else IssueState.OPEN
        put(session, action, now, state=state)
        if state is action.issue.state:
            return
        fact = IssueStateTold(
            **about(action), repository=action.issue.repository, number=said.number, state=state.value
        )
        journal.append(session, fact, by=BY, source=_SOURCE, at=now)

    def _failed(self, session: Session, task: Task, action: ActionItem, result: Told) -> None:
        now, tries = self.clock.now(), int(task.payload.get("tries", 0)) + 1
        if result.later and tries < MOST_TRIES:
            put(session, action, now, problem=f"{result.problem}; tried {tries} times, and again soon")
            work.enqueue(
                session,
                kind=TELL,
                key=f"{task.key.partition('#')[0]}#{tries}",
                due_at=now + pause_after(tries, result.retry_after),
                payload={"action": action.id, "tries": tries},
            )
            return
        put(session, action, now, problem=result.problem)
        fact = IssueStateRefused(
            **about(action),
            repository=action.issue.repository,
            number=action.issue.number or 0,
            problem=result.problem,
        )
        journal.append(session, fact, by=BY, source=_SOURCE, at=now)
