"""What keeps pages back: silences, and maintenance windows with their arithmetic of days and time zones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from watchkeeper.modules.alerts.matching import Matcher

LONGEST_WINDOW = timedelta(days=31)
LONGEST_WEEKLY = timedelta(days=6)
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, kw_only=True)
class Silence:
    """Alerts that fulfil all matchers page nobody from `starts_at` until `ends_at`."""

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: datetime
    ends_at: datetime
    reason: str
    created_by: str
    created_at: datetime
    ended_by: str | None = None

    def is_active(self, at: datetime) -> bool:
        return self.starts_at <= at < self.ends_at

    def fits(self, labels: Mapping[str, str]) -> bool:
        return all(one.fits(labels) for one in self.matchers)

    def edges(self, after: datetime) -> list[datetime]:
        """When it begins or ends next."""
        return [at for at in (self.starts_at, self.ends_at) if at > after]


@dataclass(frozen=True)
class Weekly:
    """Days (0 is Monday) and the time on a clock of that zone at which it begins, and how long it lasts."""

    days: tuple[int, ...]
    at: time
    zone: str
    length: timedelta

    def occurrences(self, around: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Those that begin from eight days before an instant to eight days after it, in order.

        A time that the clocks skip is taken as if they had not been moved yet; of one that they show twice, the first.
        The length is in real hours, whatever the clocks do meanwhile.
        """
        zone = ZoneInfo(self.zone)
        first: date = around.astimezone(zone).date() - timedelta(days=8)
        for number in range(17):
            day = first + timedelta(days=number)
            if day.weekday() in self.days:
                begins = datetime.combine(day, self.at, zone).astimezone(UTC)
                yield begins, begins + self.length


@dataclass(frozen=True, kw_only=True)
class Window:
    """Work on services (none named: on all) during which nobody is paged for them. Kept apart from SLO exclusions."""

    id: str
    services: tuple[str, ...]
    environments: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime | None
    weekly: Weekly | None
    reason: str
    created_by: str
    created_at: datetime
    ended_by: str | None = None

    def stretches(self, around: datetime) -> Iterator[tuple[datetime, datetime]]:
        """(from, to) of those near an instant, cut where the window begins and ends for good."""
        last = self.ends_at
        if self.weekly is None:
            if last is not None:
                yield self.starts_at, last
            return
        for begins, ends in self.weekly.occurrences(around):
            begins, ends = max(begins, self.starts_at), ends if last is None else min(ends, last)
            if begins < ends:
                yield begins, ends

    def is_active(self, at: datetime) -> bool:
        return any(begins <= at < ends for begins, ends in self.stretches(at))

    def covers(self, service: str | None, environment: str | None) -> bool:
        """Whether it is about this service; of an unknown environment it is not, once it names some."""
        return (not self.services or service in self.services) and (
            not self.environments or environment in self.environments
        )

    def edges(self, after: datetime) -> list[datetime]:
        """When it begins or ends next."""
        return sorted(at for stretch in self.stretches(after) for at in stretch if at > after)[:1]

    def next_stretch(self, at: datetime) -> tuple[datetime, datetime] | None:
        """The one that runs, or the next."""
        return next(((begins, ends) for begins, ends in sorted(self.stretches(at)) if ends > at), None)


@dataclass(frozen=True)
class Quiet:
    """All that is active at one instant."""

    silences: tuple[Silence, ...] = ()
    windows: tuple[Window, ...] = ()

    @classmethod
    def at(cls, instant: datetime, silences: Iterable[Silence], windows: Iterable[Window]) -> Quiet:
        return cls(
            tuple(one for one in silences if one.is_active(instant)),
            tuple(one for one in windows if one.is_active(instant)),
        )

    def silence_of(self, labels: Mapping[str, str]) -> str | None:
        """The id of a silence that these labels fulfil."""
        return next((one.id for one in self.silences if one.fits(labels)), None)

    def window_of(self, service: str | None, environment: str | None) -> str | None:
        """The id of a window that this service is in."""
        return next((one.id for one in self.windows if one.covers(service, environment)), None)


def words_of(window: Window) -> str:
    """When it is, in words."""
    if window.weekly is None:
        ends = f"{window.ends_at:%Y-%m-%d %H:%M} UTC" if window.ends_at else "open"
        return f"{window.starts_at:%Y-%m-%d %H:%M} to {ends}"
    days = ", ".join(DAYS[day].capitalize() for day in window.weekly.days)
    minutes = int(window.weekly.length.total_seconds() // 60)
    return f"every {days} at {window.weekly.at:%H:%M} {window.weekly.zone} for {minutes} minutes"
