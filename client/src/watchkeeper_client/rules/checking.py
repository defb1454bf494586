"""Checks conditions that people and files wrote, and says where one is wrong."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from watchkeeper_client.rules.conditions import OPERATORS, kind_of, version_of
from watchkeeper_client.rules.values import LARGEST_INTEGER, NotThatType, duration_of, instant_of

ATTRIBUTE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")
DEEPEST = 12
MOST_PARTS = 500
MOST_LISTED = 10_000
LONGEST_TEXT = 1_000
_KINDS = ("all", "any", "not", "segment", "users", "attribute")
_NAMED = "all, any, not, segment, users or attribute"


class ConditionInvalid(ValueError):
    """A condition can't be read; `where` is the path inside it, `expected` what belongs there."""

    def __init__(self, where: str, expected: str) -> None:
        super().__init__(f"{where or 'condition'}: expected {expected}")
        self.where, self.expected = where, expected


def check_condition(condition: Any) -> frozenset[str]:
    """The names of the segments that a condition asks for. Raises ConditionInvalid."""
    parts = list(_walk(condition, "", DEEPEST))
    if len(parts) > MOST_PARTS:
        raise ConditionInvalid("", f"at most {MOST_PARTS} parts")
    return frozenset(part["segment"] for part in parts if "segment" in part)


def _walk(condition: Any, where: str, depth: int) -> Iterator[Mapping[str, Any]]:
    """Every part of a condition, each checked."""
    if not isinstance(condition, Mapping):
        raise ConditionInvalid(where, f"an object with {_NAMED}")
    if depth == 0:
        raise ConditionInvalid(where, f"at most {DEEPEST} levels")
    found = [name for name in _KINDS if name in condition]
    allowed = {"attribute", "op", "value"} if found == ["attribute"] else set(found)
    if len(found) != 1 or set(condition) - allowed:
        raise ConditionInvalid(where, f"exactly one of {_NAMED}")
    kind = found[0]
    at = f"{where}.{kind}" if where else kind
    if kind in ("all", "any", "not"):
        yield from _walk_parts(condition[kind], kind, at, depth - 1)
    elif kind == "segment":
        if not isinstance(condition["segment"], str) or not condition["segment"]:
            raise ConditionInvalid(at, "the name of a segment")
    elif kind == "users":
        _require_users(condition["users"], at)
    else:
        _require_comparison(condition, where)
    yield condition


def _walk_parts(parts: Any, kind: str, at: str, depth: int) -> Iterator[Mapping[str, Any]]:
    if kind == "not":
        yield from _walk(parts, at, depth)
        return
    if not isinstance(parts, (list, tuple)):
        raise ConditionInvalid(at, "a list of conditions")
    for number, one in enumerate(parts):
        yield from _walk(one, f"{at}.{number}", depth)


def _require_comparison(condition: Mapping[str, Any], where: str) -> None:
    prefix = f"{where}." if where else ""
    if not isinstance(condition["attribute"], str) or not ATTRIBUTE.fullmatch(condition["attribute"]):
        raise ConditionInvalid(f"{prefix}attribute", "a name of letters, digits, _ . and -")
    op = condition.get("op")
    if op not in OPERATORS:
        raise ConditionInvalid(f"{prefix}op", f"one of {', '.join(OPERATORS)}")
    fits, expected = _VALUES.get(op, _TEXT)
    if not fits(condition.get("value")):
        raise ConditionInvalid(f"{prefix}value", expected)


def _require_users(values: Any, where: str) -> None:
    if (
        not isinstance(values, (list, tuple))
        or len(values) > MOST_LISTED
        or not all(isinstance(one, str) and 0 < len(one) <= 200 for one in values)
    ):
        raise ConditionInvalid(where, f"at most {MOST_LISTED:,} ids of users")


def _is_plain(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return isinstance(value, bool) or abs(value) <= LARGEST_INTEGER
    return isinstance(value, str) and len(value) <= LONGEST_TEXT


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and 0 < len(value) <= MOST_LISTED and all(map(_is_plain, value))


def _is_duration(value: Any) -> bool:
    try:
        duration_of(value)
    except NotThatType:
        return False
    return True


_Expected = tuple[Callable[[Any], bool], str]
_TEXT: _Expected = (
    lambda value: isinstance(value, str) and 0 < len(value) <= LONGEST_TEXT,
    f"text of 1 to {LONGEST_TEXT:,} characters",
)
_LIST: _Expected = (_is_list, f"1 to {MOST_LISTED:,} texts, numbers or booleans")
_PLAIN: _Expected = (_is_plain, "text, a number, true or false")
_NUMBER: _Expected = (lambda value: kind_of(value) == "number" and _is_plain(value), "a number")
_INSTANT: _Expected = (lambda value: instant_of(value) is not None, "an instant such as 2026-11-30T09:00:00Z")
_SPAN: _Expected = (_is_duration, "a duration such as 90s, 12h or 30d")
_VERSION: _Expected = (lambda value: version_of(value) is not None, "a version such as 2.10.1")
_VALUES: dict[Any, _Expected] = {
    "in": _LIST,
    "not_in": _LIST,
    "equals": _PLAIN,
    "not_equals": _PLAIN,
    "less": _NUMBER,
    "less_or_equal": _NUMBER,
    "greater": _NUMBER,
    "greater_or_equal": _NUMBER,
    "exists": (lambda value: isinstance(value, bool), "true or false"),
    "before": _INSTANT,
    "after": _INSTANT,
    "older_than": _SPAN,
    "newer_than": _SPAN,
    "version_at_least": _VERSION,
    "version_below": _VERSION,
}
