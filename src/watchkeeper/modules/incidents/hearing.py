"""What incidents make of facts about alert groups and runs. Told twice, they are harmless the second time."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock, ManualClock
from watchkeeper.kernel.journal import Fact
from watchkeeper.kernel.journal.listeners import Listener
from watchkeeper.modules.alerts import events
from watchkeeper.modules.alerts import public as alerts
from watchkeeper.modules.alerts.public import GroupState
from watchkeeper.modules.incidents import store, store_records
from watchkeeper.modules.incidents.desk import SYSTEM, Desk
from watchkeeper.modules.incidents.groups import groups_of, is_drill, is_own, open_for, title_of
from watchkeeper.modules.incidents.model import Incident, LinkKind
from watchkeeper.modules.incidents.public import Incidenting
from watchkeeper.modules.incidents.reaching import suggest
from watchkeeper.modules.incidents.rules import Chosen, chosen_for
from watchkeeper.modules.incidents.store import IncidentFilter
from watchkeeper.modules.runbooks.events import RunStarted
from watchkeeper.modules.runbooks.public import run_of

SOURCE = "listener"
_OPENS = (
    events.GroupOpened.kind,
    events.GroupReopened.kind,
    events.GroupEscalatedSeverity.kind,
    events.GroupUnsuppressed.kind,
)


def listeners(incidenting: Incidenting, clock: Clock) -> tuple[Listener, ...]:
    """Who hears of alert groups, and of runs of runbooks."""
    hearing = Hearing(incidenting, clock)
    return (
        Listener("incidents.groups", (*_OPENS, events.GroupResolved.kind), hearing.changed),
        Listener("incidents.acknowledgements", (events.GroupAcknowledged.kind,), hearing.acknowledged),
        Listener("incidents.runs", (RunStarted.kind,), hearing.run_started),
    )


class Hearing:
    """The handlers; they look at what is so now, as a fact may come late."""

    def __init__(self, incidenting: Incidenting, clock: Clock) -> None:
        self._incidenting, self._clock = incidenting, clock

    def acknowledged(self, session: Session, fact: Fact) -> None:
        """Whoever has the alert has the incident; by the alert that the incident raised itself, its other alerts, too:
        else they go on calling people for what somebody has."""
        group = alerts.group(session, str(fact.data["group"]))
        all_of_it = group is not None and is_own(group) and group.acknowledged_by == fact.actor
        for one in _incidents_of(session, str(fact.data["group"])):
            if one.acknowledged_at is None or all_of_it:
                at = max(fact.at, one.opened_at)
                verbs = self._incidenting.on(session, ManualClock(at))
                verbs.acknowledge(one.id, by=fact.actor, source=SOURCE, alerts_too=all_of_it)

    def run_started(self, session: Session, fact: Fact) -> None:
        """A run that was started from an incident, or from an alert of one, belongs to it."""
        about = str(fact.data.get("about_id") or "")
        found = store.find(session, about) if fact.data.get("about_type") == "incident" else None
        mine = [found] if found is not None else []
        if fact.data.get("about_type") == "alert_group":
            mine = _incidents_of(session, about)
        run = str(fact.data["run"])
        for one in mine if run_of(session, run) is not None else ():
            verbs = self._incidenting.on(session, self._clock)
            verbs.link(one.id, LinkKind.RUNBOOK_RUN, run, by=SYSTEM, source=SOURCE)

    def changed(self, session: Session, fact: Fact) -> None:
        """A group opened, became worse, fires again, or ended."""
        group = alerts.group(session, str(fact.data["group"]))
        if group is None or group.is_synthetic or is_own(group) or is_drill(group):
            return
        if group.is_open:
            self._fires(session, group, again=fact.kind == events.GroupReopened.kind)
        else:
            for one in _incidents_of(session, group.id):
                self._ended(session, one)

    def _fires(self, session: Session, group: GroupState, *, again: bool) -> None:
        one = open_for(session, [group.id])
        if one is not None:
            self._goes_on(session, one, group)
            return
        if group.suppressed is not None:
            return
        if again and self._reopened(session, group):
            return
        chosen = chosen_for(session, group, self._incidenting.settings)
        if chosen is not None:
            self._open(session, group, chosen)

    def _open(self, session: Session, group: GroupState, chosen: Chosen) -> None:
        verbs = self._incidenting.on(session, self._clock)
        going_on = self._same_trouble(session, group)
        if going_on is None:
            verbs.open(
                title_of(group),
                by=SYSTEM,
                source=SOURCE,
                severity=chosen.severity,
                groups=[group.id],
                rule=chosen.rule,
            )
            return
        verbs.link(going_on.id, LinkKind.ALERT_GROUP, group.id, by=SYSTEM, source=SOURCE)
        if chosen.severity.rank < going_on.severity.rank:
            reason = f"an alert of it is {group.severity}"
            verbs.change_severity(going_on.id, chosen.severity, by=SYSTEM, source=SOURCE, reason=reason)

    def _same_trouble(self, session: Session, group: GroupState) -> Incident | None:
        """An open incident of the same service and environment: a storm of alerts is one incident."""
        if group.service is None:
            return None
        found = store.listed(session, IncidentFilter(services=(group.service,), open=True), limit=20)
        return next((one for one in found if one.environment == group.environment), None)

    def _reopened(self, session: Session, group: GroupState) -> bool:
        now, within = self._clock.now(), self._incidenting.settings.reopen_minutes * 60
        for incident_id, _, _, ended in store_records.linked_to(session, LinkKind.ALERT_GROUP, [group.id]):
            if (now - ended).total_seconds() < within:
                reason = f"{group.title} fires again"
                verbs = self._incidenting.on(session, self._clock)
                verbs.reopen(incident_id, by=SYSTEM, source=SOURCE, reason=reason)
                return True
        return False

    def _goes_on(self, session: Session, one: Incident, group: GroupState) -> None:
        if one.settled_at is not None:
            desk = self._desk(session)
            again = desk.load(one.id)
            desk.note(again, f"{group.title} fires again")
            desk.save(replace(again, settled_at=None))

    def _ended(self, session: Session, one: Incident) -> None:
        if one.settled_at is not None or any(group.is_open for group in groups_of(session, one)):
            return
        desk = self._desk(session)
        over = desk.load(one.id)
        desk.note(over, "All of its alert groups are resolved: resolve it, if it is over")
        saved = desk.save(replace(over, settled_at=desk.now))
        suggest(desk, saved, self._incidenting.base_url)

    def _desk(self, session: Session) -> Desk:
        part = self._incidenting
        return Desk(session, self._clock, part.settings, part.alerting, SYSTEM, SOURCE)


def _incidents_of(session: Session, group_id: str) -> list[Incident]:
    linked = store_records.linked_to(session, LinkKind.ALERT_GROUP, [group_id])
    found = store.by_ids(session, [incident_id for incident_id, _, is_open, _ in linked if is_open])
    return list(found.values())
