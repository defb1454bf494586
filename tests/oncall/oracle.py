"""Who is on call, found out another way: a day is walked minute by minute with the clocks on the wall.

Nothing of the product's arithmetic is used. What a clock on the wall shows is compared with what the schedule says;
what the wall shows twice counts the first time, what it skips counts with the clock that was not moved yet.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from watchkeeper.modules.oncall.definition import Hours, Layer
from watchkeeper.modules.oncall.model import Roster
from watchkeeper.modules.oncall.words import WEEKDAYS

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@lru_cache(maxsize=50_000)
def first_showing(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The first minute at which the wall shows this; where it never does, as if the clocks had stood still."""
    wanted = datetime.combine(day, at)
    guess = wanted.replace(tzinfo=UTC) - timedelta(hours=28)
    before: timedelta | None = None
    for step in range(60):  # hour by hour to where it may be
        probe = guess + timedelta(hours=step)
        shown = probe.astimezone(zone).replace(tzinfo=None)
        if shown > wanted - timedelta(hours=2):
            guess, before = probe - timedelta(hours=1), (probe - timedelta(hours=1)).astimezone(zone).utcoffset()
            break
    for step in range(30 * 60):
        probe = guess + step * MINUTE
        shown = probe.astimezone(zone).replace(tzinfo=None)
        if shown == wanted:
            return probe
        if shown > wanted:
            # Jumped over: what the old offset makes of it.
            assert before is not None
            old = (probe - MINUTE).astimezone(zone).utcoffset()
            assert old is not None
            return wanted.replace(tzinfo=UTC) - old
    raise AssertionError(f"{wanted} is nowhere in {zone}")


def in_hours(hours: Hours, zone: ZoneInfo, at: datetime) -> bool:
    start, end = time.fromisoformat(hours.start), time(0) if hours.end == "24:00" else time.fromisoformat(hours.end)
    around = at.astimezone(zone).date()
    for back in (-1, 0, 1, 2, 3):
        day = around - back * DAY
        if WEEKDAYS[day.weekday()] in hours.days:
            ends_on = day if end > start else day + DAY
            if first_showing(day, start, zone) <= at < first_showing(ends_on, end, zone):
                return True
    return False


def holder(layer: Layer, zone: ZoneInfo, at: datetime) -> str | None:
    """Turns are dealt out one by one from the first, as people do on paper."""
    clock = time.fromisoformat(layer.hand_over)
    begins = first_showing(layer.start, clock, zone)
    if at < begins:
        return None
    number, unit = int(layer.shift[:-1]), layer.shift[-1]
    day, turn = layer.start, 0
    if unit == "w" and layer.weekday is not None:
        while WEEKDAYS[day.weekday()] != layer.weekday:
            day -= DAY
    edge = begins
    while True:
        if unit == "h":
            edge += timedelta(hours=number)
        else:
            day += number * (7 if unit == "w" else 1) * DAY
            edge = first_showing(day, clock, zone)
        if at < edge:
            break
        turn += 1
    if layer.hours and not any(in_hours(one, zone, at) for one in layer.hours):
        return None
    return layer.people[turn % len(layer.people)]


def owner(roster: Roster, at: datetime) -> str | None:
    """Who is on call at a whole minute."""
    zone = ZoneInfo(roster.schedule.time_zone)
    layers, planned = roster.schedule.layers, None
    for temporary in roster.schedule.temporary:
        if temporary.since <= at < temporary.until:
            layers = temporary.layers
            planned = next((one.who for one in temporary.shifts if one.since <= at < one.until), None)
            break
    found = planned
    for layer in layers if found is None else ():
        found = holder(layer, zone, at)
        if found is not None:
            break
    for override in roster.overrides:
        if override.since <= at < override.until and override.instead_of in (None, found):
            found = override.who
    return found
