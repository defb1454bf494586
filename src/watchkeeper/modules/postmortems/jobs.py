"""Due work of postmortems: drafts, reminders, issues."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.work import Handler, Recurring, Task, Transactional
from watchkeeper.modules.incidents import public as incidents
from watchkeeper.modules.postmortems import store
from watchkeeper.modules.postmortems.actions import ISSUE, REMIND, TELL
from watchkeeper.modules.postmortems.drafting import Story
from watchkeeper.modules.postmortems.gathering import Gatherer
from watchkeeper.modules.postmortems.issues import OpenIssue, ReadBack
from watchkeeper.modules.postmortems.listeners import DRAFT
from watchkeeper.modules.postmortems.model import Need, need_of
from watchkeeper.modules.postmortems.reminding import Reminding
from watchkeeper.modules.postmortems.service import BY, DUE, Postmortems
from watchkeeper.modules.postmortems.settings import PostmortemSettings
from watchkeeper.modules.postmortems.telling import TellIssue

_LOOK_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class Draft:
    """A work Handler: reads the story outside of the transaction that writes the draft."""

    db: Database
    clock: Clock
    gatherer: Gatherer
    settings: PostmortemSettings

    def act(self, task: Task) -> Story | None:
        """None where nothing is wanted: a small one, a merged one, one that is open and has no postmortem yet."""
        with self.db.read() as session:
            found = incidents.incident(session, str(task.payload["incident"]))
            if found is None or found.merged_into is not None:
                return None
            if store.of_incident(session, found.id) is None:
                required = need_of(found.severity.value) is Need.REQUIRED
                wanted = required and found.resolved_at is not None
                if not wanted or (found.drill and not self.settings.draft_drills):
                    return None
            return self.gatherer.story(session, found.id, self.clock.now())

    def finish(self, session: Session, task: Task, result: Story | None) -> None:  # noqa: ARG002
        """Made, or read again; the same story twice changes nothing."""
        if result is not None:
            Postmortems(session, self.clock, self.settings).draft(result, by=BY, source="worker")


def handlers(draft: Draft, reminding: Reminding, opening: OpenIssue, telling: TellIssue) -> Mapping[str, Handler]:
    """By kind of work."""
    return {
        DRAFT: draft,
        DUE: Transactional(reminding.of_postmortem),
        REMIND: Transactional(reminding.of_action),
        ISSUE: opening,
        TELL: telling,
    }


def recurring(reading: ReadBack) -> list[Recurring]:
    """A look at the issues whose time it is."""
    return [Recurring("postmortems.read_back", _LOOK_EVERY, reading)]
