"""How pages write times, durations and numbers: short, with their unit, the same everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from markupsafe import Markup, escape

from watchkeeper.kernel.clock import from_unix_nano, require_utc

_DURATION_STEPS = ((1_000, "ns"), (1_000_000, "µs"), (1_000_000_000, "ms"))
_LONG_STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"))
_NO_TIME = Markup("&ndash;")
_BYTE_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
NOTHING = "\N{EN DASH}"


def relative(instant: datetime, now: datetime) -> str:
    """`41 s ago`, `3 min ago`, `in 2 h`; a plain date once it is more than 30 days away."""
    seconds = (now - instant).total_seconds()
    past = seconds >= 0
    away = abs(seconds)
    if away < 1:
        return "just now"
    if away > 30 * 86_400:
        return f"{instant:%Y-%m-%d}"
    text = next((f"{away // step:.0f} {unit}" for step, unit in _LONG_STEPS if away >= step), f"{away:.0f} s")
    return f"{text} ago" if past else f"in {text}"


def when(value: datetime | int | None, now: datetime) -> Markup:
    """A `<time>` with a relative text that the page keeps fresh, and UTC on hover."""
    if value is None:
        return _NO_TIME
    instant = _instant(value)
    return _time(instant, relative(instant, now), "relative")


def clock_time(value: datetime | int | None) -> Markup:
    """A `<time>` with date and time to the second; the page turns it into the viewer's zone."""
    if value is None:
        return _NO_TIME
    instant = _instant(value)
    return _time(instant, f"{instant:%Y-%m-%d %H:%M:%S} UTC", "clock")


def precise_time(value: datetime | int | None) -> Markup:
    """As `clock_time`, to the millisecond: for lists in which much happens within a second."""
    if value is None:
        return _NO_TIME
    instant = _instant(value)
    return _time(instant, f"{instant:%Y-%m-%d %H:%M:%S}.{instant.microsecond // 1000:03d} UTC", "precise")


def duration(value: float | timedelta | None) -> str:
    """Nanoseconds (or a timedelta) for people: `870 ns`, `4.2 ms`, `1.30 s`, `2 min 5 s`, `3 h 10 min`, `2 d 4 h`."""
    if value is None:
        return NOTHING
    nanos = value.total_seconds() * 1e9 if isinstance(value, timedelta) else float(value)
    if isinstance(value, timedelta) and not value:
        return "0 s"
    if nanos < 0:
        return f"\N{MINUS SIGN}{duration(-nanos)}"
    unit = 1
    for limit, name in _DURATION_STEPS:
        if nanos < limit:
            return f"{_three_digits(nanos / unit)} {name}" if unit > 1 else f"{nanos:.0f} ns"
        unit = limit
    seconds = nanos / 1e9
    if seconds < 60:
        return f"{_three_digits(seconds)} s"
    if seconds < 3_600:
        return _pair(seconds, 60, "min", 1, "s")
    if seconds < 86_400:
        return _pair(seconds, 3_600, "h", 60, "min")
    return _pair(seconds, 86_400, "d", 3_600, "h")


def number(value: float | None, digits: int | None = None) -> str:
    """`1,234`, `12.3k`, `4.56M`; with `digits`, that many decimals and no shortening."""
    if value is None:
        return NOTHING
    if digits is not None:
        return f"{value:,.{digits}f}"
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            scale = 1e3 if unit == "k" else limit
            return f"{_three_digits(value / scale)}{unit}"
    if float(value).is_integer():
        return f"{int(value):,}"
    return _three_digits(value) if abs(value) < 1_000 else f"{value:,.0f}"


def percent(value: float | None, digits: int | None = None) -> str:
    """A share from 0 to 1: `99.93 %`. Close to 0 and to 1 it keeps as many digits as tell it from them."""
    if value is None:
        return NOTHING
    if digits is not None:
        return f"{value * 100:.{digits}f} %"
    if value in (0, 1):
        return f"{value * 100:.0f} %"
    nearest = min(abs(value), abs(1 - value)) * 100
    if nearest < 0.00005:
        return "> 99.9999 %" if value > 0.5 else "< 0.0001 %"
    shown = 1 if nearest >= 1 else 2 if nearest >= 0.005 else 4
    return f"{value * 100:.{shown}f} %"


def human_bytes(value: float | None) -> str:
    """Bytes in powers of 1000: `512 B`, `1.2 MB`."""
    if value is None:
        return NOTHING
    amount, unit = float(value), 0
    while abs(amount) >= 1000 and unit < len(_BYTE_UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{amount:.0f} B" if unit == 0 else f"{_three_digits(amount)} {_BYTE_UNITS[unit]}"


def iso(value: datetime | int) -> str:
    """RFC 3339 to the millisecond, for `datetime=` attributes and links."""
    return _instant(value).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _instant(value: datetime | int) -> datetime:
    return from_unix_nano(value) if isinstance(value, int) else require_utc(value)


def _time(instant: datetime, text: str, kind: str) -> Markup:
    hover = f"{instant:%Y-%m-%d %H:%M:%S}.{instant.microsecond // 1000:03d} UTC"
    return Markup('<time datetime="{}" title="{}" data-when="{}">{}</time>').format(
        iso(instant), hover, escape(kind), text
    )


def _three_digits(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _pair(seconds: float, large: int, large_unit: str, small: int, small_unit: str) -> str:
    whole, rest = divmod(int(seconds), large)
    return f"{whole} {large_unit} {rest // small} {small_unit}" if rest // small else f"{whole} {large_unit}"


@dataclass(frozen=True)
class SparkLine:
    """One unbroken stretch of a sparkline, as the points of an SVG polyline and of the area under it."""

    points: str
    area: str


def spark_lines(values: Sequence[float | None], width: int = 120, height: int = 28) -> list[SparkLine]:
    """The stretches between gaps, scaled so that 0 is at the bottom and the highest value at the top."""
    known = [value for value in values if value is not None]
    highest = max(known, default=0) or 1
    step = width / max(len(values) - 1, 1)
    lines, stretch = [], list[tuple[float, float]]()
    for index, value in enumerate([*values, None]):
        if value is not None:
            stretch.append((round(index * step, 1), round(height - 2 - (height - 4) * max(value, 0) / highest, 1)))
        elif stretch:
            points = " ".join(f"{x:g},{y:g}" for x, y in stretch)
            lines.append(SparkLine(points, f"{stretch[0][0]:g},{height} {points} {stretch[-1][0]:g},{height}"))
            stretch = []
    return lines


FILTERS: dict[str, Any] = {
    "spark_lines": spark_lines,
    "clock_time": clock_time,
    "precise_time": precise_time,
    "duration": duration,
    "number": number,
    "percent": percent,
    "bytes": human_bytes,
    "iso": iso,
}
