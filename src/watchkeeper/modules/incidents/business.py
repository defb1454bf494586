"""Business hours: working days and their hours in a zone, with holidays. Pure; exact through every change of clocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
# Beyond it a calendar has no open hour at all.
_LONGEST_LOOK = 3_700


@dataclass(frozen=True)
class BusinessHours:
    """When somebody is at work. `days`: 0 is Monday; at least one."""

    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    opens: time = time(9)
    closes: time = time(17)
    days: frozenset[int] = frozenset(range(5))
    holidays: frozenset[date] = frozenset()

    def is_working_day(self, day: date) -> bool:
        return day.weekday() in self.days and day not in self.holidays

    def hours_of(self, day: date) -> tuple[datetime, datetime] | None:
        """When it opens and closes on a local day; None on a day without hours.

        A wall time that a change of clocks skips is the instant that it would have been; where that leaves nothing
        between opening and closing, the day has no hours.
        """
        if not self.is_working_day(day):
            return None
        opens = datetime.combine(day, self.opens, self.zone).astimezone(UTC)
        closes = datetime.combine(day, self.closes, self.zone).astimezone(UTC)
        return (opens, closes) if closes > opens else None


def spans(hours: BusinessHours, since: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Every stretch of business hours from an instant on, in order; the first may have begun before."""
    # A day earlier: that of the zone may still be going on when UTC's is over.
    first = since.astimezone(hours.zone).date() - _DAY
    for number in range(_LONGEST_LOOK):
        found = hours.hours_of(first + number * _DAY)
        if found is not None and found[1] > since:
            yield max(found[0], since), found[1]


def between(hours: BusinessHours, begin: datetime, end: datetime) -> timedelta:
    """How much of the time from `begin` to `end` are business hours."""
    total = timedelta(0)
    for opens, closes in spans(hours, begin):
        if opens >= end:
            break
        total += min(closes, end) - opens
    return total


def after(hours: BusinessHours, begin: datetime, length: timedelta) -> datetime:
    """When so much of business hours has gone by since `begin`."""
    left = length
    for opens, closes in spans(hours, begin):
        if closes - opens >= left:
            return opens + left
        left -= closes - opens
    return begin + length


def closing(hours: BusinessHours, at: datetime) -> datetime:
    """The end of the working day that goes on at `at`, or else of the next one."""
    return next((closes for _, closes in spans(hours, at)), at)
