"""The verbs of runbooks as files: put, remove, approve."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import Forbidden
from watchkeeper.kernel.web.access import Actor
from watchkeeper.modules.catalog import public as catalog
from watchkeeper.modules.runbooks import store
from watchkeeper.modules.runbooks.errors import RevisionDiffers, RunbookNotFound
from watchkeeper.modules.runbooks.events import RunbookApproved, RunbookChanged
from watchkeeper.modules.runbooks.model import Content, How, Runbook
from watchkeeper.modules.runbooks.permissions import APPROVE_RUNBOOKS


@dataclass(frozen=True)
class Runbooks:
    """Runbooks, on one session."""

    session: Session
    clock: Clock

    def runbook(self, name: str) -> Runbook:
        """Raises RunbookNotFound."""
        found = store.by_name(self.session, name)
        if found is None:
            raise RunbookNotFound(f"There is no runbook {name[:100]!r}.")
        return found

    def put(self, content: Content, *, by: str, source: str) -> None:
        """Keep what a file says; one that is kept so already changes nothing. Its steps wait to be signed off."""
        before = store.revision(self.session, content.name, lock=True)
        if before == content.revision:
            return
        store.put(self.session, content, by=by, at=self.clock.now())
        fact = RunbookChanged(
            runbook=content.name,
            title=content.title,
            service_name=content.service,
            before=before,
            after=content.revision,
        )
        journal.append(self.session, fact, by=by, source=source, at=self.clock.now())

    def remove(self, name: str, *, by: str, source: str) -> None:
        """No file says it any more. Runs of it stay. Raises RunbookNotFound."""
        held = self.runbook(name)
        store.remove(self.session, name)
        fact = RunbookChanged(
            runbook=name, title=held.title, service_name=held.service, before=held.revision, after=None
        )
        journal.append(self.session, fact, by=by, source=source, at=self.clock.now())

    def approve(self, name: str, revision: str, *, by: Actor, source: str) -> Runbook:
        """Sign a revision off, so that its steps may run; harmless when repeated.

        `revision` is what the approver looked at. Raises RevisionDiffers when the file is another by now, and Forbidden
        for somebody who may not, or is not of the team that the service belongs to.
        """
        if not by.may(APPROVE_RUNBOOKS):
            raise Forbidden(f"{by.name} may not sign runbooks off.")
        kept = store.revision(self.session, name, lock=True)
        held = self.runbook(name)
        if kept != revision:
            raise RevisionDiffers("The runbook was changed since you read it. Read it again, then sign it off.")
        service = catalog.service(self.session, held.service) if held.service else None
        catalog.require_own(self.session, by, service.about.owner if service else None)
        if store.approve(self.session, name, revision, by=by.id, at=self.clock.now()):
            automatic = sum(step.how is not How.MANUAL for step in held.steps)
            fact = RunbookApproved(
                runbook=name, title=held.title, service_name=held.service, revision=revision, steps=automatic
            )
            journal.append(self.session, fact, by=by.id, source=source, at=self.clock.now())
        return self.runbook(name)
