"""Expressions of custom segments: a part of CEL, with one meaning here, in clients, and in CEL's own evaluator."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import celpy
import pytest
from celpy import celtypes
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.modules.subjects.errors import ExpressionInvalid
from watchkeeper.modules.subjects.expression import condition_of
from watchkeeper_client.rules import compile_condition

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def holds(expression: str, record: dict[str, Any], user: str = "u1") -> bool:
    """What conditions say."""
    return compile_condition(condition_of(expression), lambda _: lambda *_: False, lambda: NOW)(user, record)


@lru_cache(maxsize=10_000)
def program(expression: str) -> Any:
    environment = celpy.Environment()
    return environment.program(environment.compile(expression))


def holds_in_cel(expression: str, record: dict[str, Any], user: str = "u1") -> bool:
    """What CEL's evaluator says; an error counts as not true."""
    own = {name: record[name] for name in ("country", "status", "age", "birth_year") if name in record}
    attributes = {name: value for name, value in record.items() if name not in (*own, "last_active_at")}
    context = {**own, "id": user, "attributes": attributes}
    activation = {name: celpy.json_to_cel(value) for name, value in context.items()}
    activation["now"] = celtypes.TimestampType(NOW)
    if "last_active_at" in record:
        activation["last_active_at"] = celtypes.TimestampType(record["last_active_at"])
    try:
        return bool(program(expression).evaluate(activation))
    except celpy.CELEvalError:
        return False


def refused(expression: str) -> ExpressionInvalid | None:
    """The refusal; None for what is translated."""
    try:
        condition_of(expression)
    except ExpressionInvalid as refusal:
        return refusal
    return None


NAMES = {"plan": "text", "city": "text", "n": "number", "m": "number", "beta": "flag", "trial": "flag", "tags": "texts"}
texts = st.sampled_from(["", "a", "ab", "NO", "ö"])
numbers = st.integers(-1, 1)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": texts,
    "number": numbers,
    "flag": st.booleans(),
    "texts": st.lists(texts, max_size=3),
}
records = st.fixed_dictionaries(
    {},
    optional={
        **{name: VALUES[kind] for name, kind in NAMES.items()},
        "country": st.sampled_from(["NO", "a"]),
        "status": st.sampled_from(["a", "ab"]),
        "age": st.integers(0, 2),
        "last_active_at": st.integers(0, 4).map(lambda days: NOW - timedelta(days=days)),
    },
)


def quoted(text: str) -> str:
    return f'"{text}"'


def of_text(field: str) -> st.SearchStrategy[str]:
    full = texts.filter(bool)
    return st.one_of(
        st.builds(lambda op, text: f"{field} {op} {quoted(text)}", st.sampled_from(["==", "!="]), texts),
        st.builds(lambda op, text: f"{quoted(text)} {op} {field}", st.sampled_from(["==", "!="]), texts),
        st.lists(texts, min_size=1, max_size=3).map(lambda some: f"{field} in [{', '.join(map(quoted, some))}]"),
        st.builds(
            lambda method, text: f"{field}.{method}({quoted(text)})",
            st.sampled_from(["contains", "startsWith", "endsWith"]),
            full,
        ),
    )


def of_number(field: str) -> st.SearchStrategy[str]:
    ops = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
    return st.one_of(
        st.builds(lambda op, number: f"{field} {op} {number}", ops, numbers),
        st.builds(lambda op, number: f"{number} {op} {field}", ops, numbers),
        st.lists(numbers, min_size=1, max_size=3).map(lambda some: f"{field} in {some}"),
    )


days = st.integers(0, 4)
comparisons = st.one_of(
    *(of_text(f"attributes.{name}") for name in ("plan", "city")),
    *(of_number(f"attributes.{name}") for name in ("n", "m")),
    of_number("age"),
    of_text("country"),
    of_text("status"),
    st.sampled_from(["attributes.beta", "attributes.trial", "attributes.beta == true", "attributes.trial != false"]),
    texts.filter(bool).map(lambda text: f"{quoted(text)} in attributes.tags"),
    st.sampled_from(sorted(NAMES)).map(lambda name: f"has(attributes.{name})"),
    st.builds(lambda op, n: f'now - last_active_at {op} duration("{n * 24}h")', st.sampled_from(["<=", ">"]), days),
    st.builds(
        lambda op, n: f'last_active_at {op} timestamp("2026-02-{28 - n}T12:00:00Z")',
        st.sampled_from(["<", "<=", ">", ">="]),
        days,
    ),
    st.sampled_from(['id == "u1"', 'id != "u1"', 'id in ["u2", "u3"]', "true", "false"]),
)
expressions = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        inner.map(lambda one: f"!({one})"),
        st.builds(lambda a, op, b: f"({a}) {op} ({b})", inner, st.sampled_from(["&&", "||"]), inner),
        st.lists(inner, min_size=2, max_size=4).map(lambda some: " && ".join(f"({one})" for one in some)),
    ),
    max_leaves=6,
)


@settings(max_examples=1000, deadline=None)
@given(expression=comparisons, record=records)
def test_a_comparison_and_its_opposite_say_what_cel_says(expression: str, record: dict[str, Any]) -> None:
    assert holds(expression, record) == holds_in_cel(expression, record)
    assert holds(f"!({expression})", record) == holds_in_cel(f"!({expression})", record)


@settings(max_examples=400, deadline=None)
@given(expression=expressions, record=records)
def test_a_condition_says_what_cel_says(expression: str, record: dict[str, Any]) -> None:
    assert holds(expression, record) == holds_in_cel(expression, record)


@settings(max_examples=200, deadline=None)
@given(expression=expressions, record=records)
def test_never_does_both_a_thing_and_its_opposite_hold(expression: str, record: dict[str, Any]) -> None:
    assert not (holds(expression, record) and holds(f"!({expression})", record))


@settings(max_examples=300, deadline=None)
@given(text=st.text(st.sampled_from("ab.!&|()[]{}<>=\"'\\,:?+-* 0159\n\t\0ö_"), max_size=60))
def test_any_text_is_translated_or_refused_with_its_place(text: str) -> None:
    refusal = refused(text)
    if refusal is not None:
        assert 1 <= refusal.line <= text.count("\n") + 1
        assert refusal.column >= 1
        assert refusal.expected


@pytest.mark.parametrize(
    ("expression", "condition"),
    [
        ("true", {"all": []}),
        ("attributes.trial", {"attribute": "trial", "op": "equals", "value": True}),
        ("!attributes.trial", {"attribute": "trial", "op": "equals", "value": False}),
        ('attributes["app.version"] == "2"', {"attribute": "app.version", "op": "equals", "value": "2"}),
        ("!(age < 18)", {"attribute": "age", "op": "greater_or_equal", "value": 18}),
        ("18 <= age", {"attribute": "age", "op": "greater_or_equal", "value": 18}),
        ("attributes.n == -5", {"attribute": "n", "op": "equals", "value": -5}),
        ("attributes.n == 0x10", {"attribute": "n", "op": "equals", "value": 16}),
        ('id in ["u1"]', {"users": ["u1"]}),
        (
            'now - last_active_at <= duration("30d")',
            {"attribute": "last_active_at", "op": "newer_than", "value": "30d"},
        ),
        (
            'timestamp(attributes.signed_up) > timestamp("2026-01-01T00:00:00Z")',
            {"attribute": "signed_up", "op": "after", "value": "2026-01-01T00:00:00.000000Z"},
        ),
        (
            'country == "NO" && (status == "active" && age > 20) // why not',
            {
                "all": [
                    {"attribute": "country", "op": "equals", "value": "NO"},
                    {"attribute": "status", "op": "equals", "value": "active"},
                    {"attribute": "age", "op": "greater", "value": 20},
                ]
            },
        ),
    ],
)
def test_how_expressions_become_conditions(expression: str, condition: dict[str, Any]) -> None:
    assert condition_of(expression) == condition


@pytest.mark.parametrize(
    ("expression", "line", "column", "expected"),
    [
        ("", 1, 1, "comparisons"),
        ('plan == "x"', 1, 1, "perhaps attributes.plan"),
        ('country == "NO" &&\n  age == "x"', 2, 10, "a number, which age is"),
        ("country ==", 1, 9, "ends too soon"),
        ('country == "NO', 1, 12, "on the same line"),
        ("country & 1", 1, 9, "can't stand here"),
        ("attributes.a ? true : false", 1, 1, "no ? :"),
        ("attributes.a == attributes.b", 1, 1, "on the other a text"),
        ("attributes.a + 1 == 2", 1, 1, "no arithmetic"),
        ('attributes.a.matches("(a+)+$")', 1, 1, "contains, startsWith, endsWith"),
        ("attributes.a.exists(x, x == 1)", 1, 1, "contains, startsWith, endsWith"),
        ("size(attributes.a) > 1", 1, 1, "has, timestamp and duration"),
        ('country < "NO"', 1, 11, "a number after <"),
        ("attributes.a == null", 1, 17, "found null"),
        ("attributes.a.b == 1", 1, 1, "no attributes of their own"),
        ('attributes.country == "NO"', 1, 1, "without attributes."),
        ('attributes["a b"] == 1', 1, 1, "the name of an attribute"),
        ("country in []", 1, 12, "one or more"),
        ("age > 1e999", 1, 7, "2^53"),
        ("age > 99999999999999999999", 1, 7, "2^53"),
        ('last_active_at > "2026-01-01T00:00:00Z"', 1, 18, "with an instant"),
        ('last_active_at > timestamp("9999-12-31T23:59:59Z")', 1, 18, "an instant such as"),
        ('now - last_active_at < duration("30d")', 1, 1, "<= or >"),
        ('now - last_active_at > duration("1.5h")', 1, 24, "a duration such as"),
        ('"""a""" == attributes.a', 1, 1, "one quotation mark"),
        ('b"a" == attributes.a', 1, 1, "a text, a number"),
        ("\u0441\u043euntry == 1", 1, 1, "can't stand here"),
        ('country == "a\0b"', 1, 12, "printable"),
        ("x" * 2_001, 1, 2_001, "2,000 characters"),
    ],
)
def test_what_can_not_be_said_is_refused_with_its_place(expression: str, line: int, column: int, expected: str) -> None:
    with pytest.raises(ExpressionInvalid) as caught:
        condition_of(expression)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert expected in caught.value.expected


@pytest.mark.parametrize(
    "expression",
    [
        'attributes.a == "' + "\\n" * 900,  # the parser's time would double with each escape
        "(" * 1_900,
        "(" * 20 + "true" + ")" * 20 + "!" * 1_000,
        "!" * 1_999 + "a",
        "-" * 1_990 + "1 < age",
        "true||" * 330 + "true",
        'country=="NO"&&' * 130 + "true",
        "1+" * 999 + "1",
        "age<1<" * 300 + "1",
        "attributes." * 150 + "a == 1",
        'attributes["x"' * 130,
        '"' * 2_000,
        "'\"" * 1_000,
        "country in [" + '"N",' * 480 + '"N"]',
        "age in [" + "1," * 990 + "1]",
    ],
)
@pytest.mark.timeout(60)  # the parser alone would take centuries
def test_hostile_expressions_are_answered(expression: str) -> None:
    refused(expression)
