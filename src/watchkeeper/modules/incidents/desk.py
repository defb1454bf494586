"""What every verb does around what it decides: find the incident, look at its version, write it with its facts, and
have its clocks and its alert be what they have to be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal, work
from watchkeeper.kernel.clock import Clock, rfc3339
from watchkeeper.kernel.ids import is_id, new_id
from watchkeeper.kernel.journal import Event
from watchkeeper.modules.alerts import public as alerts
from watchkeeper.modules.alerts.public import Alerting, OwnAlert
from watchkeeper.modules.incidents import store, store_records
from watchkeeper.modules.incidents.clocks import coming_marks
from watchkeeper.modules.incidents.errors import IncidentChanged, IncidentClosed, IncidentNotFound
from watchkeeper.modules.incidents.events import EntryAdded, Linked, OfIncident
from watchkeeper.modules.incidents.model import Entry, EntryKind, Incident, Link, LinkKind, Responder
from watchkeeper.modules.incidents.settings import IncidentSettings

LOOK = "incidents.look"
MIRROR = "incidents.mirror"
OWN_SOURCE = "incidents"
SYSTEM = "system:incidents"
_REMINDERS_KEPT = 10
# Among what was told: the alert about a response that is missing is open.
_BREACH = "breach_alert"


@dataclass(frozen=True)
class Desk:
    """One transaction of one actor's."""

    session: Session
    clock: Clock
    settings: IncidentSettings
    alerting: Alerting
    by: str
    source: str

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def load(self, incident_id: str, expected: int | None = None) -> Incident:
        """The incident, which nobody else changes until the transaction ends.

        Raises IncidentNotFound, or IncidentChanged when it is not of the `expected` version any more.
        """
        journal.take_turn(self.session)
        found = store.find(self.session, incident_id)
        if found is None:
            raise IncidentNotFound(f"There is no incident {incident_id[:100]}.")
        if expected is not None and found.version != expected:
            raise IncidentChanged(
                "Somebody else changed it since you read it. Look at it again, and repeat the change."
            )
        return found

    def load_open(self, incident_id: str, expected: int | None = None) -> Incident:
        """The same of one that goes on. Raises IncidentClosed."""
        found = self.load(incident_id, expected)
        if found.merged_into is not None:
            raise IncidentClosed(f"{found.title} was merged into {found.merged_into}: go on there.")
        if not found.is_open:
            raise IncidentClosed(f"{found.title} is resolved. Open it again first.")
        return found

    def save(self, one: Incident, *facts: OfIncident, fresh: bool = False) -> Incident:
        """Write it with its facts, and order what its clocks and its channel need."""
        version = 1 if fresh else one.version + 1
        saved = replace(self._calmed(one), version=version, updated_at=self.now)
        store.put(self.session, saved, fresh=fresh)
        for fact in facts:
            self.tell(fact)
        self.order_clocks(saved)
        if not saved.drill and (self.settings.slack_channel or saved.channel):
            self.mirror(saved, f"version:{version}")
        return saved

    def tell(self, fact: Event) -> int:
        """Write a fact."""
        return journal.append(self.session, fact, by=self.by, source=self.source, at=self.now)

    def order_clocks(self, one: Incident) -> None:
        """A row of due work for each mark that is to come; one that is there already stays."""
        for mark in coming_marks(one, self.settings.targets, self.now):
            payload = {"incident": one.id, "at": rfc3339(mark.at)}
            work.enqueue(self.session, kind=LOOK, key=f"{LOOK}:{one.id}:{mark.key}", due_at=mark.at, payload=payload)

    def mirror(self, one: Incident, step: str) -> None:
        """Have Slack's channel brought up to date."""
        key = f"{MIRROR}:{one.id}:{step}"
        work.enqueue(self.session, kind=MIRROR, key=key, due_at=self.now, payload={"incident": one.id})

    def joined(self, one: Incident, how: str, person: str | None = None) -> Incident:
        """Note that somebody works on it; the first who does has responded. Programs are nobody."""
        who = person or self.by
        if not is_id(who, "per"):
            return one
        store.join(self.session, Responder(incident_id=one.id, person_id=who, joined_at=self.now, how=how))
        return replace(one, responded_at=one.responded_at or self.now)

    def enter(
        self, one: Incident, kind: EntryKind, text: str, *, content: bytes | None = None, about: str = "", **said: Any
    ) -> Entry:
        """Add a line to its record, with its fact."""
        made = Entry(id=new_id("ent"), incident_id=one.id, kind=kind, text=text, at=self.now, by=self.by, **said)
        store_records.add_entry(self.session, made, content)
        self.tell(EntryAdded(**about_it(one), entry=made.id, entry_kind=kind.value, about=about))
        return made

    def note(self, one: Incident, text: str) -> None:
        """A line of Watchkeeper's own; its words are the fact's, too."""
        self.enter(one, EntryKind.SYSTEM, text, about=text[:300].rstrip("."))

    def link(self, one: Incident, kind: LinkKind, target: str, label: str = "") -> bool:
        """Tie something to it; False when it was."""
        made = Link(
            id=new_id("lnk"), incident_id=one.id, kind=kind, target=target, label=label[:300], at=self.now, by=self.by
        )
        added = store_records.add_link(self.session, made)
        if added:
            said = "" if kind is LinkKind.URL else target
            self.tell(Linked(**about_it(one), link_kind=kind.value, target=said))
        return added

    def page(self, one: Incident) -> Incident:
        """Have people called for it, by an alert of its own with the severity of its own."""
        if one.drill:
            return one
        self._raise(one, own_alert(one))
        return replace(one, paged=one.severity.alert)

    def breached(self, one: Incident) -> Incident:
        """Call whoever comes next, as nobody responded in time."""
        if one.drill:
            return one
        self._raise(one, breach_alert(one))
        return replace(one, told=(*one.told, _BREACH))

    def _raise(self, one: Incident, alert: OwnAlert) -> None:
        self.alerting.raise_own(self.session, alert, at=self.now)
        group = alerts.own_group(self.session, OWN_SOURCE, alert.key)
        if group is not None:
            self.link(one, LinkKind.ALERT_GROUP, group.id, group.title)

    def _calmed(self, one: Incident) -> Incident:
        """Nobody is called any more for what is over, or for a response that came."""
        told = _kept(one.told)
        if _BREACH in told and (one.responded_at is not None or not one.is_open):
            self.alerting.resolve_own(self.session, breach_alert(one), at=self.now)
            told = tuple(mark for mark in told if mark != _BREACH)
        if one.paged is not None and not one.is_open:
            self.alerting.resolve_own(self.session, own_alert(one), at=self.now)
            return replace(one, paged=None, told=told)
        return replace(one, told=told)


def about_it(one: Incident) -> dict[str, Any]:
    """What every fact about it says."""
    return {
        "incident": one.id,
        "title": one.title,
        "severity": one.severity.value,
        "services": one.services,
        "drill": one.drill,
    }


def own_alert(one: Incident) -> OwnAlert:
    """The alert by which an incident calls people."""
    return OwnAlert(
        source=OWN_SOURCE,
        key=one.id,
        title=f"{one.severity}: {one.title}"[:300],
        severity=one.severity.alert,
        service=one.service,
        environment=one.environment,
        family=f"incident {one.name}",
        labels={"incident": one.id},
        links=(("The incident", f"/incidents/{one.id}"),),
    )


def breach_alert(one: Incident) -> OwnAlert:
    """The alert by which a clock that ran out calls whoever comes next in the policy, as for what is one step worse."""
    return OwnAlert(
        source=OWN_SOURCE,
        key=f"{one.id}:respond",
        title=f"Nobody responded in time to {one.severity}: {one.title}"[:300],
        severity=one.severity.worse.alert,
        service=one.service,
        environment=one.environment,
        family=f"incident {one.name} not responded to",
        labels={"incident": one.id},
        links=(("The incident", f"/incidents/{one.id}"),),
        escalated=True,
    )


def _kept(told: tuple[str, ...]) -> tuple[str, ...]:
    """Marks of reminders are many; only the last of them can come again."""
    reminders = [one for one in told if one.startswith("update:")][-_REMINDERS_KEPT:]
    return tuple(one for one in told if not one.startswith("update:") or one in reminders)
