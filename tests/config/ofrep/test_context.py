"""What a client may say of whom it asks for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.modules.config.wire_ofrep import Context, OfrepRefused, matches, parse_context

text = st.text(st.characters(codec="utf-8"), max_size=12)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=12
)
contexts = st.dictionaries(text | st.just("targetingKey"), values, max_size=6)


def understood(body: bytes) -> Context | OfrepRefused:
    try:
        return parse_context(body)
    except OfrepRefused as refused:
        return refused


def refusal(said: Any) -> tuple[int, str, str]:
    found = understood(said if isinstance(said, bytes) else json.dumps(said).encode())
    assert isinstance(found, OfrepRefused)
    return found.status, found.code, found.details


@given(contexts)
def test_every_context_is_read_or_refused_and_what_is_read_can_be_written_again(said: dict[str, Any]) -> None:
    found = understood(json.dumps({"context": said}).encode())
    if isinstance(found, OfrepRefused):
        assert (found.status, found.code, bool(found.details)) == (400, "INVALID_CONTEXT", True)
    else:
        assert json.loads(found.canonical()) == said
        assert "targetingKey" not in found.attributes


@given(st.binary(max_size=60) | st.text(max_size=40).map(lambda one: one.encode("utf-8", "surrogatepass")))
def test_whatever_is_sent_is_read_or_refused(body: bytes) -> None:
    assert isinstance(understood(body), (Context, OfrepRefused))


@given(contexts, st.randoms())
def test_the_order_in_which_a_context_is_written_makes_no_difference(said: dict[str, Any], chance: Any) -> None:
    pairs = list(said.items())
    chance.shuffle(pairs)
    one, other = (understood(json.dumps({"context": each}).encode()) for each in (said, dict(pairs)))
    if isinstance(one, Context) and isinstance(other, Context):
        assert one.canonical() == other.canonical()


@pytest.mark.parametrize(
    "body",
    [
        b'{"context": {"a": 1, "a": 2}}',
        b'{"context": {"targetingKey": "u1", "targetingKey": "u1"}}',
        b'{"context": {"a": {"b": 1, "b": 1}}}',
        b'{"context": {"at": "12:30:00", "a": 1, "a": 1}}',
        b'{"context": {}, "context": {"a": 1}}',
        b'{"context": null, "context": null}',
    ],
)
def test_a_name_that_stands_twice_is_refused_since_readers_would_differ(body: bytes) -> None:
    status, code, details = refusal(body)
    assert (status, code) == (400, "PARSE_ERROR")
    assert details.endswith("is there twice.")


def test_colons_in_texts_are_no_names() -> None:
    context = parse_context(b'{"context": {"targetingKey": "u:1", "url": "https://a.example:1/", "at": "12:30"}}')
    assert (context.user, context.attributes) == ("u:1", {"url": "https://a.example:1/", "at": "12:30"})


def test_nobody_is_said_by_nothing_null_or_an_empty_text() -> None:
    for body in (b"", b" \n", b"{}", b'{"context": null}', b'{"context": {}}', b'{"context": {"targetingKey": ""}}'):
        assert parse_context(body).user is None
    assert parse_context(b'{"context": {"targetingKey": null}}').user is None


@pytest.mark.parametrize("user", [5, True, ["u1"], {"id": "u1"}, "x" * 201, "u\0"])
def test_a_user_is_a_text_of_bounded_length(user: Any) -> None:
    assert refusal({"context": {"targetingKey": user}})[:2] == (400, "INVALID_CONTEXT")


def test_conditions_read_texts_numbers_truths_and_lists_of_texts_and_nothing_else() -> None:
    said = {"a": "x", "b": 1, "c": 1.5, "d": True, "e": ["x"], "f": None, "g": {"h": 1}, "i": [1], "j": []}
    context = parse_context(json.dumps({"context": said}).encode())
    assert context.attributes == {"a": "x", "b": 1, "c": 1.5, "d": True, "e": ["x"], "j": []}
    assert context.said == said, "all of it belongs to the ETag"


def test_what_no_answer_could_carry_is_refused() -> None:
    deep: Any = 1
    for _ in range(20):
        deep = {"a": deep}
    for said in (2**63, -(2**63) - 1, 10**400, [2**64], {"x": 2**64}, deep):
        assert refusal({"context": {"a": said}})[:2] == (400, "INVALID_CONTEXT")
    assert refusal({"context": {f"a{n}": n for n in range(201)}})[:2] == (400, "INVALID_CONTEXT")


@pytest.mark.parametrize(
    "body",
    [
        b'{"context": {"a": NaN}}',
        b'{"context": {"a": Infinity}}',
        b'{"context": {"a": 1e999}}',
        b'{"context": {"a": "\\ud800"}}',
        b'{"context": {"a": "\xff"}}',
        b"\xef\xbb\xbf{}",
        b"[]",
        b"null",
        b'"u1"',
        b'{"other": ' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        b'{"other": ' + b'{"a":' * 30_000 + b"1" + b"}" * 30_000 + b"}",
        b'{"other": ' + b"1" * 5_000 + b', "a": {"b": 1}}',
    ],
)
def test_what_is_no_plain_json_object_is_a_parse_error(body: bytes) -> None:
    assert refusal(body)[:2] == (400, "PARSE_ERROR")


def test_an_etag_is_found_in_a_list_and_when_a_proxy_has_weakened_it() -> None:
    for said in (b'"a"', b'W/"a"', b'"b", "a"', b'"b","a"', b' "a" '):
        assert matches(said, b'"a"')
    for said in (b"", b'"b"', b"a", b"*"):
        assert not matches(said, b'"a"')
