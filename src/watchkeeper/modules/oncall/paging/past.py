"""Schedules as they were: what stands now, with each change since taken back as the journal tells it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from watchkeeper.kernel.journal import Fact, FactFilter, read_facts
from watchkeeper.modules.oncall import store
from watchkeeper.modules.oncall.definition import Schedule
from watchkeeper.modules.oncall.events import ScheduleChanged, ScheduleDefined, ScheduleRemoved
from watchkeeper.modules.oncall.model import Override, Roster

_KINDS = (ScheduleDefined.kind, ScheduleChanged.kind, ScheduleRemoved.kind)
_AT_ONCE = 1_000


@dataclass(frozen=True)
class Versions:
    """A schedule through time: `contents[n]` holds before `changed[n]`, the last one from then on."""

    changed: tuple[datetime, ...]
    contents: tuple[Schedule | None, ...]

    def at(self, at: datetime) -> Schedule | None:
        """As it was; of a time before it was made, as it was made first: a draft may call what is new."""
        here = bisect_right(self.changed, at)
        if self.contents[here] is None and not any(self.contents[:here]):
            return next((one for one in self.contents[here:] if one is not None), None)
        return self.contents[here]


@dataclass(frozen=True)
class Rosters:
    """Every schedule at any instant since some day."""

    versions: Mapping[str, Versions]
    overrides: Mapping[str, tuple[Override, ...]]

    def at(self, at: datetime) -> dict[str, Roster]:
        """By name. Overrides need no going back: nobody changes what is over."""
        found = {name: one.at(at) for name, one in self.versions.items()}
        return {
            name: Roster(content, tuple(one for one in self.overrides.get(name, ()) if one.since <= at < one.until))
            for name, content in found.items()
            if content is not None
        }

    def ever(self) -> list[Schedule]:
        """Every schedule by name, and as it is now before as it was."""
        named = sorted(self.versions.items())
        return [one for _, versions in named for one in reversed(versions.contents) if one is not None]


def rosters_since(session: Session, since: datetime) -> Rosters:
    """Schedules as they were at each instant from `since` on."""
    current: dict[str, Schedule | None] = {one.name: one.content for one in store.all_of(session, Schedule)}
    overrides = {name: one.overrides for name, one in store.rosters(session, since=since).items()}
    history: dict[str, list[tuple[datetime, Schedule | None]]] = {}
    for fact in _facts(session, since):
        name = fact.data["schedule"]
        history.setdefault(name, []).append((fact.at, current.get(name)))
        current[name] = _before(fact, current.get(name))
    return Rosters({name: _versions(first, history.get(name, [])) for name, first in current.items()}, overrides)


def _versions(first: Schedule | None, newest_first: list[tuple[datetime, Schedule | None]]) -> Versions:
    later = newest_first[::-1]
    return Versions(tuple(at for at, _ in later), (first, *(content for _, content in later)))


def _facts(session: Session, since: datetime) -> list[Fact]:
    """The newest first."""
    found: list[Fact] = []
    while True:
        before = found[-1].seq if found else None
        facts = read_facts(session, FactFilter(kinds=_KINDS, since=since, before_seq=before), limit=_AT_ONCE)
        found += facts
        if len(facts) < _AT_ONCE:
            return found


def _before(fact: Fact, after: Schedule | None) -> Schedule | None:
    if fact.kind == ScheduleDefined.kind:
        return None
    said = after.model_dump(mode="json") if after is not None else {}
    return Schedule.model_validate({**said, **fact.data["before"]})
