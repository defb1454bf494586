"""From local days and times to instants, the same in every zone and through every change of clocks. Pure.

A local time that comes twice (clocks go back) is its first occurrence. One that never comes (clocks go forward) is as
much later as the clocks jumped: 02:30 becomes 03:30. RFC 5545 says the same of calendars, so feeds agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from watchkeeper.modules.oncall.definition import Hours
from watchkeeper.modules.oncall.words import WEEKDAYS, clock_of

_DAY = timedelta(days=1)


@lru_cache(maxsize=20_000)
def instant_of(day: date, at: time, zone: ZoneInfo) -> datetime:
    """When it is that time on that day there, in UTC."""
    # fold=0 is the first of two, and in a gap counts on with the offset before it.
    return datetime.combine(day, at, tzinfo=zone).astimezone(UTC)


def local_date(at: datetime, zone: ZoneInfo) -> date:
    """The day there."""
    return at.astimezone(zone).date()


def occurrences(hours: Hours, zone: ZoneInfo, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """When the hours are, each as [start, end), of all that touch [since, until)."""
    start, end = clock_of(hours.start), clock_of(hours.end)
    over_midnight = _DAY if end <= start else timedelta(0)
    # Two days more on each side: a window may have begun yesterday, and a zone may have left out a day.
    day, last = local_date(since, zone) - 2 * _DAY, local_date(until, zone) + 2 * _DAY
    wanted = {WEEKDAYS.index(one) for one in hours.days}
    while day <= last:
        if day.weekday() in wanted:
            begins, ends = instant_of(day, start, zone), instant_of(day + over_midnight, end, zone)
            if begins < ends and begins < until and ends > since:
                yield begins, ends
        day += _DAY


def within(hours: Iterable[Hours], zone: ZoneInfo, at: datetime) -> bool:
    """Whether an instant is in any of these hours."""
    just_after = at + timedelta(seconds=1)
    return any(begins <= at < ends for one in hours for begins, ends in occurrences(one, zone, at, just_after))
