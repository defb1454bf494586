"""The one place that reads the clock; everything else is handed an instant or a `Clock`."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What tells the time: `now` for instants, `monotonic` for durations."""

    def now(self) -> datetime:
        """The current instant, aware and in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go backwards; only differences mean anything."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class ManualClock:
    """A clock that stands still until it is moved; for tests and rehearsals."""

    def __init__(self, now: datetime) -> None:
        self._now = require_utc(now)
        self._elapsed = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._elapsed

    def advance(self, by: timedelta) -> None:
        """Move both readings forward by `by`; a negative step raises ValueError."""
        if by < timedelta(0):
            raise ValueError("a clock is only moved forward; use jump() for a wall clock that is set back")
        self._now += by
        self._elapsed += by.total_seconds()

    def jump(self, to: datetime) -> None:
        """Set the wall clock only, as an operator or NTP would; `monotonic` does not notice."""
        self._now = require_utc(to)


def require_utc(instant: datetime) -> datetime:
    """The same instant in UTC; raises ValueError when it carries no zone."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant.isoformat()} has no time zone")
    return instant.astimezone(UTC)


def from_unix_nano(nanoseconds: int) -> datetime:
    """The UTC instant of nanoseconds since 1970, cut to whole microseconds."""
    return datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC) + timedelta(
        microseconds=nanoseconds % 1_000_000_000 // 1_000
    )


def to_unix_nano(instant: datetime) -> int:
    """Nanoseconds since 1970 of an aware instant."""
    since = require_utc(instant) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000


def rfc3339(instant: datetime) -> str:
    """`2026-03-29T01:00:00.000000Z`: UTC, always with microseconds, so that text sorts as time."""
    return require_utc(instant).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_rfc3339(text: str) -> datetime:
    """The UTC instant of an RFC 3339 text; raises ValueError when it is malformed or has no zone."""
    return require_utc(datetime.fromisoformat(text))
