"""The laws of schedules, each for any roster: the tests take a few thousand of them, the bench a hundred thousand."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from tests.oncall.oracle import DAY, MINUTE, owner
from watchkeeper.modules.oncall.definition import Layer
from watchkeeper.modules.oncall.local_time import instant_of
from watchkeeper.modules.oncall.model import Cover, Override, Roster, on_call, spans, turn_of
from watchkeeper.modules.oncall.words import clock_of

LENGTH = timedelta(days=8)


def spans_partition_time(roster: Roster, at: datetime) -> None:
    """From the first instant to the last, each one belongs to exactly one span, with an owner or a gap."""
    since, until = at - LENGTH / 2, at + LENGTH / 2
    found = spans(roster, since, until)
    assert found[0].since == since
    assert found[-1].until == until
    for before, after in pairwise(found):
        assert before.until == after.since
        assert before.duty != after.duty
    for span in found:
        assert span.since < span.until
        assert (span.who is None) == (span.duty.cover is not Cover.ONE)
        assert span.who not in span.duty.also


def on_call_agrees_with_spans(roster: Roster, at: datetime) -> None:
    """At the beginning, in the middle and in the last second of each span the answer is the span's."""
    for span in spans(roster, at - DAY, at + DAY):
        for moment in (span.since, span.since + span.length / 2, span.until - timedelta(seconds=1)):
            if moment >= span.since:
                assert on_call(roster, moment) == span.duty


def as_the_wall_clock_says(roster: Roster, at: datetime, minutes: int = 3) -> None:
    """The same as dealing out turns by hand with an eye on the clock, minute by minute."""
    for step in range(minutes):
        moment = at.replace(second=0, microsecond=0) + step * MINUTE
        assert on_call(roster, moment).who == owner(roster, moment)


def an_override_changes_nothing_outside_it(roster: Roster, at: datetime, extra: Override) -> None:
    """Whatever else there is: before it begins and from its end on, all is as without it."""
    more = replace(roster, overrides=(*roster.overrides, extra))
    for moment in (at, extra.since - timedelta(seconds=1), extra.until, extra.until + timedelta(hours=5)):
        if not extra.since <= moment < extra.until:
            assert on_call(more, moment) == on_call(roster, moment)
    if extra.instead_of is None:
        assert on_call(more, extra.since).who == extra.who


def a_rotation_repeats(layer: Layer, zone_name: str, at: datetime) -> None:
    """After as many shifts as there are people, at the same time by the layer's own measure, it is the same one."""
    zone = ZoneInfo(zone_name)
    turn = turn_of(layer, zone, at)
    if turn is None:
        return
    number, unit = int(layer.shift[:-1]), layer.shift[-1]
    rounds = len(layer.people)
    if unit == "h":
        later = at + timedelta(hours=number * rounds)
    else:
        # In the middle of the same turn of the next round: clocks may have moved in between.
        clock = clock_of(layer.hand_over)
        day = turn[1].astimezone(zone).date()
        # A hand-over at a time that never came may have moved over midnight: its day is the one before.
        if instant_of(day - timedelta(days=1), clock, zone) == turn[1]:
            day -= timedelta(days=1)
        later = instant_of(day + timedelta(days=number * (7 if unit == "w" else 1) * rounds), clock, zone)
    again = turn_of(layer, zone, later)
    assert again is not None
    assert again[0] == turn[0] + rounds
    assert layer.people[again[0] % rounds] == layer.people[turn[0] % rounds]
