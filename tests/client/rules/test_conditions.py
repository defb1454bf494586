"""Conditions: refused with where, false rather than wrong, and never an error while a user waits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.client.rules.support import NOW
from watchkeeper_client.rules import OPERATORS, ConditionInvalid, check_condition, compile_condition
from watchkeeper_client.rules.conditions import nobody


def holds(condition: dict[str, Any], user: str | None = None, **attributes: Any) -> bool:
    check_condition(condition)
    return compile_condition(condition, lambda _name: nobody, lambda: NOW)(user, attributes)


def attribute(op: str, value: Any) -> dict[str, Any]:
    return {"attribute": "a", "op": op, "value": value}


@pytest.mark.parametrize(
    ("op", "value", "true", "false"),
    [
        ("equals", "NO", ["NO"], ["SE", "no", None, 1, ["NO"]]),
        ("equals", 1, [1, 1.0], [True, "1", 2]),
        ("equals", True, [True], [1, "true", False]),
        ("not_equals", "NO", ["SE"], ["NO", None, 1]),
        ("not_equals", 1, [2], [1, True, "1"]),
        ("in", ["NO", 1], ["NO", 1], ["SE", True, None, {"x": 1}]),
        ("not_in", ["NO", "SE"], ["DK"], ["NO", None, 7]),
        ("less", 18, [17, 17.9], [18, "17", True, None]),
        ("less_or_equal", 18, [18], [18.1]),
        ("greater", 18, [19], [18, "19"]),
        ("greater_or_equal", 18, [18], [17]),
        ("contains", "b", ["abc", ["a", "b"]], ["ac", ["abc"], 5, None]),
        ("starts_with", "ab", ["abc"], ["cab", 5]),
        ("ends_with", "bc", ["abc"], ["bca", None]),
        ("exists", True, ["x", 0, False], [None]),
        ("exists", False, [None], ["x"]),
        ("before", "2026-03-01T00:00:00Z", ["2026-02-28T23:59:59Z"], ["2026-03-01T00:00:00Z", "never", 5]),
        ("after", "2026-03-01T00:00:00Z", ["2026-03-01T02:00:00+01:00"], ["2026-03-01T00:30:00+01:00", "2026-03-02"]),
        ("older_than", "30d", [(NOW - timedelta(days=31)).isoformat()], [(NOW - timedelta(days=29)).isoformat(), "x"]),
        ("newer_than", "30d", [(NOW - timedelta(days=29)).isoformat()], [(NOW - timedelta(days=31)).isoformat(), None]),
        ("version_at_least", "2.10.1", ["2.10.1", "2.11", "v3", "2.10.1+build"], ["2.9.9", "2.10.1-rc.1", "new", 3]),
        ("version_below", "2.10", ["2.9.99", "2.10.0-beta"], ["2.10", "3", "x"]),
    ],
)
def test_an_operator_holds_for_these_and_not_for_those(op: str, value: Any, true: list[Any], false: list[Any]) -> None:
    for found in true:
        assert holds(attribute(op, value), a=found), found
    for found in false:
        assert not holds(attribute(op, value), a=found), found


def test_a_missing_attribute_makes_every_comparison_false_but_the_look_for_it() -> None:
    for op, value in (("not_equals", "x"), ("not_in", ["x"]), ("less", 5), ("before", "2026-03-01T00:00:00Z")):
        assert not holds(attribute(op, value))
    assert holds({"not": attribute("equals", "x")})


def test_versions_go_by_precedence() -> None:
    # The order of semver.org, section 11.
    order = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
    ]
    for number, version in enumerate(order):
        for other in order[: number + 1]:
            assert holds(attribute("version_at_least", other), a=version)
        for other in order[number + 1 :]:
            assert holds(attribute("version_below", other), a=version)


def test_parts_are_put_together() -> None:
    both = {"all": [attribute("equals", 1), {"any": [{"users": ["u1"]}, {"not": {"segment": "x"}}]}]}
    assert holds(both, "u1", a=1)
    assert not holds(both, "u1", a=2)
    assert holds({"all": []})
    assert not holds({"any": []})


@pytest.mark.parametrize(
    ("condition", "where"),
    [
        (None, "condition"),
        ([], "condition"),
        ({}, "condition"),
        ({"all": [], "any": []}, "condition"),
        ({"all": {}}, "all"),
        ({"all": [{"any": [{"attribute": "a", "op": "like", "value": "x"}]}]}, "all.0.any.0.op"),
        ({"not": {"attribute": "a b", "op": "equals", "value": 1}}, "not.attribute"),
        ({"attribute": "a", "op": "equals", "value": [1]}, "value"),
        ({"attribute": "a", "op": "equals", "value": float("nan")}, "value"),
        ({"attribute": "a", "op": "less", "value": "5"}, "value"),
        ({"attribute": "a", "op": "in", "value": []}, "value"),
        ({"attribute": "a", "op": "older_than", "value": "a while"}, "value"),
        ({"attribute": "a", "op": "version_below", "value": "x"}, "value"),
        ({"attribute": "a", "op": "equals", "value": 1, "extra": 1}, "condition"),
        ({"segment": 5}, "segment"),
        ({"users": "u1"}, "users"),
        ({"users": ["u"] * 20_000}, "users"),
    ],
)
def test_a_condition_that_can_not_be_read_says_where(condition: Any, where: str) -> None:
    with pytest.raises(ConditionInvalid) as refused:
        check_condition(condition)
    assert str(refused.value).startswith(where)


def test_conditions_are_bounded_in_depth_and_size() -> None:
    deep: dict[str, Any] = {"all": []}
    for _ in range(100):
        deep = {"not": deep}
    with pytest.raises(ConditionInvalid, match="levels"):
        check_condition(deep)
    with pytest.raises(ConditionInvalid, match="500 parts"):
        check_condition({"any": [{"users": ["u"]}] * 600})


VALUES: dict[str, Any] = {
    "in": ["a", 1, True], "not_in": ["a", 1], "less": 1, "less_or_equal": 1.5, "greater": 0, "greater_or_equal": 0,
    "exists": True, "before": "2026-03-01T00:00:00Z", "after": "2026-03-01T00:00:00Z", "older_than": "1d",
    "newer_than": "1d", "version_at_least": "1.0", "version_below": "1.0",
}  # fmt: skip
attributes = st.dictionaries(
    st.sampled_from(["a", "b"]),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text(), max_size=3)
    | st.binary(max_size=3) | st.datetimes() | st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)  # fmt: skip


@given(st.sampled_from(OPERATORS), attributes, st.none() | st.text())
def test_whatever_the_attributes_hold_no_operator_fails(op: str, given: dict[str, Any], user: str | None) -> None:
    assert holds(attribute(op, VALUES.get(op, "x")), user, **given) in (True, False)
