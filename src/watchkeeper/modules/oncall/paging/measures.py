"""How much people are paged: per person and week, at night, until somebody had it, and what makes the most noise."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from statistics import median

from watchkeeper.modules.alerts.public import GroupState
from watchkeeper.modules.oncall.paging.model import Page

_NIGHT = (22, 7)


@dataclass(frozen=True)
class OfPerson:
    """Pages of one person; `night` are those between 22:00 and 07:00 UTC."""

    person_id: str
    pages: int
    a_week: float
    night: int
    median_until_acknowledged: timedelta | None


@dataclass(frozen=True)
class Measures:
    """Of a stretch of time."""

    since: datetime
    until: datetime
    people: tuple[OfPerson, ...]
    noisiest: tuple[tuple[str, int], ...]


def measure(
    pages: Iterable[Page], groups: Mapping[str, GroupState | None], since: datetime, until: datetime
) -> Measures:
    """Most paged first. A page counts once, by however many ways it was told; that of a drill not at all."""
    by_person: dict[str, list[Page]] = defaultdict(list)
    titles: Counter[str] = Counter()
    for one in pages:
        group = groups.get(one.group_id)
        if one.person_id is None or not since <= one.called_at <= until or (group is not None and group.is_drill):
            continue
        by_person[one.person_id].append(one)
        if group is not None:
            titles[group.title] += 1
    weeks = max((until - since) / timedelta(weeks=1), 1 / 7)
    found = [
        OfPerson(
            person_id=person,
            pages=len(mine),
            a_week=len(mine) / weeks,
            night=sum(is_night(one.called_at) for one in mine),
            median_until_acknowledged=_median(person, mine, groups),
        )
        for person, mine in by_person.items()
    ]
    ordered = tuple(sorted(found, key=lambda one: (-one.pages, one.person_id)))
    return Measures(since, until, ordered, tuple(titles.most_common(10)))


def is_night(at: datetime, zone: tzinfo = UTC) -> bool:
    """Between 22:00 and 07:00 by the clocks of a zone."""
    hour = at.astimezone(zone).hour
    return hour >= _NIGHT[0] or hour < _NIGHT[1]


def _median(person: str, mine: list[Page], groups: Mapping[str, GroupState | None]) -> timedelta | None:
    """Of those that this person acknowledged."""
    took = []
    for one in mine:
        group = groups.get(one.group_id)
        if group is not None and group.acknowledged_by == person and group.acknowledged_at is not None:
            took.append((group.acknowledged_at - one.called_at).total_seconds())
    return timedelta(seconds=median(took)) if took else None
