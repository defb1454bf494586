"""The small words that schedules and policies are made of: names, spans of time, local hours, weekdays."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, StringConstraints

from watchkeeper.kernel.zones import zone_named

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
Unit = Literal["m", "h", "d", "w"]
Severity = Literal["critical", "error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("critical", "error", "warning", "info")

NAME = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_LENGTH = re.compile(r"([1-9][0-9]{0,4})([mhdw])")
_SECONDS = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
LONGEST_SHIFT = timedelta(days=366)


def parts_of(length: str) -> tuple[int, Unit]:
    """`12h` as (12, "h"). Raises ValueError."""
    found = _LENGTH.fullmatch(length)
    if found is None:
        raise ValueError(f"{length!r} is no length such as 12h")
    return int(found[1]), found[2]  # type: ignore[return-value]


def span_of(length: str) -> timedelta:
    """A length in elapsed time; a day is 24 hours here. Raises ValueError."""
    number, unit = parts_of(length)
    return timedelta(seconds=number * _SECONDS[unit])


def clock_of(text: str) -> time:
    """A local time of day such as 09:00; 24:00 is the midnight that ends a day, 00:00."""
    return time(0) if text == "24:00" else time.fromisoformat(text)


def _clock(value: Any) -> Any:
    if not isinstance(value, str) or (value != "24:00" and not _CLOCK.fullmatch(value)):
        raise ValueError("a local time such as 09:00 was expected; in YAML, in quotes")
    return value


def _shift(value: Any) -> Any:
    if not isinstance(value, str) or not re.fullmatch(r"[1-9][0-9]{0,3}[hdw]", value) or span_of(value) > LONGEST_SHIFT:
        raise ValueError("hours, days or weeks up to a year were expected, such as 12h, 1d or 1w")
    return value


def _wait(value: Any) -> Any:
    if not isinstance(value, str) or not _LENGTH.fullmatch(value) or span_of(value) > timedelta(days=7):
        raise ValueError("minutes, hours or days up to a week were expected, such as 5m, 1h or 1d")
    return value


def _zone(value: Any) -> Any:
    return zone_named(value).key


def _utc(value: datetime) -> datetime:
    try:
        found = value.astimezone(UTC)
    except OverflowError:
        raise ValueError("an instant between the years 1970 and 2999 was expected") from None
    if not 1970 <= found.year < 3000:
        raise ValueError("an instant between the years 1970 and 2999 was expected")
    return found.replace(microsecond=0)


def _some(value: Any) -> Any:
    if not value:
        raise ValueError("at least one was expected")
    return value


# After the items: of a list with a wrong item, that is what is wrong.
Some = AfterValidator(_some)
Name = Annotated[str, StringConstraints(pattern=f"^{NAME}$")]
Title = Annotated[str, StringConstraints(max_length=200)]
Text = Annotated[str, StringConstraints(max_length=1_000)]
Reason = Annotated[str, StringConstraints(max_length=500)]
TeamName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
ServiceName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
# Kept as an id; files and people may write the e-mail address instead.
Who = Annotated[str, StringConstraints(min_length=1, max_length=254)]
LocalTime = Annotated[str, BeforeValidator(_clock)]
ShiftLength = Annotated[str, BeforeValidator(_shift)]
Wait = Annotated[str, BeforeValidator(_wait)]
TimeZone = Annotated[str, BeforeValidator(_zone)]
Instant = Annotated[AwareDatetime, AfterValidator(_utc)]
