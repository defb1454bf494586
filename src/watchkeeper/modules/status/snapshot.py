"""All that the public sees, read in one go and then shown without the database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from watchkeeper.modules.status import store
from watchkeeper.modules.status.described import PAGE
from watchkeeper.modules.status.model import (
    HISTORY,
    Component,
    Day,
    Hold,
    Impact,
    Maintenance,
    PageSaid,
    Progress,
    PublicIncident,
    Stage,
    State,
    Update,
    days,
    holds_of_incident,
    holds_of_maintenance,
    impact_of,
    indicator,
    known_since,
    state_at,
    uptime,
)

DEFAULT_PAGE = PageSaid()
# What is left of an update that there is no room for.
BEGINNING = 500


@dataclass(frozen=True)
class Shown:
    """A component with its history."""

    component: Component
    state: State
    uptime: float | None
    days: Sequence[Day]


@dataclass(frozen=True)
class Told:
    """A public incident with its published updates, the newest first.

    `cut`: what is shown of them where not all of it may be.
    """

    incident: PublicIncident
    updates: Sequence[Update]
    cut: Sequence[Update] | None = None

    @property
    def shown(self) -> Sequence[Update]:
        """Updates as they are shown, the newest first."""
        return self.updates if self.cut is None else self.cut

    @property
    def left_out(self) -> int:
        """How many earlier ones are not shown."""
        return len(self.updates) - len(self.shown)

    @property
    def impact(self) -> Impact:
        return impact_of(self.updates)

    @property
    def is_open(self) -> bool:
        return self.incident.stage is not Stage.RESOLVED


@dataclass(frozen=True)
class Snapshot:
    """What the page says at an instant."""

    at: datetime
    page: PageSaid
    components: Sequence[Shown]
    incidents: Sequence[Told]
    maintenances: Sequence[Maintenance]

    @property
    def names(self) -> Mapping[str, str]:
        """Titles of components by id."""
        return {one.component.id: one.component.title for one in self.components}

    @property
    def indicator(self) -> tuple[str, str]:
        """Statuspage's word for the whole and its sentence."""
        return indicator([one.state for one in self.components])

    @property
    def open_incidents(self) -> list[Told]:
        return [one for one in self.incidents if one.is_open]

    @property
    def planned(self) -> list[Maintenance]:
        """Those that run or will, the next first."""
        return [one for one in self.maintenances if one.progress(self.at) is not Progress.COMPLETED]

    def within(self, room: int) -> Snapshot:
        """The same with at most `room` characters of updates, open incidents and newest updates first; of an incident
        that there is no room for, the beginning of its newest update stays."""
        told: dict[str, Told] = {}
        for one in sorted(self.incidents, key=lambda one: not one.is_open):
            fits = []
            for update in one.updates:
                room -= len(update.body)
                if room < 0:
                    break
                fits.append(update)
            if not fits:
                fits = [replace(update, body=_beginning(update.body)) for update in one.updates[:1]]
            told[one.incident.id] = replace(one, cut=fits)
        return replace(self, incidents=[told[one.incident.id] for one in self.incidents])

    def groups(self) -> list[tuple[str, list[Shown]]]:
        """Components by their groups in the order of the page; those of none stand by themselves under ''."""
        found: list[tuple[str, list[Shown]]] = []
        for one in self.components:
            group = one.component.said.group
            if found and found[-1][0] == group:
                found[-1][1].append(one)
            else:
                found.append((group, [one]))
        return found


def _beginning(text: str) -> str:
    return text if len(text) <= BEGINNING else f"{text[:BEGINNING]} …"


def page_said(session: Session) -> PageSaid:
    """What the page is called."""
    described = store.page(session)
    return PageSaid(**described.said) if described is not None and described.kind == PAGE else DEFAULT_PAGE


def take(session: Session, now: datetime) -> Snapshot:
    """The page as it is now, with its last 90 days."""
    since = now - HISTORY
    found = store.incidents_since(session, since)
    updates: dict[str, list[Update]] = defaultdict(list)
    for update in store.updates_of(session, [one.id for one in found]):
        updates[update.incident].append(update)
    maintenances = store.maintenances_since(session, since)
    holds: dict[str, list[Hold]] = defaultdict(list)
    for incident in found:
        for hold in holds_of_incident(incident.started_at, updates[incident.id]):
            holds[hold.component].append(hold)
    for maintenance in maintenances:
        for hold in holds_of_maintenance(maintenance):
            holds[hold.component].append(hold)
    return Snapshot(
        now,
        page_said(session),
        [_shown(one, holds[one.id], now) for one in store.components(session)],
        [Told(one, updates[one.id]) for one in found],
        maintenances,
    )


def _shown(component: Component, holds: Sequence[Hold], now: datetime) -> Shown:
    past = [one for one in holds if one.since <= now]
    since = known_since(component, past)
    return Shown(
        component,
        state_at(holds, now),
        uptime(past, max(since, now - HISTORY), now),
        days(past, now, since),
    )
