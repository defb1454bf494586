"""Undoing something from an incident's story: it, its fact and a line on the record are true together, or none is."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import Complaint, Conflict, Forbidden, Invalid, NotFound, Refusal
from watchkeeper.kernel.web.access import Actor
from watchkeeper.modules.alerts.public import FactLinks
from watchkeeper.modules.incidents import store
from watchkeeper.modules.incidents.desk import about_it
from watchkeeper.modules.incidents.errors import IncidentInvalid, IncidentNotFound
from watchkeeper.modules.incidents.model import Incident, LinkKind
from watchkeeper.modules.incidents.public import Incidenting
from watchkeeper.modules.incidents.story.events import Undone
from watchkeeper.modules.incidents.story.model import Story, Undo, UndoKind
from watchkeeper.modules.incidents.story.telling import story_of
from watchkeeper.modules.runbooks.public import Actions, Asking, Running, WaitsFor
from watchkeeper.modules.slo.public import Engine

_LONGEST_REASON = 400


class NothingToUndo(NotFound):
    code = "incidents.nothing_to_undo"
    title = "There is nothing to undo"


class UndoNotConfirmed(Invalid):
    code = "incidents.undo_not_confirmed"
    title = "It is not confirmed"


@dataclass(frozen=True)
class Done:
    """What came of it, and the page about that."""

    outcome: str
    text: str
    href: str


@dataclass(frozen=True)
class Stories:
    """Stories and undoing, for whoever has a session: a part of the server."""

    incidenting: Incidenting
    links: FactLinks
    actions: Actions
    running: Running
    engine: Engine | None = None

    def story(self, session: Session, clock: Clock, incident_id: str) -> Story:
        """Raises IncidentNotFound."""
        return story_of(session, _incident(session, incident_id), self.links, now=clock.now(), engine=self.engine)

    def undo(
        self,
        session: Session,
        clock: Clock,
        incident_id: str,
        mark: str,
        *,
        reason: str,
        confirmed: bool,
        who: Actor,
        source: str,
    ) -> Done:
        """Undo what the fact of this mark tells of, with the permissions of `who` and no others.

        Raises IncidentNotFound, NothingToUndo (also when it was undone meanwhile), UndoNotConfirmed, Forbidden, and
        whatever the verb refuses.
        """
        journal.take_turn(session)
        story = self.story(session, clock, incident_id)
        undo = story.undo_of(mark)
        if undo is None:
            raise NothingToUndo("It was undone already, or nothing can undo it.")
        if not who.may(undo.permission):
            raise Forbidden(
                f"{who.name} lacks the scope '{undo.permission.scope}', which {undo.label.lower()!r} needs."
            )
        _require_meant(reason, confirmed)
        incident = story.incident
        why = f"{reason.strip()[:_LONGEST_REASON]} ({incident.name})"
        done, result, link = self._carry_out(session, clock, incident, undo, why, who, source)
        fact = Undone(
            **about_it(incident), undo=undo.kind.value, target=undo.target, outcome=done.outcome, result=result
        )
        journal.append(session, fact, by=who.id, source=source, at=clock.now())
        verbs = self.incidenting.on(session, clock)
        verbs.note(incident.id, f"{undo.label}: {done.text} {reason.strip()}", by=who.id, source=source)
        if result:
            verbs.link(incident.id, link, result, by=who.id, source=source, label=done.text[:300])
        undone = next((one for one in story.changes if one.mark == mark), None)
        if undone is not None and undone.kind is not None:
            # Whoever undoes it says that it belongs to this; what can't be tied is undone all the same.
            with suppress(IncidentInvalid):
                verbs.link(incident.id, undone.kind, undone.target, by=who.id, source=source)
        return done

    def refused(
        self, session: Session, clock: Clock, incident_id: str, mark: str, refusal: Refusal, *, who: Actor, source: str
    ) -> None:
        """Put on record that it was tried: whoever comes next need not try it again."""
        story = self.story(session, clock, incident_id)
        undo = story.undo_of(mark)
        if undo is None:
            return
        fact = Undone(**about_it(story.incident), undo=undo.kind.value, target=undo.target, outcome="refused")
        journal.append(session, fact, by=who.id, source=source, at=clock.now())
        text = f"{undo.label} ({undo.target}) was refused: {refusal.detail}"
        self.incidenting.on(session, clock).note(story.incident.id, text, by=who.id, source=source)

    def _carry_out(
        self, session: Session, clock: Clock, incident: Incident, undo: Undo, why: str, who: Actor, source: str
    ) -> tuple[Done, str, LinkKind]:
        about = ("incident", incident.id)
        if undo.kind is UndoKind.RUN_RUNBOOK:
            runs = self.running.on(session, clock)
            run = runs.start(undo.target, undo.steps, {}, by=who.id, source=source, about=about, reason=why)
            # Whoever said yes to the undo has said yes to what it begins with; a second person is asked all the same.
            if run.steps[0].waits_for is WaitsFor.CONFIRMATION:
                runs.confirm(run.id, run.steps[0].number, by=who.id, source=source)
            text = f"A run of {run.title} was started."
            return Done("begun", text, f"/runs/{run.id}"), run.id, LinkKind.RUNBOOK_RUN
        name, field = _ACTIONS[undo.kind]
        action = self.actions.find(name)
        if action is None:
            raise NothingToUndo(f"This server can't {name.replace('-', ' ')}.")
        if not who.may(action.permission):
            raise Forbidden(f"{who.name} lacks the scope '{action.permission.scope}'.")
        asking = Asking(session, clock, who, why, incident.id, incident.service, about)
        outcome = action.run(asking, {field: undo.target})
        href = outcome.href or undo.href
        made = href.rpartition("/")[2] if undo.kind is UndoKind.REVERT_CHANGE else ""
        return Done("done", outcome.text, href), made, LinkKind.CHANGE


_ACTIONS = {UndoKind.REVERT_CHANGE: ("revert-change", "change"), UndoKind.END_SILENCE: ("end-silence", "silence")}
# Refusals that are worth a line on the record: the undo could not be, whoever tries it.
TELLING = (Conflict, Invalid)


def _incident(session: Session, incident_id: str) -> Incident:
    found = store.find(session, incident_id)
    if found is None:
        raise IncidentNotFound(f"There is no incident {incident_id[:100]}.")
    return found


def _require_meant(reason: str, confirmed: bool) -> None:
    complaints = []
    if not reason.strip():
        complaints.append(Complaint("reason", "why; it stands on the record"))
    if not confirmed:
        complaints.append(Complaint("confirm", "yes: undoing changes what runs"))
    if complaints:
        raise UndoNotConfirmed("Nothing was undone.", complaints=complaints)
