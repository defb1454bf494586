"""Calendar months and quarters that reports are about. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from watchkeeper.kernel.errors import Complaint
from watchkeeper.modules.slo.calendars import period_of
from watchkeeper.modules.slo.reports.errors import ReportInvalid

PeriodKind = Literal["month", "quarter"]
SETTLED_AFTER = timedelta(hours=1)  # the last hour of a period is told for good ten minutes after its end
_LABEL = re.compile(r"(20\d\d)-(?:(0[1-9]|1[0-2])|Q([1-4]))")
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]


@dataclass(frozen=True, order=True)
class Period:
    """A month (`2026-10`) or a quarter (`2026-Q3`), whatever the time zone."""

    year: int
    number: int
    kind: PeriodKind = "month"

    @classmethod
    def of_label(cls, text: str) -> Period:
        """From the label of either kind. Raises ReportInvalid."""
        found = _LABEL.fullmatch(text)
        if found is None:
            expected = "a month such as 2026-10, or a quarter such as 2026-Q3"
            raise ReportInvalid("The period is not valid.", complaints=[Complaint("query.period", expected)])
        return cls(int(found[1]), int(found[2] or found[3]), "month" if found[2] else "quarter")

    @classmethod
    def holding(cls, kind: PeriodKind, at: datetime, time_zone: str) -> Period:
        """The one that holds an instant in a time zone."""
        local = at.astimezone(ZoneInfo(time_zone))
        return cls(local.year, local.month if kind == "month" else (local.month - 1) // 3 + 1, kind)

    @property
    def label(self) -> str:
        return f"{self.year}-{self.number:02}" if self.kind == "month" else f"{self.year}-Q{self.number}"

    @property
    def title(self) -> str:
        if self.kind == "quarter":
            return f"quarter {self.number} of {self.year}"
        return f"{_MONTHS[self.number - 1]} {self.year}"

    @property
    def per_year(self) -> int:
        return 12 if self.kind == "month" else 4

    def moved(self, by: int) -> Period:
        """The one so many later, or earlier."""
        place = self.year * self.per_year + self.number - 1 + by
        return Period(place // self.per_year, place % self.per_year + 1, self.kind)

    def bounds(self, time_zone: str) -> tuple[datetime, datetime]:
        """Its first instant and that of the next one, in UTC; days of 23 and 25 hours included."""
        month = self.number if self.kind == "month" else self.number * 3 - 2
        # Noon of the second day lies within it, whatever the zone.
        inside = datetime.combine(datetime(self.year, month, 2, tzinfo=UTC), time(12), ZoneInfo(time_zone))
        return period_of(self.kind, time_zone, inside)

    def months(self) -> tuple[Period, ...]:
        """The months of a quarter; a month is its own."""
        if self.kind == "month":
            return (self,)
        return tuple(Period(self.year, self.number * 3 - 2 + one) for one in range(3))

    def is_over(self, time_zone: str, now: datetime) -> bool:
        """Whether it ended so long ago that its counts are settled."""
        return now >= self.bounds(time_zone)[1] + SETTLED_AFTER


def whole_hours(since: datetime, until: datetime) -> tuple[datetime, datetime]:
    """The stored hours of a stretch: those that begin in it.

    Where midnight is not on a whole hour of UTC (India, Nepal), an hour belongs to the period that it begins in, so
    that every hour is in one period and no more.
    """
    return _hour_from(since), _hour_from(until)


def _hour_from(at: datetime) -> datetime:
    whole = at.replace(minute=0, second=0, microsecond=0)
    return whole if whole == at else whole + timedelta(hours=1)
