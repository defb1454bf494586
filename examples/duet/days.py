"""Duet's days are short: what a product does each morning, it does every two minutes.

An hour is five seconds, and 09:00 in London is 45 seconds after each even minute. Regions have their standard time all
year round.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

DAY_SECONDS = 120.0
HOURS_FROM_UTC = {"DE": 1, "FR": 1, "GB": 0, "US": -5}
PROMISED_HOUR, GRACE_HOURS = 9.0, 2.0


@dataclass(frozen=True)
class Morning:
    """A day of a region. `until` is when its offers are late, in Unix seconds."""

    region: str
    day: int
    until: float


def local_time(at: float, region: str, day_seconds: float = DAY_SECONDS) -> tuple[int, float]:
    """The day's number and the hour (0 to 24) there, at this instant in Unix seconds."""
    days = at / day_seconds + HOURS_FROM_UTC[region] / 24
    return math.floor(days), days % 1 * 24


def hour_of(text: str) -> float:
    """`09:30` is 9.5."""
    hours, minutes = text.split(":")
    return int(hours) + int(minutes) / 60


@dataclass
class Mornings:
    """Says once for each day of each region when its offers are to be made, and when they are late.

    A day whose promised hour had passed at the start (`since`) is left out, unless it was `begun` before: nobody was
    there to keep the promise.
    """

    since: float
    day_seconds: float = DAY_SECONDS
    begun: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._made: dict[str, int] = {}
        self._counted: dict[str, int] = {}
        for region in HOURS_FROM_UTC:
            day, hour = local_time(self.since, region, self.day_seconds)
            ran = self.begun.get(region) == day and hour < PROMISED_HOUR + GRACE_HOURS
            passed = day if hour >= PROMISED_HOUR and not ran else day - 1
            self._made[region] = self._counted[region] = passed

    def to_make(self, at: float, from_hour: float) -> list[Morning]:
        """Days whose offers are to be made from now on."""
        return self._next(self._made, at, from_hour)

    def late(self, at: float) -> list[Morning]:
        """Days whose offers are late from now on."""
        return self._next(self._counted, at, PROMISED_HOUR + GRACE_HOURS)

    def _next(self, done: dict[str, int], at: float, from_hour: float) -> list[Morning]:
        found = []
        for region in HOURS_FROM_UTC:
            day, hour = local_time(at, region, self.day_seconds)
            if hour < from_hour:
                day -= 1
            if day > done[region]:
                done[region] = day
                found.append(Morning(region, day, self._until(region, day)))
        return found

    def _until(self, region: str, day: int) -> float:
        hours = PROMISED_HOUR + GRACE_HOURS - HOURS_FROM_UTC[region]
        return (day + hours / 24) * self.day_seconds
