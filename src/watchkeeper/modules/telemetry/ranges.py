"""Time ranges as people and programs ask for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from watchkeeper.kernel.clock import parse_rfc3339, to_unix_nano
from watchkeeper.kernel.errors import Complaint
from watchkeeper.modules.telemetry.errors import QueryInvalid
from watchkeeper.modules.telemetry.model import DAY, HOUR, MINUTE, SECOND

_RELATIVE = re.compile(r"^(\d{1,5})([smhd])$")
_UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
LONGEST = 400 * DAY
# Of nanoseconds since 1970 that fit 64 bits, with room to add and subtract: until the year 2200.
_LAST_INSTANT = 84_000 * DAY
MOST_POINTS = 1_500
_STEPS = (MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, DAY)
_POINTS_WANTED = 130


@dataclass(frozen=True)
class Range:
    """since <= time < until, in nanoseconds since 1970."""

    since: int
    until: int

    @property
    def length(self) -> int:
        return self.until - self.since

    def step(self, asked: str | None = None) -> int:
        """Nanoseconds between points: as asked (a multiple of a minute), or so that about 130 points fill a chart.

        Raises QueryInvalid.
        """
        if asked is None:
            return next((step for step in _STEPS if self.length / step <= _POINTS_WANTED), DAY)
        step = duration_of(asked, "query.step")
        if step % MINUTE or self.length / step > MOST_POINTS:
            raise _invalid("query.step", f"whole minutes, and at most {MOST_POINTS} points in the range")
        return step

    def points(self, step: int) -> list[int]:
        """The starts of the steps that cover the range."""
        return list(range(self.since // step * step, self.until, step))

    def backwards(self) -> Iterator[Range]:
        """The range in slices, newest first and growing, so that a list is filled from as few parts as possible."""
        until, size = self.until, HOUR
        while until > self.since:
            since = max(self.since, (until - size) // HOUR * HOUR)
            yield Range(since, until)
            until, size = since, size * 3


def range_of(since: str | None, until: str | None, now: datetime, *, default: str = "1h") -> Range:
    """From texts such as `15m`, `24h` (before now) or RFC 3339. Raises QueryInvalid."""
    end = instant_of(until, now, "query.until") if until else to_unix_nano(now)
    start = instant_of(since or default, now, "query.since")
    if start >= end:
        raise _invalid("query.since", "an instant before `until`")
    if end - start > LONGEST:
        raise _invalid("query.since", "a range of at most 400 days")
    return Range(start, end)


def instant_of(text: str, now: datetime, where: str) -> int:
    """Nanoseconds since 1970 of `15m` (that long ago) or an RFC 3339 instant. Raises QueryInvalid."""
    if _RELATIVE.match(text):
        return to_unix_nano(now) - duration_of(text, where)
    try:
        instant = to_unix_nano(parse_rfc3339(text))
    except (ValueError, OverflowError):  # the first hours of the year 1 have no UTC
        raise _invalid(where, "such as 15m, 6h, 7d or 2026-03-29T01:00:00Z") from None
    if not 0 <= instant <= _LAST_INSTANT:
        raise _invalid(where, "an instant from 1970 on and before 2199")
    return instant


def duration_of(text: str, where: str) -> int:
    """Nanoseconds of `30s`, `5m`, `2h` or `7d`. Raises QueryInvalid."""
    match = _RELATIVE.match(text)
    if match is None or int(match[1]) == 0:
        raise _invalid(where, "such as 30s, 5m, 2h or 7d")
    return int(match[1]) * _UNITS[match[2]]


def _invalid(where: str, expected: str) -> QueryInvalid:
    return QueryInvalid("The query is not valid.", complaints=[Complaint(where, expected)])
