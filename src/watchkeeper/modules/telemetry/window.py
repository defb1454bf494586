"""Which times are believed: a sender's clock may be wrong by a day, and a year-old record is past all keeping."""

from __future__ import annotations

from dataclasses import dataclass

from watchkeeper.modules.telemetry.model import DAY, MINUTE

AHEAD = 10 * MINUTE


@dataclass(frozen=True)
class Window:
    """Times in nanoseconds since 1970 that a record may carry, seen from the moment it arrived."""

    now: int
    earliest: int
    latest: int
    latest_end: int

    @classmethod
    def at(cls, now: int, raw_days: int) -> Window:
        """From as far back as raw data is kept to ten minutes ahead."""
        return cls(now, now - raw_days * DAY, now + AHEAD, now + AHEAD)

    def complaint(self, what: str, start: int, end: int | None = None) -> str:
        """Why a time is not taken, in words for the sender's log."""
        if start > self.latest or (end is not None and end > self.latest_end):
            ahead = (max(start, end or 0) - self.now) / MINUTE
            return f"a {what} is {ahead:.0f} minutes ahead of the server's clock; up to {AHEAD // MINUTE} are taken"
        if end is not None and end < start:
            return f"a {what} ends before it starts"
        if start == 0:
            return f"a {what} has no time"
        days = (self.now - start) / DAY
        return f"a {what} is {days:.0f} days old; raw data is kept {(self.now - self.earliest) // DAY} days"

    def holds(self, time: int) -> bool:
        return self.earliest <= time <= self.latest
