"""Where a budget's window begins and ends, in its own time zone; days of 23 and 25 hours included. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from watchkeeper.modules.slo.definition import Window


def period_of(unit: str, time_zone: str, at: datetime) -> tuple[datetime, datetime]:
    """The calendar's day, week (from Monday), month, quarter or year that holds `at`, as two instants in UTC."""
    zone = ZoneInfo(time_zone)
    local = at.astimezone(zone).date()
    first = _first(unit, local)
    return _midnight(first, zone), _midnight(_next(unit, first), zone)


def window_of(window: Window, now: datetime) -> tuple[datetime, datetime | None]:
    """Since when events count for the budget of now, and when it begins anew (None: it rolls)."""
    if window.rolling is not None:
        return now - window.rolling, None
    since, until = period_of(window.calendar or "month", window.time_zone, now)
    return since, until


def length_of(window: Window, now: datetime) -> timedelta:
    """How long the window of now is: a February is shorter than a March."""
    since, ends = window_of(window, now)
    return window.length if ends is None else ends - since


def _first(unit: str, day: date) -> date:
    if unit == "week":
        return day - timedelta(days=day.weekday())
    if unit == "month":
        return day.replace(day=1)
    if unit == "quarter":
        return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
    return day.replace(month=1, day=1) if unit == "year" else day


def _next(unit: str, first: date) -> date:
    days = {"day": 1, "week": 7}
    if unit in days:
        return first + timedelta(days=days[unit])
    # Far enough into the next one, whatever months are between.
    return _first(unit, first + timedelta(days={"month": 32, "quarter": 93, "year": 367}[unit]))


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
