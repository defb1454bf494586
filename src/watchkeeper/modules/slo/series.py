"""Counts of one objective over time, held so that any window's sum takes the same few steps. Pure, in memory."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import timedelta

from watchkeeper.modules.slo.model import Counts

MINUTE, FIVE_MINUTES, HOUR = 60, 300, 3_600
_MINUTES_KEPT = 8 * 60
_FIVES_KEPT = (3 * 24 + 8) * 12


class Level:
    """Bins of one width, kept as running sums: the sum of a stretch is the difference of two of them.

    Times are Unix seconds. Within a bin events are taken as evenly spread, except in the newest, which holds what came
    so far.
    """

    __slots__ = ("_good", "_keep", "_measured", "_total", "first", "width")

    def __init__(self, width: int, keep: int) -> None:
        self.width = width
        self.first = 0
        self._keep = keep
        self._good = array("d", [0.0])
        self._total = array("d", [0.0])
        self._measured = array("d", [0.0])

    def __len__(self) -> int:
        return len(self._good) - 1

    @property
    def start(self) -> int:
        """When the oldest bin begins."""
        return self.first * self.width

    def bin(self, at: int) -> Counts:
        """The bin that begins at `at`; nothing where there is none."""
        index = at // self.width - self.first
        if not 0 <= index < len(self):
            return Counts()
        return Counts(*(sums[index + 1] - sums[index] for sums in self._sums()))

    def add(self, at: int, change: Counts) -> bool:
        """Add to the bin that holds `at`; False when that is older than all that are kept."""
        index = at // self.width
        if not len(self):
            self.first = index
        position = index - self.first
        if position < 0:
            if len(self) - position > self._keep:
                return False
            self._grow_back(-position)
            position = 0
        for sums, by in zip(self._sums(), (change.good, change.total, change.measured), strict=True):
            missing = position + 2 - len(sums)
            if missing > 0:
                sums.extend([sums[-1]] * missing)
            if by:
                for later in range(position + 1, len(sums)):
                    sums[later] += by
        if len(self) > 2 * self._keep:
            self._forget(len(self) - self._keep)
        return True

    def between(self, since: float, until: float) -> Counts:
        """The sum of [since, until)."""
        if until <= since or not len(self):
            return Counts()
        low, high = self._place(since), self._place(until, whole_newest=True)
        return Counts(
            _at(self._good, high) - _at(self._good, low),
            _at(self._total, high) - _at(self._total, low),
            _at(self._measured, high) - _at(self._measured, low),
        )

    def since_events(self, count: float, until: float, earliest: float) -> float:
        """The latest instant from which on there were `count` events until `until`, not before `earliest`."""
        wanted = _at(self._total, self._place(until, whole_newest=True)) - count
        if not len(self) or wanted < self._total[0]:
            return earliest
        index = max(0, bisect_left(self._total, wanted + 1e-9) - 1)
        return max(earliest, float((self.first + index) * self.width))

    def _sums(self) -> tuple[array[float], array[float], array[float]]:
        return self._good, self._total, self._measured

    def _place(self, instant: float, *, whole_newest: bool = False) -> float:
        bins = len(self._good) - 1
        place = min(max(0.0, instant / self.width - self.first), float(bins))
        return float(bins) if whole_newest and place > bins - 1 else place

    def _grow_back(self, bins: int) -> None:
        for sums in self._sums():
            sums[0:0] = array("d", [sums[0]] * bins)
        self.first -= bins

    def _forget(self, bins: int) -> None:
        for sums in self._sums():
            del sums[:bins]
        self.first += bins


def _at(sums: array[float], place: float) -> float:
    index = int(place)
    below = sums[index]
    part = place - index
    return below + part * (sums[index + 1] - below) if part > 0 else below


class Series:
    """Minutes of the last hours, five minutes of the last days, hours of all the SLO's window."""

    __slots__ = ("fives", "hours", "minutes")

    def __init__(self, window: timedelta) -> None:
        self.minutes = Level(MINUTE, _MINUTES_KEPT)
        self.fives = Level(FIVE_MINUTES, _FIVES_KEPT)
        self.hours = Level(HOUR, max(24, round(window.total_seconds() / HOUR) + 26))

    def put(self, minute: int, counts: Counts) -> None:
        """What is known of a minute now (Unix seconds of its beginning); what was known before is replaced."""
        before = self.minutes.bin(minute)
        if before == counts and len(self.minutes):
            return
        change = Counts(counts.good - before.good, counts.total - before.total, counts.measured - before.measured)
        if self.minutes.add(minute, change):
            self.fives.add(minute, change)
            self.hours.add(minute, change)

    def put_hour(self, hour: int, minutes: Sequence[Counts], *, recent: bool) -> None:
        """Sixty minutes of an hour that is over; they are kept one by one if it is `recent`, or if others are."""
        whole = Counts()
        for number in range(12):
            five = sum(minutes[number * 5 : number * 5 + 5], Counts())
            _set(self.fives, hour + number * FIVE_MINUTES, five)
            whole = whole + five
        for number, counts in enumerate(minutes):
            if recent or (len(self.minutes) and hour + number * MINUTE >= self.minutes.start):
                _set(self.minutes, hour + number * MINUTE, counts)
        _set(self.hours, hour, whole)

    def put_whole_hours(self, hours: Iterable[tuple[int, Counts]]) -> None:
        """Hours that are told as a whole: history of which no minutes are kept."""
        for hour, counts in hours:
            _set(self.hours, hour, counts)

    def window(self, length: timedelta, now: float) -> Counts:
        """What was counted in the last `length`."""
        return self.between(now - length.total_seconds(), now)

    def between(self, since: float, until: float) -> Counts:
        """From the finest bins that reach back that far."""
        return self.finest(since).between(since, until)

    def finest(self, since: float) -> Level:
        """The finest bins that reach back that far."""
        oldest = self.hours.start + HOUR
        for level in (self.minutes, self.fives):
            # Where nothing is older than what a finer level begins with, it need not reach back further.
            if len(level) and (since >= level.start or level.start < oldest):
                return level
        return self.hours

    def since_events(self, count: float, until: float, earliest: float) -> float:
        """As of a level: to the minute, or to five of them hours ago."""
        found = self.minutes.since_events(count, until, earliest)
        if found > max(earliest, self.minutes.start) or not len(self.fives):
            return found
        return self.fives.since_events(count, until, earliest)


def _set(level: Level, at: int, counts: Counts) -> None:
    before = level.bin(at)
    if before != counts:
        level.add(at, Counts(counts.good - before.good, counts.total - before.total, counts.measured - before.measured))
