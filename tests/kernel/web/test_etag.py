"""Two people edit one thing: nobody overwrites what they have not seen."""

from typing import Annotated

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import JSONResponse, Response

from tests.kernel.web.support import CHANGE, VIEW, bearer, browser, small_app
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.etag import check_match, etag_of, not_modified, require_match, with_etag
from watchkeeper.kernel.web.wire import StrictModel, api_router


class Note(StrictModel):
    text: str


api = api_router("notes")
note = {"text": "first"}


@api.get("/note")
async def read_note(request: Request, who: Annotated[Actor, requires(VIEW)]) -> Response:
    etag = etag_of(note)
    return not_modified(request, etag) or with_etag(JSONResponse(note), etag)


@api.put("/note")
async def write_note(request: Request, new: Note, who: Annotated[Actor, requires(CHANGE)]) -> Response:
    require_match(request, etag_of(note))
    note["text"] = new.text
    return with_etag(JSONResponse(note), etag_of(note))


@api.delete("/note")
async def clear_note(request: Request, who: Annotated[Actor, requires(CHANGE)]) -> None:
    check_match(request, etag_of(note))


@pytest.fixture
def client():
    note["text"] = "first"
    client = browser(small_app(api))
    client.headers.update(bearer("write"))
    return client


def test_an_unchanged_thing_is_not_sent_again(client):
    etag = client.get("/api/v1/note").headers["etag"]
    again = client.get("/api/v1/note", headers={"if-none-match": etag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)


@pytest.mark.parametrize("form", ["*", "W/{etag}", '"other", {etag}', "{etag},"])
def test_every_way_to_name_the_version_is_understood(client, form):
    etag = client.get("/api/v1/note").headers["etag"]
    assert client.get("/api/v1/note", headers={"if-none-match": form.format(etag=etag)}).status_code == 304


def test_a_changed_thing_is_sent(client):
    assert client.get("/api/v1/note", headers={"if-none-match": '"old"'}).json() == {"text": "first"}


def test_the_second_of_two_editors_is_told(client):
    seen = client.get("/api/v1/note").headers["etag"]
    first = client.put("/api/v1/note", json={"text": "mine"}, headers={"if-match": seen})
    assert first.status_code == 200
    second = client.put("/api/v1/note", json={"text": "yours"}, headers={"if-match": seen})
    assert (second.status_code, second.json()["code"]) == (412, "kernel.precondition_failed")
    assert second.headers["etag"] == first.headers["etag"]
    assert note["text"] == "mine"


def test_a_change_without_a_version_is_asked_for_one(client):
    answer = client.put("/api/v1/note", json={"text": "blind"})
    assert (answer.status_code, answer.json()["code"]) == (428, "kernel.precondition_required")
    assert note["text"] == "first"


def test_a_weak_version_is_not_enough_to_change_something(client):
    etag = client.get("/api/v1/note").headers["etag"]
    assert client.put("/api/v1/note", json={"text": "x"}, headers={"if-match": f"W/{etag}"}).status_code == 412


def test_where_the_version_is_optional_a_wrong_one_is_still_refused(client):
    assert client.delete("/api/v1/note").status_code == 200
    assert client.delete("/api/v1/note", headers={"if-match": "*"}).status_code == 200
    assert client.delete("/api/v1/note", headers={"if-match": '"old"'}).status_code == 412


json_values = st.dictionaries(
    st.text(max_size=8), st.integers(-(2**53), 2**53) | st.text(max_size=8) | st.booleans() | st.none()
)


@given(json_values)
def test_the_order_of_keys_makes_no_version(value):
    assert etag_of(value) == etag_of(dict(reversed(value.items())))


@given(json_values, json_values)
def test_two_values_share_a_version_only_when_they_are_equal(one, other):
    same = one == other and [type(v) for _, v in sorted(one.items())] == [type(v) for _, v in sorted(other.items())]
    assert (etag_of(one) == etag_of(other)) == same


@given(json_values)
def test_a_version_is_a_strong_quoted_tag(value):
    tag = etag_of(value)
    assert tag.startswith('"')
    assert tag.endswith('"')
    assert len(tag) == 34
