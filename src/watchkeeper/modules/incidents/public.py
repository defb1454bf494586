"""What other modules may ask of incidents, and the part by which they act on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.modules.alerts.public import Alerting, FactLinks, GroupState
from watchkeeper.modules.incidents import clocks, store, store_records
from watchkeeper.modules.incidents.clocks import ClockKind, ClockState, IncidentClock, Targets
from watchkeeper.modules.incidents.groups import groups_of
from watchkeeper.modules.incidents.model import (
    Entry,
    EntryKind,
    Incident,
    Link,
    LinkKind,
    Responder,
    Role,
    Severity,
    Status,
    Update,
)
from watchkeeper.modules.incidents.permissions import ACT_ON_INCIDENTS, VIEW_INCIDENTS
from watchkeeper.modules.incidents.service import Incidents
from watchkeeper.modules.incidents.settings import IncidentSettings
from watchkeeper.modules.incidents.store import IncidentFilter
from watchkeeper.modules.slo.public import Engine

__all__ = [
    "ACT_ON_INCIDENTS",
    "VIEW_INCIDENTS",
    "ClockKind",
    "ClockState",
    "Entry",
    "EntryKind",
    "Incident",
    "IncidentClock",
    "IncidentFilter",
    "Incidenting",
    "Incidents",
    "Link",
    "LinkKind",
    "Responder",
    "Role",
    "Severity",
    "Status",
    "Targets",
    "Update",
    "alert_groups",
    "clocks_of",
    "entries",
    "incident",
    "incidents",
    "links",
    "open_of",
    "responders",
    "updates",
]

MOST = 1_000


@dataclass(frozen=True)
class Incidenting:
    """The verbs for whoever has a session: a part of the server. `base_url`: where people reach the console; `facts`
    finds deployments by the ids of their facts, `engine` knows when budgets began to burn."""

    settings: IncidentSettings
    alerting: Alerting
    base_url: str = ""
    facts: FactLinks = field(default_factory=FactLinks)
    engine: Engine | None = None

    def on(self, session: Session, clock: Clock) -> Incidents:
        """All verbs, on this session."""
        return Incidents(session, clock, self.settings, self.alerting, self.facts, self.engine)

    def clocks_of(self, one: Incident, now: datetime) -> tuple[IncidentClock, ...]:
        """By the targets of the settings."""
        return clocks.clocks_of(one, self.settings.targets, now)


def incident(session: Session, incident_id: str) -> Incident | None:
    """The incident of this id or name; drills and merged ones, too."""
    return store.find(session, incident_id)


def incidents(session: Session, wanted: IncidentFilter, limit: int = MOST) -> list[Incident]:
    """Open ones first, the worst first, then the newest; at most 1,000. Drills only when they are asked for."""
    return store.listed(session, wanted, limit=min(limit, MOST))


def open_of(session: Session, service: str) -> list[Incident]:
    """Open incidents that affect a service, the worst first; no drills."""
    return store.listed(session, IncidentFilter(services=(service,), open=True), limit=MOST)


def entries(session: Session, incident_id: str) -> list[Entry]:
    """Its record, oldest first: notes, decisions, links, files, and lines of Watchkeeper's own."""
    return store_records.entries_of(session, incident_id)


def updates(session: Session, incident_id: str) -> list[Update]:
    """What was told about it, oldest first; public ones are marked."""
    return store_records.updates_of(session, incident_id)


def links(session: Session, incident_id: str) -> list[Link]:
    """Alert groups, changes, deployments, runbook runs, incidents and addresses that it has to do with."""
    return store_records.links_of(session, incident_id)


def responders(session: Session, incident_id: str) -> list[Responder]:
    """Who worked on it, whoever came first in front."""
    return store.responders_of(session, [incident_id])[incident_id]


def alert_groups(session: Session, one: Incident) -> list[GroupState]:
    """Its alert groups, without those by which it calls people itself."""
    return groups_of(session, one)


def clocks_of(one: Incident, targets: Targets, now: datetime) -> tuple[IncidentClock, ...]:
    """Every clock that it has, the one that is due first in front."""
    return clocks.clocks_of(one, targets, now)
