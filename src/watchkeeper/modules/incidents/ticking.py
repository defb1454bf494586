"""What time does to incidents: warnings, a missing response, updates that are due. Each look is one transaction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.modules.incidents import store
from watchkeeper.modules.incidents.clocks import ClockKind, Mark, due_marks, respond_clock
from watchkeeper.modules.incidents.desk import SYSTEM, Desk, about_it
from watchkeeper.modules.incidents.events import ClockBreached, ClockWarned, OfIncident, UpdateDue
from watchkeeper.modules.incidents.model import Incident
from watchkeeper.modules.incidents.public import Incidenting
from watchkeeper.modules.incidents.reaching import remind, warn
from watchkeeper.modules.incidents.store import IncidentFilter

_MOST = 1_000


@dataclass(frozen=True)
class Ticking:
    """Looks at the clocks of incidents; harmless when it is early, late or repeated."""

    clock: Clock
    incidenting: Incidenting

    def look(self, session: Session, incident_id: str, at: datetime | None = None) -> None:
        """Tell whatever is to be told of its clocks by now, or by `at` if that is later: the database's clock, by which
        work is due, may be ahead of this machine's."""
        incidenting = self.incidenting
        desk = Desk(session, self.clock, incidenting.settings, incidenting.alerting, SYSTEM, "worker")
        if store.find(session, incident_id) is None:
            return
        one = desk.load(incident_id)
        due = due_marks(one, incidenting.settings.targets, max(desk.now, at or desk.now))
        if not due:
            desk.order_clocks(one)
            return
        facts: list[OfIncident] = [_fact(one, mark, self.incidenting) for mark in due]
        after = replace(one, told=(*one.told, *(mark.key for mark in due)))
        after = self._act(desk, after, due)
        desk.save(after, *facts)

    def look_at_all(self, session: Session) -> None:
        """Every open one, should a row of due work be missing."""
        for one in store.listed(session, IncidentFilter(open=True, drills=None), limit=_MOST):
            if due_marks(one, self.incidenting.settings.targets, self.clock.now()):
                self.look(session, one.id)

    def _act(self, desk: Desk, one: Incident, due: tuple[Mark, ...]) -> Incident:
        # After a while of not running several marks are due at once: people hear of the last one only.
        respond = [mark for mark in due if mark.clock is ClockKind.RESPOND]
        if respond and respond[-1].share >= 100:
            desk.note(one, "Nobody responded in time: whoever comes next is called")
            one = desk.breached(one)
        elif respond:
            warn(desk, one, respond[-1], self.incidenting.base_url)
        reminders = [mark for mark in due if mark.clock is ClockKind.UPDATE]
        if reminders:
            remind(desk, one, reminders[-1], self.incidenting.base_url)
        return one


def _fact(one: Incident, mark: Mark, incidenting: Incidenting) -> OfIncident:
    if mark.clock is ClockKind.UPDATE:
        return UpdateDue(**about_it(one), since=one.last_update_at or one.clocks_from)
    clock = respond_clock(one, incidenting.settings.targets)
    due_at = clock.due_at if clock is not None else mark.at
    if mark.share >= 100:
        return ClockBreached(**about_it(one), clock=mark.clock.value, due_at=due_at)
    return ClockWarned(**about_it(one), clock=mark.clock.value, share=mark.share, due_at=due_at)
