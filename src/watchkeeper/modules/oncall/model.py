"""Who is on call at an instant, and the spans of a stretch of time. Pure: the schedule and the instant decide.

Shifts of days and weeks are counted in days of the local calendar from hand-over to hand-over, never in steps of 24
hours; shifts of hours are counted as they elapse. `local_time` says what ambiguous and missing local times mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from zoneinfo import ZoneInfo

from watchkeeper.modules.oncall.definition import Layer, Schedule, Temporary
from watchkeeper.modules.oncall.local_time import instant_of, local_date, occurrences, within
from watchkeeper.modules.oncall.words import WEEKDAYS, clock_of, parts_of

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Override:
    """Somebody stands in from `since` to `until`; with `instead_of`, only where that person would be on call."""

    id: str
    who: str
    since: datetime
    until: datetime
    instead_of: str | None = None


@dataclass(frozen=True)
class Roster:
    """A schedule and its overrides, the earlier made first: a later one goes before it."""

    schedule: Schedule
    overrides: tuple[Override, ...] = ()

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.schedule.time_zone)


class Cover(StrEnum):
    """How an instant is covered."""

    ONE = "one"
    DECLARED_GAP = "declared_gap"
    GAP = "gap"


@dataclass(frozen=True)
class Duty:
    """Who is on call at an instant and why. `also` are others whom the schedule wanted then too: double cover.

    `turn` is when the owner's turn began: of a layer's turn, of an override, of a shift.
    """

    who: str | None
    cover: Cover
    layer: str | None = None
    temporary: str | None = None
    override: str | None = None
    instead_of: str | None = None
    also: tuple[str, ...] = ()
    turn: datetime | None = None
    reason: str = ""


@dataclass(frozen=True)
class Span:
    """A duty from `since` (included) to `until` (not included)."""

    since: datetime
    until: datetime
    duty: Duty

    @property
    def who(self) -> str | None:
        return self.duty.who

    @property
    def length(self) -> timedelta:
        return self.until - self.since


def on_call(roster: Roster, at: datetime) -> Duty:
    """Exactly one owner, or a gap that says whether it is meant."""
    duty = _by_layers(roster, at)
    for one in roster.overrides:
        if one.since <= at < one.until and (one.instead_of is None or one.instead_of == duty.who):
            duty = _overridden(duty, one)
    return duty if duty.who is not None else _gap(roster, at)


def spans(roster: Roster, since: datetime, until: datetime) -> list[Span]:
    """The whole of [since, until) without holes or overlaps, in order; equal neighbours are one span."""
    if since >= until:
        return []
    edges = sorted({since, *(edge for edge in _edges(roster, since, until) if since < edge < until), until})
    found: list[Span] = []
    for begins, ends in pairwise(edges):
        duty = on_call(roster, begins)
        if found and found[-1].duty == duty:
            found[-1] = replace(found[-1], until=ends)
        else:
            found.append(Span(begins, ends, duty))
    return found


def merged(found: Iterable[Span]) -> list[Span]:
    """Neighbours of one owner as one span, whyever they own: what a person asks of a schedule."""
    joined: list[Span] = []
    for span in found:
        last = joined[-1] if joined else None
        if last is not None and (last.who, last.duty.cover, last.duty.also) == (
            span.who,
            span.duty.cover,
            span.duty.also,
        ):
            joined[-1] = replace(last, until=span.until)
        else:
            joined.append(span)
    return joined


def current_and_next(roster: Roster, at: datetime, *, within: timedelta) -> tuple[Span, Span | None]:
    """Who is on call and who follows, looking so far ahead; the first span ends there when nothing changes."""
    joined: list[Span] = []
    for span in spans(roster, at, at + within):
        if joined and (joined[-1].who, joined[-1].duty.cover) == (span.who, span.duty.cover):
            joined[-1] = replace(joined[-1], until=span.until)
        elif len(joined) == 2:
            break
        else:
            joined.append(span)
    return joined[0], joined[1] if len(joined) > 1 else None


def turn_of(layer: Layer, zone: ZoneInfo, at: datetime) -> tuple[int, datetime] | None:
    """The number of the turn at an instant and when it began; None before the first and after the last."""
    first = instant_of(layer.start, clock_of(layer.hand_over), zone)
    if at < first or (layer.until is not None and at >= layer.until):
        return None
    count, unit = parts_of(layer.shift)
    if unit == "h":
        number = (at - first) // timedelta(hours=count)
        return number, first + number * timedelta(hours=count)
    anchor, days = _anchor(layer), count * (7 if unit == "w" else 1)
    clock = clock_of(layer.hand_over)
    number = (local_date(at, zone) - anchor).days // days
    # The day alone may be one off: a hand-over later in the day, or a local time that clocks moved over midnight.
    while instant_of(anchor + (number + 1) * days * _DAY, clock, zone) <= at:
        number += 1
    while instant_of(anchor + number * days * _DAY, clock, zone) > at:
        number -= 1
    return number, max(instant_of(anchor + number * days * _DAY, clock, zone), first)


def _anchor(layer: Layer) -> date:
    """The day from which turns are counted: the hand-over's weekday at or before the start."""
    if layer.weekday is None:
        return layer.start
    return layer.start - (layer.start.weekday() - WEEKDAYS.index(layer.weekday)) % 7 * _DAY


def _wanted(layers: Iterable[Layer], zone: ZoneInfo, at: datetime) -> Iterator[tuple[Layer, str, datetime]]:
    """Every layer that has somebody, with whom and since when."""
    for layer in layers:
        turn = turn_of(layer, zone, at)
        if turn is not None and (not layer.hours or within(layer.hours, zone, at)):
            yield layer, layer.people[turn[0] % len(layer.people)], turn[1]


def _by_layers(roster: Roster, at: datetime) -> Duty:
    zone = roster.zone
    temporary = next((one for one in roster.schedule.temporary if one.since <= at < one.until), None)
    layers = roster.schedule.layers if temporary is None else temporary.layers
    named = temporary.name if temporary is not None else None
    found = [
        Duty(who, Cover.ONE, layer=layer.name, temporary=named, turn=turn)
        for layer, who, turn in _wanted(layers, zone, at)
    ]
    if temporary is not None:
        shifts = [one for one in temporary.shifts if one.since <= at < one.until]
        found = [*(Duty(one.who, Cover.ONE, temporary=named, turn=one.since) for one in shifts), *found]
    if not found:
        return Duty(None, Cover.GAP, temporary=named)
    first = found[0]
    others = dict.fromkeys(str(one.who) for one in found[1:] if one.who != first.who)
    return replace(first, also=tuple(others))


def _overridden(duty: Duty, one: Override) -> Duty:
    """An override goes before a layer: that is no double cover. Before another override that nobody lifted, it is."""
    also = duty.also
    if duty.override is not None and one.instead_of is None and duty.who is not None:
        also = (*also, duty.who)
    return Duty(
        one.who,
        Cover.ONE,
        override=one.id,
        instead_of=duty.who,
        also=tuple(dict.fromkeys(who for who in also if who != one.who)) if duty.override is not None else (),
        turn=one.since,
    )


def _gap(roster: Roster, at: datetime) -> Duty:
    zone = roster.zone
    for gap in roster.schedule.gaps:
        inside = (gap.since is None or gap.since <= at) and (gap.until is None or at < gap.until)
        if inside and (not gap.hours or within(gap.hours, zone, at)):
            return Duty(None, Cover.DECLARED_GAP, reason=gap.reason)
    return Duty(None, Cover.GAP)


def _edges(roster: Roster, since: datetime, until: datetime) -> Iterator[datetime]:
    """Every instant of the stretch at which the answer may change."""
    schedule, zone = roster.schedule, roster.zone
    for override in roster.overrides:
        yield from (override.since, override.until)
    for layer in schedule.layers:
        yield from _edges_of_layer(layer, zone, since, until)
    for one in schedule.temporary:
        if one.since < until and one.until > since:
            yield from _edges_of_temporary(one, zone, max(one.since, since), min(one.until, until))
    for gap in schedule.gaps:
        yield from (edge for edge in (gap.since, gap.until) if edge is not None)
        for hours in gap.hours:
            for pair in occurrences(hours, zone, since, until):
                yield from pair


def _edges_of_temporary(one: Temporary, zone: ZoneInfo, since: datetime, until: datetime) -> Iterator[datetime]:
    yield from (one.since, one.until)
    for shift in one.shifts:
        yield from (shift.since, shift.until)
    for layer in one.layers:
        yield from _edges_of_layer(layer, zone, since, until)


def _edges_of_layer(layer: Layer, zone: ZoneInfo, since: datetime, until: datetime) -> Iterator[datetime]:
    first = instant_of(layer.start, clock_of(layer.hand_over), zone)
    yield first
    if layer.until is not None:
        yield layer.until
        until = min(until, layer.until)
    since = max(since, first)
    if since >= until:
        return
    turn = turn_of(layer, zone, since)
    number = turn[0] if turn is not None else 0
    while (begins := _beginning(layer, zone, number, first)) < until:
        yield begins
        number += 1
    for hours in layer.hours:
        for pair in occurrences(hours, zone, since, until):
            yield from pair


def _beginning(layer: Layer, zone: ZoneInfo, number: int, first: datetime) -> datetime:
    count, unit = parts_of(layer.shift)
    if unit == "h":
        return first + number * timedelta(hours=count)
    return instant_of(
        _anchor(layer) + number * count * (7 if unit == "w" else 1) * _DAY, clock_of(layer.hand_over), zone
    )
