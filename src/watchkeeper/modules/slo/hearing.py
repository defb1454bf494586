"""Which minutes of a source were measured: those in which it said something, and silences that were short. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from datetime import timedelta

from watchkeeper.modules.slo.model import Counts
from watchkeeper.modules.slo.series import HOUR, MINUTE

LONGEST_GAP = HOUR  # a source may be silent so long, whatever an SLO says, before its minutes are not measured


class Heard:
    """The minutes (Unix seconds) in which a source said anything."""

    __slots__ = ("_minutes",)

    def __init__(self, minutes: Iterable[int] = ()) -> None:
        self._minutes = sorted(minutes)

    @property
    def newest(self) -> int | None:
        """The last of them."""
        return self._minutes[-1] if self._minutes else None

    def add(self, minutes: Iterable[int]) -> None:
        """Hear it in these, too."""
        for minute in sorted(minutes):
            if not self._minutes or minute > self._minutes[-1]:
                self._minutes.append(minute)
                continue
            place = bisect_left(self._minutes, minute)
            if self._minutes[place] != minute:
                self._minutes.insert(place, minute)

    def forget(self, before: int) -> None:
        """Drop what was heard before an instant."""
        del self._minutes[: bisect_left(self._minutes, before)]

    def measured(self, silent_after: timedelta, since: int, until: int, now: float) -> dict[int, Counts]:
        """The seconds that were measured of each minute in [since, until), from the first in which it was heard on.

        A silence is measured while it lasts no longer than `silent_after`; of a longer one no minute was, from its
        first on, though while it was short that was not known.
        """
        gap = min(int(silent_after.total_seconds()), LONGEST_GAP)
        place = bisect_left(self._minutes, since)
        last = self._minutes[place - 1] if place else None
        found: dict[int, Counts] = {}
        for minute in range(since, until, MINUTE):
            if minute >= now:
                break
            if place < len(self._minutes) and self._minutes[place] == minute:
                last = minute
                place += 1
            if last is None:
                continue
            following = self._minutes[place] if place < len(self._minutes) else now
            quiet = minute != last and following - last - MINUTE > gap
            found[minute] = Counts() if quiet else Counts(0.0, 0.0, min(float(MINUTE), now - minute))
        return found
