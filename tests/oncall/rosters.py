"""Schedules of any shape in any zone, near the instants at which clocks change there, for Hypothesis."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import strategies as st

from watchkeeper.modules.oncall.definition import DeclaredGap, Hours, Layer, Schedule, Shift, Temporary
from watchkeeper.modules.oncall.model import Override, Roster
from watchkeeper.modules.oncall.words import WEEKDAYS

ZONES = sorted(one for one in available_timezones() if one not in ("Factory", "localtime"))
NAMED = ("Europe/London", "America/Chicago", "Australia/Lord_Howe", "Pacific/Apia", "Europe/Dublin")
FIRST, LAST = datetime(2024, 1, 1, tzinfo=UTC), datetime(2038, 1, 1, tzinfo=UTC)
PEOPLE = ("ann", "ben", "cleo", "dev", "eli")
_STEP = timedelta(days=4)


@lru_cache(maxsize=700)
def transitions(name: str) -> tuple[datetime, ...]:
    """Every instant from 2024 to 2037 at which clocks change there, to the second."""
    zone = ZoneInfo(name)
    found, at = [], FIRST
    while at < LAST:
        if at.astimezone(zone).utcoffset() != (at + _STEP).astimezone(zone).utcoffset():
            early, late = at, at + _STEP
            while late - early > timedelta(seconds=1):
                middle = early + timedelta(seconds=(late - early) // timedelta(seconds=2))
                same = middle.astimezone(zone).utcoffset() == early.astimezone(zone).utcoffset()
                early, late = (middle, late) if same else (early, middle)
            found.append(late)
        at += _STEP
    return tuple(found)


@st.composite
def moments(draw: st.DrawFn, zone: str) -> datetime:
    """An instant: half of them within two days of a change of clocks, where there is one."""
    changes = transitions(zone)
    if changes and draw(st.booleans()):
        near = draw(st.sampled_from(changes))
        return near + timedelta(minutes=draw(st.integers(-2 * 24 * 60, 2 * 24 * 60)))
    return FIRST + timedelta(minutes=draw(st.integers(0, int((LAST - FIRST) / timedelta(minutes=1)) - 1)))


local_times = st.one_of(
    st.sampled_from(["00:00", "01:30", "02:00", "02:30", "03:00", "09:00", "23:59"]),
    st.times().map(lambda at: time(at.hour, at.minute).isoformat("minutes")),
)
hours = st.builds(
    Hours,
    days=st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=7, unique=True).map(tuple),
    start=local_times,
    end=st.one_of(local_times, st.just("24:00")),
)
shifts = st.one_of(
    st.integers(1, 60).map(lambda count: f"{count}h"),
    st.integers(1, 10).map(lambda count: f"{count}d"),
    st.integers(1, 5).map(lambda count: f"{count}w"),
)


@st.composite
def layers(draw: st.DrawFn, name: str, near: date) -> Layer:
    shift = draw(shifts)
    return Layer(
        name=name,
        people=tuple(draw(st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=4))),
        shift=shift,
        hand_over=draw(local_times),
        weekday=draw(st.sampled_from((None, *WEEKDAYS))) if shift.endswith("w") else None,
        start=near + timedelta(days=draw(st.integers(-40, 3))),
        hours=tuple(draw(st.lists(hours, max_size=2))),
    )


@st.composite
def stretches(draw: st.DrawFn, around: datetime) -> tuple[datetime, datetime]:
    since = around + timedelta(minutes=draw(st.integers(-4 * 24 * 60, 4 * 24 * 60)))
    return since, since + timedelta(minutes=draw(st.integers(1, 3 * 24 * 60)))


@st.composite
def overrides(draw: st.DrawFn, around: datetime, number: int = 0) -> Override:
    since, until = draw(stretches(around))
    return Override(
        id=f"ovr_{number}",
        who=draw(st.sampled_from(PEOPLE)),
        since=since,
        until=until,
        instead_of=draw(st.sampled_from((None, *PEOPLE))),
    )


@st.composite
def temporaries(draw: st.DrawFn, around: datetime, number: int) -> Temporary:
    since, until = draw(stretches(around))
    near = around.date()
    found = tuple(draw(layers(f"t{one}", near)) for one in range(draw(st.integers(0, 1))))
    planned = tuple(
        Shift(who=draw(st.sampled_from(PEOPLE)), since=begins, until=ends)
        for begins, ends in draw(st.lists(stretches(around), min_size=0 if found else 1, max_size=2))
    )
    return Temporary(name=f"temporary-{number}", since=since, until=until, layers=found, shifts=planned)


@st.composite
def gaps(draw: st.DrawFn, around: datetime) -> DeclaredGap:
    if draw(st.booleans()):
        return DeclaredGap(reason="nights", hours=(draw(hours),))
    since, until = draw(stretches(around))
    return DeclaredGap(reason="holiday", since=since, until=until)


@st.composite
def rosters(draw: st.DrawFn, zones: tuple[str, ...] = ()) -> tuple[Roster, datetime]:
    """A schedule with its overrides, and an instant near which all of it happens."""
    zone = draw(st.sampled_from(zones or ZONES))
    at = draw(moments(zone))
    near = at.date()
    schedule = Schedule(
        name="primary",
        time_zone=zone,
        layers=tuple(draw(layers(f"layer-{one}", near)) for one in range(draw(st.integers(1, 3)))),
        temporary=tuple(draw(temporaries(at, one)) for one in range(draw(st.integers(0, 1)))),
        gaps=tuple(draw(st.lists(gaps(at), max_size=1))),
    )
    made = tuple(draw(overrides(at, one)) for one in range(draw(st.integers(0, 2))))
    return Roster(schedule, made), at
