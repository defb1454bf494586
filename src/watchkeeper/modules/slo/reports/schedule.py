"""When reports are sent, and of which period. Pure: a day of the month, a time of day and a time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Literal
from zoneinfo import ZoneInfo

from watchkeeper.modules.slo.reports.period import Period, PeriodKind

ReportKind = Literal["monthly", "quarterly"]


@dataclass(frozen=True)
class Schedule:
    """Who gets which report when: on a day of the month (of the quarter's first month) at a time of day."""

    id: str
    report: ReportKind
    service: str | None
    recipients: tuple[str, ...]
    day: int
    at: time
    time_zone: str
    created_by: str
    created_at: datetime

    @property
    def kind(self) -> PeriodKind:
        return "month" if self.report == "monthly" else "quarter"


@dataclass(frozen=True)
class Due:
    """A report that is to be sent: the period that ended before `at`."""

    period: Period
    at: datetime


def newest_due(schedule: Schedule, now: datetime) -> Due | None:
    """The last that was due; None when the schedule is younger. After a long downtime only that one is sent."""
    running = Period.holding(schedule.kind, now, schedule.time_zone)
    due = _due_in(schedule, running)
    if due.at > now:
        due = _due_in(schedule, running.moved(-1))
    return due if due.at >= schedule.created_at else None


def next_due(schedule: Schedule, now: datetime) -> Due:
    """The first that will be due after now."""
    running = Period.holding(schedule.kind, now, schedule.time_zone)
    due = _due_in(schedule, running)
    return due if due.at > now else _due_in(schedule, running.moved(1))


def _due_in(schedule: Schedule, within: Period) -> Due:
    first = within.months()[0]
    local = datetime.combine(date(first.year, first.number, schedule.day), schedule.at, ZoneInfo(schedule.time_zone))
    # An hour that clocks skip is the one after it; of one that comes twice it is the first.
    return Due(within.moved(-1), local.astimezone(UTC))
