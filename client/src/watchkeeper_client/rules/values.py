"""The types of parameters: what a value may be on the wire, and what it becomes in Python."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any, Literal

ParameterType = Literal[
    "string", "integer", "float", "boolean", "duration", "time_of_day", "enum", "json", "secret", "flag"
]
TYPES: tuple[ParameterType, ...] = (
    "string", "integer", "float", "boolean", "duration", "time_of_day", "enum", "json", "secret", "flag",
)  # fmt: skip
ORDERED: frozenset[str] = frozenset({"integer", "float", "duration", "time_of_day"})

LARGEST_INTEGER = 2**53 - 1  # what every JSON reader keeps exactly
LONGEST_TEXT = 4_000
LARGEST_JSON = 16_384
DEEPEST_JSON = 20
LONGEST_DURATION = timedelta(days=36_500)

_DURATION = re.compile(r"(?:([0-9]{1,6})d)?(?:([0-9]{1,7})h)?(?:([0-9]{1,8})m)?(?:([0-9]{1,10})s)?(?:([0-9]{1,12})ms)?")
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


class NotThatType(ValueError):
    """A value is not of the type; the text says what was expected."""


def duration_of(text: Any) -> timedelta:
    """The span of `1d12h`, `15m`, `90s` or `250ms`. Raises NotThatType."""
    expected = "a duration such as 250ms, 90s, 15m, 1h30m or 2d"
    found = _DURATION.fullmatch(text) if isinstance(text, str) and text else None
    if found is None:
        raise NotThatType(expected)
    days, hours, minutes, seconds, milliseconds = (int(part or 0) for part in found.groups())
    span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds, milliseconds=milliseconds)
    if span > LONGEST_DURATION:
        raise NotThatType("a duration of at most 36500d")
    return span


def duration_text(span: timedelta) -> str:
    """The span as `1d2h3m4s5ms`, the parts that are nothing left out."""
    rest = span // timedelta(milliseconds=1)
    if rest < 0:
        raise ValueError("a duration is not negative")
    parts = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)):
        number, rest = divmod(rest, size)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"


def time_of(text: Any) -> time:
    """The time of day of `09:00` or `23:59:30`. Raises NotThatType."""
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise NotThatType("a time of day such as 09:00")
    return time(int(found[1]), int(found[2]), int(found[3] or 0))


def instant_of(value: Any) -> datetime | None:
    """The instant that an attribute holds as RFC 3339 text or an aware datetime."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime) or value.tzinfo is None:
        return None
    try:
        return value.astimezone(UTC)
    except OverflowError:
        return None


def normal(kind: str, value: Any) -> Any:
    """The wire form of a value that JSON or YAML gave, such as 2.0 for the float 2. Raises NotThatType."""
    return _NORMAL[kind](value)


def to_python(kind: str, wire: Any) -> Any:
    """What a service works with: timedelta, time, a copy of JSON, else the value itself. `wire` is normal."""
    if wire is None:
        return None
    if kind == "duration":
        return duration_of(wire)
    if kind == "time_of_day":
        return time_of(wire)
    return wire


def parse_text(kind: str, text: str) -> Any:
    """The wire form of what a person or an environment variable says. Raises NotThatType."""
    if kind in ("string", "enum", "duration", "time_of_day", "flag"):
        return normal(kind, text if kind in ("string", "enum") else text.strip())
    if kind == "secret":
        how, colon, where = text.partition(":")
        return normal(kind, {how: where} if colon else text)
    if kind == "boolean":
        word = text.strip().lower()
        if word not in (*_TRUE, *_FALSE):
            raise NotThatType("true or false")
        return word in _TRUE
    try:
        found = json.loads(text, parse_constant=_no_constants)
    except (ValueError, RecursionError):
        raise NotThatType(_EXPECTED[kind]) from None
    return normal(kind, found)


def text_of(kind: str, wire: Any) -> str:
    """What `parse_text` reads back."""
    if wire is None:
        return ""
    if kind == "secret":
        return ":".join(next(iter(wire.items())))
    if kind == "json":
        # Text too: what is shown has its quotation marks.
        return json.dumps(wire, ensure_ascii=False)
    if isinstance(wire, bool):
        return "true" if wire else "false"
    return wire if isinstance(wire, str) else json.dumps(wire, ensure_ascii=False)


def sort_value(kind: str, wire: Any) -> Any:
    """What an ordered type compares by."""
    return to_python(kind, wire)


def _no_constants(name: str) -> Any:
    raise ValueError(name)


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise NotThatType("text")
    if len(value) > LONGEST_TEXT:
        raise NotThatType(f"text of at most {LONGEST_TEXT:,} characters")
    return _sound(value)


def _sound(value: Any) -> str:
    if not isinstance(value, str):
        raise NotThatType("text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise NotThatType("text without halves of characters") from None
    if "\0" in value:
        raise NotThatType("text without NUL")
    return value


def _integer(value: Any) -> int:
    if isinstance(value, float) and value.is_integer() and abs(value) <= LARGEST_INTEGER:
        value = int(value)  # some writers of JSON know one kind of number only
    if not isinstance(value, int) or isinstance(value, bool):
        raise NotThatType("a whole number")
    if abs(value) > LARGEST_INTEGER:
        raise NotThatType(f"a whole number from -{LARGEST_INTEGER} to {LARGEST_INTEGER}")
    return value


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise NotThatType("a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise NotThatType("a finite number")
    return number


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise NotThatType("true or false")
    return value


def _duration(value: Any) -> str:
    return duration_text(duration_of(value))


def _time(value: Any) -> str:
    found = time_of(value)
    return found.isoformat("seconds" if found.second else "minutes")


def _json(value: Any) -> Any:
    _require_plain(value, DEEPEST_JSON)
    if len(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")) > LARGEST_JSON:
        raise NotThatType(f"JSON of at most {LARGEST_JSON // 1024} KB")
    return value


def _require_plain(value: Any, depth: int) -> None:
    if depth == 0:
        raise NotThatType(f"JSON of at most {DEEPEST_JSON} levels")
    if isinstance(value, Mapping):
        for name, one in value.items():
            _sound(name)
            _require_plain(one, depth - 1)
    elif isinstance(value, list):
        for one in value:
            _require_plain(one, depth - 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise NotThatType("JSON with finite numbers")
    elif isinstance(value, str):
        _sound(value)
    elif isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        raise NotThatType(f"JSON with whole numbers up to {LARGEST_INTEGER}")
    elif not (value is None or isinstance(value, (bool, int, float))):
        raise NotThatType("JSON")


def _secret(value: Any) -> dict[str, str]:
    expected = 'where the secret is: env:NAME or file:/path, as JSON {"env": "NAME"} or {"file": "/path"}'
    if not isinstance(value, Mapping) or len(value) != 1:
        raise NotThatType(expected)
    how, where = next(iter(value.items()))
    fits = isinstance(where, str) and (
        (how == "env" and _VARIABLE.fullmatch(where)) or (how == "file" and where.startswith("/") and "\0" not in where)
    )
    if not fits or len(where) > LONGEST_TEXT:
        raise NotThatType(expected)
    return {how: where}


_NORMAL: Mapping[str, Callable[[Any], Any]] = {
    "string": _string,
    "enum": _string,
    "flag": _string,
    "integer": _integer,
    "float": _float,
    "boolean": _boolean,
    "duration": _duration,
    "time_of_day": _time,
    "json": _json,
    "secret": _secret,
}
_EXPECTED = {"integer": "a whole number", "float": "a finite number", "json": "JSON"}
