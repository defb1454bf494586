"""Refusals and accidents, as programs and as people see them."""

import json
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field
from starlette.exceptions import HTTPException

from tests.kernel.web.support import PAGE, VIEW, bearer, browser, small_app
from watchkeeper.kernel.errors import Complaint, Conflict, Invalid, TooManyRequests
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.problems import safe_next
from watchkeeper.kernel.web.wire import StrictModel, api_router, page_router

api = api_router("things")
pages = page_router()
Who = Annotated[Actor, requires(VIEW)]


class Thing(StrictModel):
    name: str
    size: int = Field(1, ge=1)


@api.post("/things")
async def make(thing: Thing, who: Who) -> Thing:
    return thing


@api.get("/refuse/{why}")
async def refuse(why: str, who: Who) -> None:
    match why:
        case "conflict":
            raise Conflict("There is one already.")
        case "invalid":
            raise Invalid("Not like that.", complaints=[Complaint("body.name", "a short name")])
        case "busy":
            raise TooManyRequests("Slow down.", retry_after_seconds=7)
        case "teapot":
            raise HTTPException(418, "short and stout", headers={"X-Pot": "1"})
        case _:
            raise RuntimeError("the password is swordfish")


@pages.get("/broken")
async def broken(who: Who) -> None:
    raise RuntimeError("the password is swordfish")


@pytest.fixture
def client():
    client = browser(small_app(api, pages))
    client.headers.update(bearer("admin"))
    return client


def test_a_refusal_is_a_problem_with_a_stable_code(client):
    answer = client.get("/api/v1/refuse/conflict")
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:watchkeeper:problem:kernel.conflict",
        "title": "Conflict",
        "status": 409,
        "detail": "There is one already.",
        "code": "kernel.conflict",
        "errors": [],
    }


def test_complaints_say_where_and_what_was_expected(client):
    answer = client.get("/api/v1/refuse/invalid").json()
    assert answer["errors"] == [{"where": "body.name", "expected": "a short name"}]


def test_a_refusals_headers_reach_the_caller(client):
    assert client.get("/api/v1/refuse/busy").headers["retry-after"] == "7"
    foreign = client.get("/api/v1/refuse/teapot")
    assert (foreign.status_code, foreign.headers["x-pot"], foreign.json()["detail"]) == (418, "1", "short and stout")


def test_a_wrong_field_an_unknown_field_and_a_missing_one_are_all_named(client):
    answer = client.post("/api/v1/things", json={"size": 0, "colour": "red"})
    assert answer.status_code == 422
    assert {error["where"] for error in answer.json()["errors"]} == {"body.name", "body.size", "body.colour"}


@pytest.mark.parametrize("body", ['{"name": "a\\u0000b"}', '{"name": "x", "size": NaN}', '{"name": "\\ud800"}'])
def test_text_and_numbers_that_no_database_keeps_are_refused(client, body):
    answer = client.post("/api/v1/things", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422


def test_the_input_itself_is_not_repeated_in_the_answer(client):
    assert "swordfish" not in client.post("/api/v1/things", json={"name": 1, "size": "swordfish"}).text


@pytest.mark.parametrize("body", [b"{", b"", b"\xff\xfe", b'{"name": "x"} trailing', b"nul"])
def test_a_body_that_is_no_json_is_a_clear_refusal(client, body):
    answer = client.post("/api/v1/things", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.json()["code"] in ("kernel.malformed", "kernel.invalid")


def test_an_accident_tells_an_id_and_nothing_else(client, caplog):
    answer = client.get("/api/v1/refuse/crash")
    assert answer.status_code == 500
    assert answer.json()["detail"].startswith("Quote err_")
    assert "swordfish" not in answer.text
    assert answer.headers["content-security-policy"]
    assert answer.headers["x-request-id"].startswith("req_")


def test_an_accident_on_a_page_is_a_page(client):
    answer = client.get("/broken", headers=PAGE)
    assert answer.status_code == 500
    assert "Quote err_" in answer.text
    assert "swordfish" not in answer.text


def test_the_error_id_stands_in_the_log_with_the_cause(client, monkeypatch):
    from watchkeeper.kernel.web import problems

    lines = []
    monkeypatch.setattr(problems._log, "error", lambda event, **fields: lines.append(fields), raising=False)
    shown = client.get("/api/v1/refuse/crash").json()["detail"]
    assert lines[0]["error_id"] in shown
    assert str(lines[0]["exc_info"]) == "the password is swordfish"


def test_nothing_there_is_a_problem_for_programs_and_a_page_for_people(client):
    assert client.get("/api/v1/nothing", headers=PAGE).json()["code"] == "kernel.not_found"
    page = client.get("/nothing/<script>", headers=PAGE)
    assert page.status_code == 404
    assert "<h1>Not found</h1>" in page.text
    assert "<script>" not in page.text.split("<main")[1]


def test_a_wrong_method_names_the_right_ones(client):
    answer = client.delete("/api/v1/things")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["code"] == "kernel.method_not_allowed"


@pytest.mark.parametrize(
    "path", ["https://evil.example", "//evil.example", "/\\evil.example", "", None, "evil", "/a\nb"]
)
def test_sign_in_leads_nowhere_else(path):
    assert safe_next(path) == "/"


@given(st.text())
def test_whatever_comes_as_next_the_way_back_stays_on_this_server(text):
    following = safe_next(text)
    assert following.startswith("/")
    assert not following.startswith(("//", "/\\"))
    assert json.dumps(following)
