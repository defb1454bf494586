"""What a status page says of its components, and the arithmetic of their history. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from itertools import pairwise

HISTORY_DAYS = 90
HISTORY = timedelta(days=HISTORY_DAYS)


class State(StrEnum):
    """How a component is; the names are Statuspage's."""

    OPERATIONAL = "operational"
    DEGRADED = "degraded_performance"
    PARTIAL = "partial_outage"
    MAJOR = "major_outage"
    MAINTENANCE = "under_maintenance"


class Stage(StrEnum):
    """How far an incident is."""

    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"
    RESOLVED = "resolved"


class Impact(StrEnum):
    """How bad an incident is at its worst."""

    NONE = "none"
    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"


class Review(StrEnum):
    """Where an update stands between whoever wrote it and the page."""

    DRAFT = "draft"
    PUBLISHED = "published"
    DISCARDED = "discarded"
    # It was public and is not any more.
    WITHDRAWN = "withdrawn"


class Progress(StrEnum):
    """Where a planned maintenance stands."""

    SCHEDULED = "scheduled"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"


class Turn(StrEnum):
    """What subscribers hear of a maintenance after it was announced."""

    BEGAN = "began"
    COMPLETED = "completed"
    # Early, or cancelled before it began.
    ENDED = "ended"


# The worst wins where several things are said of one component at once.
_RANK = {State.OPERATIONAL: 0, State.MAINTENANCE: 1, State.DEGRADED: 2, State.PARTIAL: 3, State.MAJOR: 4}
# How much of the time in a state counts as down: Statuspage's weights, so that figures can be compared.
WEIGHT = {State.OPERATIONAL: 0.0, State.MAINTENANCE: 0.0, State.DEGRADED: 0.0, State.PARTIAL: 0.3, State.MAJOR: 1.0}
_IMPACT = {State.DEGRADED: Impact.MINOR, State.PARTIAL: Impact.MAJOR, State.MAJOR: Impact.CRITICAL}


@dataclass(frozen=True, kw_only=True)
class PageSaid:
    """What is said of the page itself. `url`: where the public reaches it, when that is not this server's address.

    `slo_drafts`: whether a burning SLO of a component writes a draft, which waits for review as every other does.
    """

    title: str = "Status"
    url: str = ""
    support_url: str = ""
    slo_drafts: bool = False


@dataclass(frozen=True, kw_only=True)
class ComponentSaid:
    """What people and files say of a component. `services` and `slos` are those it stands on."""

    title: str = ""
    group: str = ""
    order: int = 0
    description: str = ""
    services: tuple[str, ...] = ()
    slos: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Component:
    """A part of the product as its users know it."""

    id: str
    name: str
    said: ComponentSaid
    created_at: datetime
    updated_at: datetime

    @property
    def title(self) -> str:
        return self.said.title or self.name


@dataclass(frozen=True, kw_only=True)
class Update:
    """A word about an incident. `components`: the state that it gives to each of these, by id."""

    id: str
    incident: str
    review: Review
    stage: Stage
    body: str
    components: Mapping[str, State]
    happened_at: datetime
    drafted_at: datetime
    drafted_by: str
    source: str | None = None
    published_at: datetime | None = None
    published_by: str | None = None
    edited_at: datetime | None = None
    version: int = 1


@dataclass(frozen=True, kw_only=True)
class Revision:
    """What a public update said until somebody changed it. `version`: the update's while it said so."""

    update: str
    version: int
    stage: Stage
    body: str
    components: Mapping[str, State]
    until: datetime
    changed_by: str


@dataclass(frozen=True, kw_only=True)
class PublicIncident:
    """An incident as the public sees it; `incident` is the one inside, where there is one."""

    id: str
    title: str
    incident: str | None
    started_at: datetime
    created_at: datetime
    published_at: datetime | None = None
    resolved_at: datetime | None = None
    updated_at: datetime | None = None
    stage: Stage | None = None


@dataclass(frozen=True, kw_only=True)
class Maintenance:
    """Planned work that the public is told of. `window`: the window of alerts that it is a stretch of."""

    id: str
    title: str
    body: str
    components: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime
    created_at: datetime
    created_by: str
    window: str | None = None
    ended_early_at: datetime | None = None

    @property
    def is_cancelled(self) -> bool:
        """It ended before it began."""
        return self.ended_early_at is not None and self.ended_early_at <= self.starts_at

    @property
    def over_at(self) -> datetime:
        return min(self.ends_at, self.ended_early_at or self.ends_at)

    def changed_at(self, now: datetime) -> datetime:
        """When what is said of it was last something else: announced, begun, over or cancelled."""
        if self.is_cancelled:
            return self.ended_early_at or self.created_at
        return max(at for at in (self.created_at, self.starts_at, self.over_at) if at <= max(now, self.created_at))

    def progress(self, now: datetime) -> Progress:
        if self.is_cancelled or self.over_at <= now:
            return Progress.COMPLETED
        return Progress.IN_PROGRESS if self.starts_at <= now else Progress.SCHEDULED


@dataclass(frozen=True)
class Hold:
    """Something keeps a component in a state from `since` until `until`; None: until further notice."""

    component: str
    state: State
    since: datetime
    until: datetime | None = None

    def holds_at(self, at: datetime) -> bool:
        return self.since <= at and (self.until is None or at < self.until)


def holds_of_incident(started_at: datetime, updates: Iterable[Update]) -> list[Hold]:
    """What the published updates of one incident say of components, whatever order they were published in.

    The first state of a component holds from the first symptom on: users felt it before anybody wrote about it.
    """
    found: list[Hold] = []
    running: dict[str, tuple[datetime, State]] = {}
    seen: set[str] = set()
    published = [one for one in updates if one.review is Review.PUBLISHED]
    for update in sorted(published, key=lambda one: (one.happened_at, one.published_at or one.happened_at, one.id)):
        said = dict(update.components)
        if update.stage is Stage.RESOLVED:
            said = dict.fromkeys({*running, *said}, State.OPERATIONAL)
        for component, state in said.items():
            first = component not in seen and state is not State.OPERATIONAL
            at = min(started_at, update.happened_at) if first else update.happened_at
            if component in running:
                since, before = running.pop(component)
                found.append(Hold(component, before, since, at))
            if state is not State.OPERATIONAL:
                running[component] = (at, state)
                seen.add(component)
    found += [Hold(component, state, since) for component, (since, state) in running.items()]
    return [one for one in found if one.until is None or one.since < one.until]


def holds_of_maintenance(one: Maintenance) -> list[Hold]:
    """What it says of its components, also before it begins."""
    if one.is_cancelled:
        return []
    return [Hold(component, State.MAINTENANCE, one.starts_at, one.over_at) for component in one.components]


def worst(states: Iterable[State]) -> State:
    """The worst of them; operational of none."""
    return max(states, key=_RANK.__getitem__, default=State.OPERATIONAL)


def state_at(holds: Iterable[Hold], at: datetime) -> State:
    """The worst that holds at an instant."""
    return worst(one.state for one in holds if one.holds_at(at))


@dataclass(frozen=True)
class Stretch:
    """A component was in one state from `begin` to `end`."""

    begin: datetime
    end: datetime
    state: State

    @property
    def seconds(self) -> float:
        return (self.end - self.begin).total_seconds()


def stretches(holds: Sequence[Hold], begin: datetime, end: datetime) -> list[Stretch]:
    """The whole of [begin, end) without gaps, at each instant in the worst state that holds."""
    if begin >= end:
        return []
    edges = {begin, end}
    for one in holds:
        edges |= {at for at in (one.since, one.until) if at is not None and begin < at < end}
    ordered = sorted(edges)
    found: list[Stretch] = []
    for first, last in pairwise(ordered):
        state = state_at(holds, first)
        if found and found[-1].state is state:
            found[-1] = Stretch(found[-1].begin, last, state)
        else:
            found.append(Stretch(first, last, state))
    return found


def uptime(holds: Sequence[Hold], begin: datetime, end: datetime) -> float | None:
    """1 minus the weighted share of [begin, end) in which it was down; None of no time at all."""
    if begin >= end:
        return None
    down = sum(one.seconds * WEIGHT[one.state] for one in stretches(holds, begin, end))
    return min(1.0, max(0.0, 1.0 - down / (end - begin).total_seconds()))


@dataclass(frozen=True)
class Day:
    """One day in UTC; `state` is None before the component was there."""

    day: date
    state: State | None
    seconds: Mapping[State, float] = field(default_factory=dict)


def days(holds: Sequence[Hold], now: datetime, since: datetime, number: int = HISTORY_DAYS) -> list[Day]:
    """The last days in UTC, today among them, the oldest first: the worst of each, and how long each state held."""
    today = datetime.combine(now.astimezone(UTC).date(), datetime.min.time(), UTC)
    found = []
    for back in range(number - 1, -1, -1):
        begin = today - timedelta(days=back)
        first, last = max(begin, since), min(begin + timedelta(days=1), now)
        lengths: dict[State, float] = {}
        for one in stretches(holds, first, last):
            lengths[one.state] = lengths.get(one.state, 0.0) + one.seconds
        found.append(Day(begin.date(), worst(lengths) if first < last else None, lengths))
    return found


def known_since(component: Component, holds: Sequence[Hold]) -> datetime:
    """From when on there is a history: since the component is there, or something older was said of it."""
    return min([component.created_at, *(one.since for one in holds)])


def impact_of(updates: Iterable[Update]) -> Impact:
    """By the worst state that an incident gave to any component."""
    states = (state for one in updates for state in one.components.values())
    return _IMPACT.get(worst(states), Impact.NONE)


_INDICATORS = {
    State.OPERATIONAL: ("none", "All systems operational"),
    State.MAINTENANCE: ("maintenance", "Service under maintenance"),
    State.DEGRADED: ("minor", "Degraded performance"),
    State.PARTIAL: ("major", "Partial system outage"),
    State.MAJOR: ("critical", "Major system outage"),
}


def indicator(states: Sequence[State]) -> tuple[str, str]:
    """Statuspage's word for the whole page, and the sentence for people.

    One part of several in a major outage is a partial outage of the whole.
    """
    found = worst(states)
    if found is State.MAJOR and any(one is not State.MAJOR for one in states):
        found = State.PARTIAL
    return _INDICATORS[found]


def state_for(severity: str) -> State:
    """The state that is proposed for the components of an incident; whoever publishes decides."""
    by_severity = {"SEV-1": State.MAJOR, "SEV-2": State.PARTIAL, "SEV-3": State.DEGRADED}
    return by_severity.get(severity, State.OPERATIONAL)
