"""Conditions over a user and attributes, compiled to plain functions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from watchkeeper_client.rules.values import duration_of, instant_of

Attributes = Mapping[str, Any]
Test = Callable[[str | None, Attributes], bool]
Clock = Callable[[], datetime]

_NUMBER = "([0-9]{1,9})"
_VERSION = re.compile(rf"v?{_NUMBER}(?:\.{_NUMBER})?(?:\.{_NUMBER})?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")


def compile_condition(condition: Mapping[str, Any], segment: Callable[[str], Test], clock: Clock) -> Test:
    """A test that never raises, whatever the attributes hold. `condition` is one that `check_condition` took.

    An attribute that is missing or of another type makes its comparison false, whatever the operator. `segment` gives
    the test of a segment; `clock` tells the instant that ages are measured at.
    """
    if "all" in condition:
        return _all([compile_condition(one, segment, clock) for one in condition["all"]])
    if "any" in condition:
        return _any([compile_condition(one, segment, clock) for one in condition["any"]])
    if "not" in condition:
        inner = compile_condition(condition["not"], segment, clock)
        return lambda user, attributes: not inner(user, attributes)
    if "segment" in condition:
        return segment(condition["segment"])
    if "users" in condition:
        return members(condition["users"])
    name, value = condition["attribute"], condition.get("value")
    op = condition["op"]
    if op in _AGES:
        return _AGES[op](name, value, clock)
    return _OPERATORS[op](name, value)


def members(users: Sequence[str]) -> Test:
    """Whether the user is one of these."""
    known = frozenset(users)
    return lambda user, attributes: user in known  # noqa: ARG005


def nobody(user: str | None, attributes: Attributes) -> bool:  # noqa: ARG001
    """What a segment that is not there holds."""
    return False


def _all(tests: list[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]

    def test(user: str | None, attributes: Attributes) -> bool:
        for one in tests:  # noqa: SIM110 (a generator costs three times as much)
            if not one(user, attributes):
                return False
        return True

    return test


def _any(tests: list[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]

    def test(user: str | None, attributes: Attributes) -> bool:
        for one in tests:  # noqa: SIM110 (a generator costs three times as much)
            if one(user, attributes):
                return True
        return False

    return test


def _same(name: str, value: Any) -> Test:
    kind = bool if isinstance(value, bool) else str if isinstance(value, str) else (int, float)
    if kind == (int, float):

        def number(user: str | None, attributes: Attributes) -> bool:  # noqa: ARG001
            found = attributes.get(name)
            return found == value and isinstance(found, (int, float)) and not isinstance(found, bool)

        return number
    # Equal values of str or bool are of that type, or compare as it: only 1 == True needs the look.
    return lambda user, attributes: (found := attributes.get(name)) == value and isinstance(found, kind)  # noqa: ARG005


def _differs(name: str, value: Any) -> Test:
    same, kinds = _same(name, value), _kinds_of([value])

    def test(user: str | None, attributes: Attributes) -> bool:
        return kind_of(attributes.get(name)) in kinds and not same(user, attributes)

    return test


def _in(name: str, values: Sequence[Any]) -> Test:
    known = frozenset((kind_of(one), one) for one in values)
    plain = frozenset(values)

    def test(user: str | None, attributes: Attributes) -> bool:  # noqa: ARG001
        found = attributes.get(name)
        try:
            return found in plain and (kind_of(found), found) in known
        except TypeError:
            return False

    return test


def _not_in(name: str, values: Sequence[Any]) -> Test:
    inside, kinds = _in(name, values), _kinds_of(values)

    def test(user: str | None, attributes: Attributes) -> bool:
        return kind_of(attributes.get(name)) in kinds and not inside(user, attributes)

    return test


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[str, Any], Test]:
    def make(name: str, value: Any) -> Test:
        def test(user: str | None, attributes: Attributes) -> bool:  # noqa: ARG001
            found = attributes.get(name)
            return isinstance(found, (int, float)) and not isinstance(found, bool) and compare(found, value)

        return test

    return make


def _textual(compare: Callable[[str, str], bool]) -> Callable[[str, Any], Test]:
    def make(name: str, value: str) -> Test:
        def test(user: str | None, attributes: Attributes) -> bool:  # noqa: ARG001
            found = attributes.get(name)
            return isinstance(found, str) and compare(found, value)

        return test

    return make


def _contains(name: str, value: str) -> Test:
    """Text that holds the value, or a list with it as one of its texts."""

    def test(user: str | None, attributes: Attributes) -> bool:  # noqa: ARG001
        found = attributes.get(name)
        if isinstance(found, str):
            return value in found
        return isinstance(found, (list, tuple, set, frozenset)) and any(
            isinstance(one, str) and one == value for one in found
        )

    return test


def _exists(name: str, value: bool) -> Test:
    return lambda user, attributes: (attributes.get(name) is not None) is value  # noqa: ARG005


def _instant(compare: Callable[[datetime, datetime], bool]) -> Callable[[str, Any], Test]:
    def make(name: str, value: str) -> Test:
        limit = instant_of(value)
        assert limit is not None  # noqa: S101 (checked)

        def test(user: str | None, attributes: Attributes) -> bool:  # noqa: ARG001
            found = instant_of(attributes.get(name))
            return found is not None and compare(found, limit)

        return test

    return make


def _age(older: bool) -> Callable[[str, Any, Clock], Test]:
    def make(name: str, value: str, clock: Clock) -> Test:
        span = duration_of(value)

        def test(user: str | None, attributes: Attributes) -> bool:  # noqa: ARG001
            found = instant_of(attributes.get(name))
            return found is not None and ((clock() - found > span) is older)

        return test

    return make


def _version(at_least: bool) -> Callable[[str, Any], Test]:
    def make(name: str, value: str) -> Test:
        limit = version_of(value)
        assert limit is not None  # noqa: S101 (checked)

        def test(user: str | None, attributes: Attributes) -> bool:  # noqa: ARG001
            found = version_of(attributes.get(name))
            return found is not None and ((found >= limit) is at_least)

        return test

    return make


def version_of(value: Any) -> tuple[Any, ...] | None:
    """What versions such as `2.10.1-rc.1` compare by (semver.org, 11); missing numbers are 0, build data is ignored."""
    found = _VERSION.fullmatch(value) if isinstance(value, str) and len(value) <= 100 else None
    if found is None:
        return None
    numbers = tuple(int(part or 0) for part in found.groups()[:3])
    if found[4] is None:
        return (*numbers, (1,))
    parts = tuple((0, int(one), "") if one.isdigit() else (1, 0, one) for one in found[4].split("."))
    return (*numbers, (0, *parts))


_OPERATORS: dict[str, Callable[[str, Any], Test]] = {
    "equals": _same,
    "not_equals": _differs,
    "in": _in,
    "not_in": _not_in,
    "less": _ordered(lambda found, value: bool(found < value)),
    "less_or_equal": _ordered(lambda found, value: bool(found <= value)),
    "greater": _ordered(lambda found, value: bool(found > value)),
    "greater_or_equal": _ordered(lambda found, value: bool(found >= value)),
    "contains": _contains,
    "starts_with": _textual(str.startswith),
    "ends_with": _textual(str.endswith),
    "exists": _exists,
    "before": _instant(lambda found, limit: found < limit),
    "after": _instant(lambda found, limit: found > limit),
    "version_at_least": _version(at_least=True),
    "version_below": _version(at_least=False),
}
_AGES: dict[str, Callable[[str, Any, Clock], Test]] = {"older_than": _age(older=True), "newer_than": _age(older=False)}
OPERATORS = (*_OPERATORS, *_AGES)


def kind_of(value: Any) -> str | None:
    """Which kind of plain value an attribute holds."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return "text" if isinstance(value, str) else None


def _kinds_of(values: Sequence[Any]) -> frozenset[str | None]:
    return frozenset(kind_of(one) for one in values)
