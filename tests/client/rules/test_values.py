"""Values: one form on the wire, one in Python, and nothing that JSON can't hold."""

from __future__ import annotations

import math
from datetime import time, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from watchkeeper_client.rules import (
    Definition,
    NotThatType,
    check_value,
    complaints_about,
    duration_of,
    duration_text,
    normal,
    parse_text,
    text_of,
    to_python,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**50), 2**50) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=4), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip
anything = json_values | st.floats() | st.text() | st.integers() | st.binary(max_size=4)
KINDS = ["string", "integer", "float", "boolean", "duration", "time_of_day", "json", "secret"]


@given(st.timedeltas(timedelta(0), timedelta(days=36_500)))
def test_a_duration_reads_back_as_it_was_written(span: timedelta) -> None:
    span -= span % timedelta(milliseconds=1)
    assert duration_of(duration_text(span)) == span


@given(st.sampled_from(KINDS), anything)
def test_whatever_comes_is_a_value_or_refused_in_words_and_never_anything_else(kind: str, value: Any) -> None:
    try:
        wire = normal(kind, value)
    except NotThatType:
        return
    assert normal(kind, wire) == wire, "the normal form is normal"
    to_python(kind, wire)


@given(st.sampled_from(["integer", "float", "boolean", "string", "json"]), json_values)
@example("json", "")
@example("json", "plain words")
def test_what_is_shown_as_text_reads_back(kind: str, value: Any) -> None:
    try:
        wire = normal(kind, value)
    except NotThatType:
        return
    if wire is not None:
        assert parse_text(kind, text_of(kind, wire)) == wire


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, True, "1", None, [], 10**400])
def test_a_float_is_a_finite_number(value: Any) -> None:
    with pytest.raises(NotThatType):
        normal("float", value)


def test_a_whole_number_given_for_a_float_is_a_float() -> None:
    assert (normal("float", 2), type(normal("float", 2))) == (2.0, float)


def test_json_is_bounded_in_size_and_depth() -> None:
    deep: Any = 1
    for _ in range(30):
        deep = [deep]
    with pytest.raises(NotThatType, match="20 levels"):
        normal("json", deep)
    with pytest.raises(NotThatType, match="16 KB"):
        normal("json", ["x" * 1_000] * 1_000)
    with pytest.raises(NotThatType, match="JSON"):
        parse_text("json", "[" * 100_000)


def test_values_become_what_python_works_with() -> None:
    assert to_python("duration", "1h30m") == timedelta(minutes=90)
    assert to_python("time_of_day", "09:00") == time(9, 0)


@pytest.mark.parametrize("text", ["", "h", "1.5h", "-1m", "1m1h", "٣m", "99999999d", "1 h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(NotThatType):
        duration_of(text)


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ({"key": "a/b", "type": "integer"}, "key"),
        ({"key": "MАX", "type": "integer"}, "key"),  # noqa: RUF001 (Cyrillic)
        ({"key": "1A", "type": "integer"}, "key"),
        ({"key": "A", "type": "number"}, "type"),
        ({"key": "A", "type": "integer", "default": "x"}, "default"),
        ({"key": "A", "type": "integer", "default": 5, "maximum": 4}, "default"),
        ({"key": "A", "type": "integer", "minimum": 5, "maximum": 4}, "minimum"),
        ({"key": "A", "type": "string", "minimum": 5}, "minimum"),
        ({"key": "A", "type": "integer", "pattern": "x"}, "pattern"),
        ({"key": "A", "type": "enum"}, "choices"),
        ({"key": "A", "type": "enum", "choices": ["a", "a"]}, "choices"),
        ({"key": "A", "type": "flag", "variants": {"on": True}}, "variants"),
        ({"key": "A", "type": "flag", "variants": {"on": True, "off": "no"}}, "variants"),
        ({"key": "A", "type": "flag", "default": "blue"}, "default"),
        ({"key": "A", "type": "flag", "expires_on": "soon"}, "expires_on"),
        ({"key": "A", "type": "integer", "off": "off"}, "variants"),
        ({"key": "A", "type": "integer", "description": "x" * 3_000}, "description"),
    ],
)
def test_a_definition_that_is_wrong_says_where(said: dict[str, Any], where: str) -> None:
    assert where in [field for field, _ in complaints_about(Definition.of(said))]


def test_a_flag_without_variants_is_on_or_off() -> None:
    made = Definition.of({"key": "A", "type": "flag", "default": True})
    assert (dict(made.variants), made.default, made.off) == ({"on": True, "off": False}, "on", "off")
    assert complaints_about(made) == []
    assert Definition.of(made.said()) == made


@given(st.sampled_from(["integer", "float"]), st.integers(-3, 3), st.integers(0, 3), st.booleans(), st.booleans())
def test_a_definition_reads_back_as_it_was_said(kind: str, low: int, span: int, has_low: bool, has_high: bool) -> None:
    bounds = {"minimum": low if has_low else None, "maximum": low + span if has_high else None}
    made = Definition.of({"key": "A", "type": kind, "default": low, **bounds})
    assert complaints_about(made) == []
    assert Definition.of(made.said()) == made


@pytest.mark.parametrize(
    ("kind", "bounds", "good", "bad"),
    [
        ("integer", (1, 10), 10, 11),
        ("float", (0.5, 0.9), 0.5, 0.49),
        ("duration", ("1m", "1h"), "60m", "61m"),
        ("time_of_day", ("08:00", "20:00"), "20:00", "20:01"),
    ],
)
def test_bounds_hold_at_their_edges(kind: str, bounds: tuple[Any, Any], good: Any, bad: Any) -> None:
    made = Definition.of({"key": "A", "type": kind, "minimum": bounds[0], "maximum": bounds[1]})
    check_value(made, good)
    with pytest.raises(NotThatType):
        check_value(made, bad)
