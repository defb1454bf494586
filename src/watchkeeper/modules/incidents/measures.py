"""How incidents went, in numbers: times to detect, acknowledge, respond and resolve, and what they cost. Pure.

| measure | from | to |
| --- | --- | --- |
| detect | the first symptom | an alert, or a person who declared it |
| acknowledge | detected | somebody had it |
| respond | opened, or the last time it became worse | somebody did something |
| resolve | detected | resolved, for the last time |
| cost | for each person who worked on it: their first act | resolved; the hours of all of them together |

Drills and incidents that were merged count nowhere. What has not happened yet is left out, not taken for zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from statistics import mean, median
from typing import TypeVar

from watchkeeper.modules.incidents.model import Incident, Responder, Severity

FORMULA = (
    "Cost: for each person who worked on an incident, the time from their first act to its end; the hours of all "
    "together."
)
NumberT = TypeVar("NumberT", int, float)
NO_SERVICE = "(no service)"


@dataclass(frozen=True)
class Measured:
    """One incident in numbers. None: it did not happen, or not yet."""

    incident: Incident
    detect: timedelta
    acknowledge: timedelta | None
    respond: timedelta | None
    resolve: timedelta | None
    responders: int
    person_hours: float | None


@dataclass(frozen=True)
class Spread:
    """Of some times: how many, the middle one, their mean, and the longest."""

    count: int
    median: timedelta | None = None
    mean: timedelta | None = None
    longest: timedelta | None = None


@dataclass(frozen=True)
class Tally:
    """Of some incidents together. `users` (affected) and `person_hours` are those of the incidents of which they are
    known; None where they are known of none."""

    name: str
    incidents: int
    detect: Spread
    acknowledge: Spread
    respond: Spread
    resolve: Spread
    users: int | None
    person_hours: float | None


@dataclass(frozen=True)
class Measures:
    """Everything of a stretch of time; months and weeks oldest first. Every week is there, also one without any."""

    since: datetime
    until: datetime
    total: Tally
    severities: tuple[Tally, ...]
    services: tuple[Tally, ...]
    months: tuple[Tally, ...]
    weeks: tuple[Tally, ...]
    each: tuple[Measured, ...]


def measured(one: Incident, responders: Sequence[Responder]) -> Measured:
    """One incident in numbers."""
    return Measured(
        incident=one,
        detect=_span(one.started_at, one.detected_at) or timedelta(0),
        acknowledge=_span(one.detected_at, one.acknowledged_at),
        respond=_respond(one),
        resolve=_span(one.detected_at, one.resolved_at),
        responders=len(responders),
        person_hours=person_hours(one, responders),
    )


def person_hours(one: Incident, responders: Iterable[Responder]) -> float | None:
    """The hours of everybody who worked on it; None while it goes on."""
    ended = one.resolved_at
    if ended is None:
        return None
    return sum(max(0.0, (ended - each.joined_at).total_seconds()) for each in responders) / 3_600


def measure(
    incidents: Iterable[Incident],
    responders: Mapping[str, Sequence[Responder]],
    since: datetime,
    until: datetime,
    zone: tzinfo,
) -> Measures:
    """Of those that were opened from `since` to `until`."""
    each = tuple(
        measured(one, responders.get(one.id, ()))
        for one in sorted(incidents, key=lambda one: (one.opened_at, one.id), reverse=True)
        if since <= one.opened_at < until and not one.drill and one.merged_into is None
    )
    months = _by(each, lambda one: [one.opened_at.astimezone(zone).strftime("%Y-%m")])
    weeks = _by(each, lambda one: [week_of(one.opened_at, zone)])
    services = _by(each, lambda one: list(one.services) or [NO_SERVICE])
    found = _by(each, lambda one: [one.severity.value])
    return Measures(
        since=since,
        until=until,
        total=tally("all", each),
        severities=tuple(tally(one.value, found.get(one.value, [])) for one in Severity),
        services=tuple(tally(name, services[name]) for name in sorted(services)),
        months=tuple(tally(name, months[name]) for name in sorted(months)),
        weeks=tuple(tally(name, weeks.get(name, [])) for name in _weeks(since, until, zone)),
        each=each,
    )


def tally(name: str, each: Sequence[Measured]) -> Tally:
    """Some of them together."""
    return Tally(
        name=name,
        incidents=len(each),
        detect=spread(one.detect for one in each),
        acknowledge=spread(one.acknowledge for one in each),
        respond=spread(one.respond for one in each),
        resolve=spread(one.resolve for one in each),
        users=_sum(one.incident.users_affected for one in each),
        person_hours=_sum(one.person_hours for one in each),
    )


def week_of(at: datetime, zone: tzinfo) -> str:
    """The ISO week of an instant by the clocks of a zone: `2026-W49`."""
    year, week, _ = at.astimezone(zone).isocalendar()
    return f"{year}-W{week:02}"


def spread(times: Iterable[timedelta | None]) -> Spread:
    """Of those that there are."""
    found = [one.total_seconds() for one in times if one is not None]
    if not found:
        return Spread(0)
    return Spread(
        len(found),
        timedelta(seconds=median(found)),
        timedelta(seconds=mean(found)),
        timedelta(seconds=max(found)),
    )


def _weeks(since: datetime, until: datetime, zone: tzinfo) -> list[str]:
    """Every week that any instant from `since` to before `until` is in."""
    first, last = since.astimezone(zone).date(), until.astimezone(zone).date()
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return list(dict.fromkeys(f"{one.isocalendar().year}-W{one.isocalendar().week:02}" for one in days))


def _sum(values: Iterable[NumberT | None]) -> NumberT | None:
    found = [one for one in values if one is not None]
    return sum(found[1:], start=found[0]) if found else None


def _respond(one: Incident) -> timedelta | None:
    # Clocks that began anew after the response, as it was opened again, are none of its.
    if one.responded_at is None:
        return None
    return _span(one.clocks_from if one.clocks_from <= one.responded_at else one.opened_at, one.responded_at)


def _by(each: Iterable[Measured], names: Callable[[Incident], list[str]]) -> dict[str, list[Measured]]:
    found: dict[str, list[Measured]] = {}
    for one in each:
        for name in names(one.incident):
            found.setdefault(name, []).append(one)
    return found


def _span(begin: datetime, end: datetime | None) -> timedelta | None:
    return max(end - begin, timedelta(0)) if end is not None else None
