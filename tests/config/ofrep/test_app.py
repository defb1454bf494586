"""OFREP's answers, whatever is asked and whatever happens meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.config.ofrep.support import FLAG, NORWAY, Ofrep, document
from tests.kernel.web.support import bearer, browser
from watchkeeper.kernel.errors import Unavailable

COUNTRY = {**FLAG, "segments": [{"segment": "country_NO", "value": "on"}]}
HALF = {**FLAG, "value": {"serve": {"percent": 50, "variants": {"on": 1}}}}
SHOP = "https://shop.example"


def shop(**parameters: Any) -> dict[str, Any]:
    return document({"COUNTRY": COUNTRY, "HALF": HALF, **parameters}, segments={"country_NO": NORWAY})


@pytest.fixture
def ofrep() -> Ofrep:
    asked = Ofrep(subjects={"ola": {"country": "NO"}}, origins=frozenset({SHOP}))
    asked.hub.put(shop())
    return asked


def test_a_user_is_looked_up_only_where_the_record_can_decide(ofrep: Ofrep) -> None:
    assert ofrep.one("HALF", "ola").status_code == 200
    assert ofrep.one("COUNTRY", "ola", country="SE").json()["value"] is False
    assert ofrep.one("COUNTRY").json()["value"] is False
    assert ofrep.subjects.asked == []
    assert ofrep.one("COUNTRY", "ola").json()["value"] is True
    assert ofrep.one("COUNTRY", "ola", country=None).json()["value"] is True, "null says nothing"
    assert ofrep.subjects.asked == ["ola", "ola"]


def test_all_flags_take_one_look_at_the_user(ofrep: Ofrep) -> None:
    values = {one["key"]: one["value"] for one in ofrep.every("ola").json()["flags"]}
    assert values["COUNTRY"] is True
    assert ofrep.subjects.asked == ["ola"]


def test_what_the_record_says_is_part_of_the_etag(ofrep: Ofrep) -> None:
    answer = ofrep.every("ola")
    ofrep.subjects._records = {"ola": {"country": "SE"}}
    assert ofrep.every("ola", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 200
    assert ofrep.every("ola", headers={"If-None-Match": f"W/{ofrep.every('ola').headers['ETag']}"}).status_code == 304


def test_a_304_has_no_body_and_says_the_etag(ofrep: Ofrep) -> None:
    etag = ofrep.every("ola").headers["ETag"]
    answer = ofrep.every("ola", headers={"If-None-Match": etag})
    assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", etag)
    assert "content-length" not in answer.headers


def test_an_address_of_a_stream_is_renewed_long_before_its_ticket_runs_out(ofrep: Ofrep) -> None:
    etag = ofrep.every("ola").headers["ETag"]
    ofrep.clock.advance(timedelta(hours=7))
    assert ofrep.every("ola", headers={"If-None-Match": etag}).status_code == 200


def test_a_bug_is_answered_in_the_protocols_words_and_says_nothing_of_itself(
    ofrep: Ofrep, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bytes:
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr("watchkeeper.modules.config.ofrep_serving.Serving.answer", broken)
    for answer, key in ((ofrep.one("HALF"), "HALF"), (ofrep.every(), None)):
        assert answer.status_code == 500
        assert answer.json() == {
            **({"key": key} if key else {}),
            "errorCode": "GENERAL",
            "errorDetails": "The evaluation failed.",
        }


def test_before_the_first_look_at_the_database_clients_are_told_when_to_come_back(
    ofrep: Ofrep, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_environment: str) -> None:
        raise Unavailable("not read yet", retry_after_seconds=1)

    monkeypatch.setattr(ofrep.hub, "current", away)
    answer = ofrep.one("HALF")
    assert (answer.status_code, answer.json()["key"], answer.headers["Retry-After"]) == (503, "HALF", "1")


def test_a_session_of_the_console_is_no_token(ofrep: Ofrep) -> None:
    answer = browser(ofrep.mounted, "alice").post("/ofrep/v1/evaluate/flags", json={})
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize(("scope", "status"), [("read", 200), ("write", 200), ("admin", 200), ("intake", 403)])
def test_tokens_that_may_read_may_ask(ofrep: Ofrep, scope: str, status: int) -> None:
    url = "/ofrep/v1/evaluate/flags/HALF"
    assert ofrep.anybody.post(url, json={}, headers=bearer(scope)).status_code == status
    assert ofrep.anybody.post(url, json={}, headers={"X-API-Key": scope}).status_code == status


def test_a_good_api_key_does_not_help_a_bad_token(ofrep: Ofrep) -> None:
    headers = {"Authorization": "Bearer nobody", "X-API-Key": "read"}
    assert ofrep.anybody.post("/ofrep/v1/evaluate/flags", json={}, headers=headers).status_code == 401


def test_a_token_is_asked_about_once_a_second(ofrep: Ofrep, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    authorised = ofrep.app._authorised

    async def counted(*given: Any) -> str:
        asked.append(1)
        return await authorised(*given)

    monkeypatch.setattr(ofrep.app, "_authorised", counted)
    for _ in range(5):
        ofrep.one("HALF")
    ofrep.clock.advance(timedelta(seconds=1))
    ofrep.one("HALF")
    assert len(asked) == 2


def test_what_is_refused_is_not_remembered(ofrep: Ofrep) -> None:
    for _ in range(3):
        assert ofrep.anybody.post("/ofrep/v1/evaluate/flags", json={}, headers=bearer("x")).status_code == 401
    assert ofrep.app._admitted_until == {}


def test_a_limit_is_each_tokens_own_and_fills_again() -> None:
    ofrep = Ofrep(per_second=2)
    ofrep.hub.put(shop())
    assert [ofrep.one("HALF").status_code for _ in range(3)] == [200, 200, 429]
    assert ofrep.anybody.post("/ofrep/v1/evaluate/flags", json={}, headers=bearer("admin")).status_code == 200
    ofrep.clock.advance(timedelta(seconds=0.5))
    assert [ofrep.one("HALF").status_code for _ in range(2)] == [200, 429]
    answer = ofrep.every()
    assert (answer.status_code, answer.headers["Retry-After"], "key" in answer.json()) == (429, "1", False)


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "evaluate/flags", 405, "POST, OPTIONS"),
        ("PUT", "evaluate/flags/HALF", 405, "POST, OPTIONS"),
        ("POST", "stream", 405, "GET, OPTIONS"),
        ("POST", "evaluate", 404, None),
        ("GET", "configuration", 404, None),
    ],
)
def test_what_is_not_there_is_said_to_whoever_may_ask(
    ofrep: Ofrep, method: str, path: str, status: int, allow: str | None
) -> None:
    answer = ofrep.client.request(method, f"/ofrep/v1/{path}")
    assert (answer.status_code, answer.headers.get("Allow"), answer.json()["errorCode"]) == (status, allow, "GENERAL")
    assert ofrep.anybody.request(method, f"/ofrep/v1/{path}").status_code == 401


def test_compressed_bodies_and_bodies_over_the_limit_are_refused(ofrep: Ofrep) -> None:
    assert ofrep.one("HALF", headers={"Content-Encoding": "gzip"}).status_code == 415
    assert ofrep.one("HALF", note="x" * 63_000).status_code == 200
    assert ofrep.one("HALF", note="x" * 64_000).status_code == 413


def test_a_browser_of_a_known_origin_can_read_every_answer_also_errors(ofrep: Ofrep) -> None:
    for answer in (
        ofrep.every(headers={"Origin": SHOP}),
        ofrep.one("NOBODY_KNOWS", headers={"Origin": SHOP}),
        ofrep.anybody.post("/ofrep/v1/evaluate/flags", headers={"Origin": SHOP}),
    ):
        assert answer.headers["Access-Control-Allow-Origin"] == SHOP
        assert answer.headers["Access-Control-Expose-Headers"] == "ETag, Retry-After"
        assert answer.headers["Vary"] == "Origin"
        assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("origin", ["https://shop.example.evil.example", "http://shop.example", "null", ""])
def test_a_browser_of_another_origin_can_read_none(ofrep: Ofrep, origin: str) -> None:
    answer = ofrep.every(headers={"Origin": origin})
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert answer.headers["Vary"] == "Origin", "else a cache would give this answer to the known one"
    asked = ofrep.anybody.options("/ofrep/v1/evaluate/flags", headers={"Origin": origin})
    assert "Access-Control-Allow-Methods" not in asked.headers


def test_the_environment_is_asked_by_query_or_header_and_the_query_wins(ofrep: Ofrep) -> None:
    staging = {**shop(COUNT={"type": "integer", "default": 1}), "environment": "staging"}
    ofrep.hub.put(staging)
    url = "/ofrep/v1/evaluate/flags/COUNT"
    for options in ({"params": {"environment": "staging"}}, {"headers": {"X-Watchkeeper-Environment": "staging"}}):
        answer = ofrep.client.post(url, **options)  # type: ignore[arg-type]
        assert answer.json()["metadata"]["environment"] == "staging"
    both = ofrep.client.post(
        url, params={"environment": "production"}, headers={"X-Watchkeeper-Environment": "staging"}
    )
    assert both.status_code == 404
    assert ofrep.client.post(url, params={"environment": "nowhere"}).json()["key"] == "COUNT"
