"""Cursors: opaque, exact, and closed to invention."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernel.web.support import VIEW, bearer, browser, small_app
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.paging import (
    DEFAULT_LIMIT,
    BadCursor,
    Cursor,
    Limit,
    Page,
    decode_cursor,
    encode_cursor,
    page_of,
)
from watchkeeper.kernel.web.wire import api_router

NUMBERS = list(range(0, 500, 3))
api = api_router("numbers")


@api.get("/numbers")
async def numbers(
    who: Annotated[Actor, requires(VIEW)], limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[int]:
    after = decode_cursor(cursor, int) if cursor else -1
    rows = [number for number in NUMBERS if number > after][: limit + 1]
    return page_of(rows, limit, lambda number: number)


@dataclass(frozen=True)
class Position:
    at: datetime
    id: str


@pytest.fixture
def client():
    client = browser(small_app(api))
    client.headers.update(bearer("read"))
    return client


keys = st.tuples(st.integers(-(2**63), 2**63 - 1), st.text(max_size=40))


@given(keys)
def test_a_cursor_gives_back_exactly_what_went_in(key):
    assert decode_cursor(encode_cursor(key), tuple[int, str]) == key


@given(st.datetimes(timezones=st.just(UTC)), st.text(max_size=30))
def test_a_dataclass_with_an_instant_survives_too(at, identifier):
    key = Position(at, identifier)
    assert decode_cursor(encode_cursor(key), Position) == key


@given(keys)
def test_a_cursor_needs_no_escaping_in_an_address(key):
    assert set(encode_cursor(key)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(st.text(max_size=200))
def test_any_other_text_is_refused_and_never_a_crash(text):
    try:
        key = decode_cursor(text, tuple[int, str])
    except BadCursor:
        return
    assert encode_cursor(key) == text


def _encoded(plain: bytes) -> str:
    return base64.urlsafe_b64encode(plain).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "plain",
    [
        b'["1","a"]',
        b'[1, "a"]',
        b"[1]",
        b"[1.0,2]",
        b'{"a":1}',
        b"null",
        b'[9223372036854775808,"a"]',
        b"[" * 500,
        b'[true,"a"]',
        b'[1,"a","b"]',
    ],
)
def test_another_shape_or_spelling_is_refused(plain):
    with pytest.raises(BadCursor):
        decode_cursor(_encoded(plain), tuple[int, str])


def test_an_endless_cursor_is_refused_before_it_is_read(client):
    assert client.get("/api/v1/numbers", params={"cursor": "A" * 5000}).status_code == 422


@given(st.integers(1, 200))
def test_following_next_gives_every_item_once_whatever_the_limit(limit):
    found: list[int] = []
    cursor = None
    while True:
        after = decode_cursor(cursor, int) if cursor else -1
        page = page_of([n for n in NUMBERS if n > after][: limit + 1], limit, lambda n: n)
        assert len(page.items) <= limit
        found += page.items
        cursor = page.next
        if cursor is None:
            break
    assert found == NUMBERS


def test_a_list_answers_with_items_and_next(client):
    first = client.get("/api/v1/numbers", params={"limit": 2}).json()
    assert first["items"] == [0, 3]
    second = client.get("/api/v1/numbers", params={"limit": 2, "cursor": first["next"]}).json()
    assert second["items"] == [6, 9]
    assert client.get("/api/v1/numbers", params={"limit": 200}).json()["next"] is None


@pytest.mark.parametrize("limit", ["0", "201", "-1", "many", "1e3"])
def test_a_limit_out_of_bounds_is_refused_by_name(client, limit):
    answer = client.get("/api/v1/numbers", params={"limit": limit})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["where"] == "query.limit"


def test_a_cursor_of_another_list_is_a_refusal_with_a_code(client):
    answer = client.get("/api/v1/numbers", params={"cursor": encode_cursor(["a", "b"])})
    assert (answer.status_code, answer.json()["code"]) == (422, "kernel.bad_cursor")
