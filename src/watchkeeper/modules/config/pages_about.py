"""What the page of a parameter tells, read in one go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.web.paging import page_of
from watchkeeper.modules.catalog import public as catalog
from watchkeeper.modules.config import store, store_changes, store_reports
from watchkeeper.modules.config.model import OPEN_STATES, ChangeSet, Parameter, Setting, prerequisites_of
from watchkeeper.modules.config.pages_layers import Beside, Layers, layers, side_by_side
from watchkeeper.modules.config.pages_shared import Place, StepShown, names_wanted, place, step_shown
from watchkeeper.modules.config.routes_changes import place_of
from watchkeeper.modules.config.service import Config
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.subjects import public as subjects
from watchkeeper.modules.subjects.public import SegmentInfo
from watchkeeper_client.rules import Definition

_ON_A_PAGE = 20
_HOURS = 24


@dataclass(frozen=True)
class Served:
    """How often a variant (or, of a plain parameter, a layer) was given out."""

    variant: str
    lately: int
    day: int
    share: float
    hours: tuple[float, ...]


@dataclass(frozen=True)
class Counts:
    """Evaluations that running programs reported; `lately` is since the hour before this one began."""

    served: tuple[Served, ...]
    since: datetime
    total: int


@dataclass(frozen=True)
class Past:
    """A change of the parameter, with its steps for this key only."""

    change: ChangeSet
    steps: tuple[StepShown, ...]
    others: int


@dataclass(frozen=True)
class About:
    """Everything that the page of a parameter shows."""

    place: Place
    parameter: Parameter
    layers: Layers
    beside: tuple[Beside, ...]
    history: tuple[Past, ...]
    next: str | None
    open: tuple[ChangeSet, ...]
    counts: Counts
    segments: tuple[SegmentInfo, ...]
    flags: tuple[str, ...]
    needed_by: tuple[str, ...]
    names: dict[str, str]
    team: str | None

    @property
    def definition(self) -> Definition:
        return self.parameter.definition

    @property
    def value(self) -> Setting | None:
        return self.layers.slots.value


def about(session: Session, clock: Clock, key: str, environment: str, cursor: str | None = None) -> About:
    """Raises ParameterNotFound, EnvironmentNotFound or BadCursor."""
    here = place(session, clock, environment)
    parameter = Config(session, clock).parameter(key)
    definition = parameter.definition
    said = layers(session, definition, here.name, clock.now())
    past, following = _history(session, definition, here.name, cursor)
    waiting = store_changes.open_with_key(session, key, OPEN_STATES)
    settings = (*said.slots.segments, *said.slots.users, said.slots.value)
    names = names_wanted(
        [one.changed_by for one in settings if one],
        [one.change.proposed_by for one in past],
        [one.change.decided_by for one in past],
        [one.proposed_by for one in waiting],
        [parameter.updated_by],
    )
    return About(
        place=here,
        parameter=parameter,
        layers=said,
        beside=tuple(side_by_side(session, definition, here.environments)),
        history=tuple(past),
        next=following,
        open=tuple(waiting),
        counts=_counts(session, key, here.name, clock.now()),
        segments=tuple(subjects.segments(session)),
        flags=_other_flags(session, definition),
        needed_by=_needed_by(session, key, here.name),
        names=identity.names(session, names),
        team=catalog.owning_team(session, definition.owner),
    )


def _history(
    session: Session, definition: Definition, environment: str, cursor: str | None
) -> tuple[list[Past], str | None]:
    found = store_changes.find(
        session,
        limit=_ON_A_PAGE + 1,
        environment=environment,
        key=definition.key,
        before=place_of(cursor) if cursor else None,
    )
    page = page_of(found, _ON_A_PAGE, lambda one: (one.proposed_at, one.id))
    past = []
    for change in page.items:
        mine = [step for step in change.steps if step.key == definition.key]
        shown = tuple(step_shown(definition, one.key, one.slot, one.before, one.after) for one in mine)
        past.append(Past(change, shown, len(change.steps) - len(mine)))
    return past, page.next


def _counts(session: Session, key: str, environment: str, now: datetime) -> Counts:
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    hours = [this_hour - timedelta(hours=back) for back in reversed(range(_HOURS))]
    lately = this_hour - timedelta(hours=1)
    found: dict[str, dict[datetime, int]] = {}
    for hour, variant, count in store_reports.usage_of(session, environment, key, since=hours[0]):
        found.setdefault(variant, {})[hour] = count
    total = sum(sum(by_hour.values()) for by_hour in found.values())
    served = [
        Served(
            variant,
            sum(count for hour, count in by_hour.items() if hour >= lately),
            sum(by_hour.values()),
            sum(by_hour.values()) / total if total else 0.0,
            tuple(float(by_hour.get(hour, 0)) for hour in hours),
        )
        for variant, by_hour in found.items()
    ]
    return Counts(tuple(sorted(served, key=lambda one: -one.day)), lately, total)


def _other_flags(session: Session, definition: Definition) -> tuple[str, ...]:
    if definition.type != "flag":
        return ()
    keys: Sequence[Parameter] = store.all_parameters(session)
    return tuple(one.key for one in keys if one.definition.type == "flag" and one.key != definition.key)


def _needed_by(session: Session, key: str, environment: str) -> tuple[str, ...]:
    """Flags that ask for this one first."""
    found = {
        one.key
        for name, one in store.plain_values(session)
        if name == environment and any(other == key for other, _ in prerequisites_of(one.value))
    }
    return tuple(sorted(found))
