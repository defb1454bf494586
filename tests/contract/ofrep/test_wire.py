"""OFREP on the wire: whole answers, errors that clients can read, and an ETag of everything that was asked."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.contract.ofrep.conftest import Ofrep
from tests.support.running import eventually, running_server
from watchkeeper_client.testing import client_with

REASONS = {"STATIC", "DEFAULT", "TARGETING_MATCH", "SPLIT", "DISABLED"}


def test_a_value_comes_with_everything_that_clients_read(ofrep: Ofrep) -> None:
    version = ofrep.server.client.get("/api/v1/config/snapshot").json()["version"]
    assert ofrep.evaluate("FLAG", {"targetingKey": "u1", "country": "NO"}).json() == {
        "key": "FLAG",
        "value": True,
        "reason": "TARGETING_MATCH",
        "variant": "on",
        "metadata": {"layer": "segment", "environment": "production", "detail": "country_NO", "version": version},
    }
    assert ofrep.evaluate("FLAG", {"targetingKey": "u9", "country": "NO"}).json()["metadata"]["layer"] == "user"


def test_a_float_keeps_its_point_and_text_forms_are_those_of_files(ofrep: Ofrep) -> None:
    assert b'"value":2.0' in ofrep.evaluate("RATIO").content
    assert ofrep.evaluate("SHAPE").json()["value"] == {"a": [1, 2.5]}
    assert ofrep.evaluate("WAIT").json()["value"] == "1h30m"


def test_without_a_value_the_clients_own_default_is_meant(ofrep: Ofrep) -> None:
    said = ofrep.evaluate("NOTHING").json()
    assert "value" not in said
    assert (said["reason"], said["variant"]) == ("DEFAULT", "code")


def test_the_same_user_is_on_the_same_side_as_in_every_client(ofrep: Ofrep) -> None:
    document = ofrep.server.client.get("/api/v1/config/snapshot").json()
    client = client_with({"SPLIT": document["parameters"]["SPLIT"]})
    for number in range(40):
        user = f"user-{number}"
        said = ofrep.evaluate("SPLIT", {"targetingKey": user}).json()
        assert said["value"] is client.get("SPLIT", user=user)
        assert said["reason"] == ("SPLIT" if said["value"] else "STATIC")


def test_all_flags_at_once_each_whole_and_no_secret(ofrep: Ofrep) -> None:
    answer = ofrep.evaluate(context={"targetingKey": "u1"})
    flags = {one["key"]: one for one in answer.json()["flags"]}
    assert "HIDDEN" not in flags
    assert {"FLAG", "COUNT", "RATIO", "SPLIT"} <= set(flags)
    assert all(one["reason"] in REASONS and one["variant"] and one["metadata"]["layer"] for one in flags.values())
    assert answer.headers["ETag"].startswith('"')


def test_the_etag_is_of_the_version_and_the_whole_context(ofrep: Ofrep) -> None:
    sweden, norway = {"targetingKey": "u1", "country": "SE"}, {"country": "NO", "targetingKey": "u1"}
    etag = ofrep.evaluate(context=sweden).headers["ETag"]
    assert ofrep.evaluate(context=sweden, headers={"If-None-Match": etag}).status_code == 304
    turned = dict(reversed(sweden.items()))
    assert ofrep.evaluate(context=turned, headers={"If-None-Match": etag}).status_code == 304
    moved = ofrep.evaluate(context=norway, headers={"If-None-Match": etag})
    assert moved.status_code == 200
    assert next(one for one in moved.json()["flags"] if one["key"] == "FLAG")["value"] is True
    ofrep.put("COUNT", 4)
    assert ofrep.evaluate(context=sweden, headers={"If-None-Match": etag}).status_code == 200
    ofrep.put("COUNT", 3)


def test_a_schedule_acts_here_too_and_changes_the_etag(ofrep: Ofrep) -> None:
    due = datetime.now(UTC) + timedelta(seconds=2)
    operation = {"key": "WORD", "slot": "value", "value": "later"}
    body = {"environment": "production", "reason": "planned", "operations": [operation], "at": due.isoformat()}
    assert ofrep.server.client.post("/api/v1/config/changes", json=body).json()["state"] == "scheduled"
    etag = ofrep.evaluate(context={}).headers["ETag"]
    assert ofrep.evaluate("WORD").json()["value"] == "x"
    eventually(lambda: ofrep.evaluate("WORD").json()["value"] == "later", within=6)
    assert ofrep.evaluate(context={}, headers={"If-None-Match": etag}).status_code == 200


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"{", "PARSE_ERROR"),
        (b"[]", "PARSE_ERROR"),
        (b'{"context": {"a": NaN}}', "PARSE_ERROR"),
        (b'{"context": ' + b"[" * 20_000 + b"]" * 20_000 + b"}", "PARSE_ERROR"),
        (b"\xff\xfe", "PARSE_ERROR"),
        (b'{"context": []}', "INVALID_CONTEXT"),
        (b'{"context": "u1"}', "INVALID_CONTEXT"),
        (b'{"context": {"targetingKey": 5}}', "INVALID_CONTEXT"),
        (b'{"context": {"targetingKey": "u1", "targetingKey": "u2"}}', "PARSE_ERROR"),
        (b'{"context": {"a": 18446744073709551616}}', "INVALID_CONTEXT"),
        (json.dumps({"context": {f"a{n}": 1 for n in range(500)}}).encode(), "INVALID_CONTEXT"),
    ],
)
def test_a_body_that_can_not_be_read_is_a_400_in_the_protocols_words(ofrep: Ofrep, content: bytes, code: str) -> None:
    one, every = ofrep.evaluate("FLAG", content=content), ofrep.evaluate(content=content)
    assert (one.status_code, one.json()["key"], one.json()["errorCode"]) == (400, "FLAG", code)
    assert one.json()["errorDetails"]
    assert (every.status_code, every.json()["errorCode"], "key" in every.json()) == (400, code, False)


@pytest.mark.parametrize("key", ["NOBODY_KNOWS", "a%2Fb", "a/b", "FLАG", "HIDDEN", "x" * 500, "%00", ".."])  # noqa: RUF001
def test_what_is_no_flag_is_not_found_and_says_its_key(ofrep: Ofrep, key: str) -> None:
    answer = ofrep.evaluate(key)
    assert answer.status_code == 404
    assert answer.json()["errorCode"] in ("FLAG_NOT_FOUND", "GENERAL")
    assert answer.json()["errorDetails"]


def test_who_may_not_ask_is_told_in_the_protocols_words(ofrep: Ofrep) -> None:
    for headers, status in (
        ({"Authorization": "Bearer wkt_nonsense"}, 401),
        ({"Authorization": "Basic dTpw"}, 401),
        ({"Authorization": ""}, 401),
    ):
        answer = ofrep.evaluate("FLAG", headers=headers)
        assert (answer.status_code, answer.json()["key"], answer.json()["errorCode"]) == (status, "FLAG", "GENERAL")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    made = ofrep.server.client.post("/api/v1/tokens", json={"name": "in", "scopes": ["intake"]}).json()
    assert ofrep.evaluate("FLAG", headers={"Authorization": f"Bearer {made['secret']}"}).status_code == 403


def test_an_api_key_is_a_token_too(ofrep: Ofrep) -> None:
    url = f"{ofrep.server.url}/ofrep/v1/evaluate/flags/COUNT"
    assert httpx.post(url, json={}, headers={"X-API-Key": ofrep.token}, trust_env=False).status_code == 200
    assert httpx.post(url, json={}, headers={"X-API-Key": "nonsense"}, trust_env=False).status_code == 401


def test_a_revoked_token_works_for_a_second_at_most(ofrep: Ofrep) -> None:
    made = ofrep.server.client.post("/api/v1/tokens", json={"name": "short", "scopes": ["read"]}).json()
    headers = {"Authorization": f"Bearer {made['secret']}"}
    assert ofrep.evaluate("FLAG", headers=headers).status_code == 200
    assert ofrep.server.client.delete(
        f"/api/v1/tokens/{made['token']['id'] if 'token' in made else made['id']}"
    ).is_success
    time.sleep(1.05)
    assert ofrep.evaluate("FLAG", headers=headers).status_code == 401


def test_an_unknown_environment_is_not_found_and_a_known_one_is_asked(ofrep: Ofrep) -> None:
    for options in ({"params": {"environment": "nowhere"}}, {"headers": {"X-Watchkeeper-Environment": "nowhere"}}):
        assert ofrep.evaluate("FLAG", **options).status_code == 404
    assert ofrep.evaluate("FLAG", params={"environment": "production"}).status_code == 200


def test_more_than_a_context_is_too_large(ofrep: Ofrep) -> None:
    answer = ofrep.evaluate("FLAG", {"a": "x" * 70_000})
    assert (answer.status_code, answer.json()["key"], answer.json()["errorCode"]) == (413, "FLAG", "GENERAL")


def test_browsers_of_known_origins_may_ask_and_others_may_not(ofrep: Ofrep) -> None:
    url = f"{ofrep.server.url}/ofrep/v1/evaluate/flags"
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,if-none-match"}
    known = httpx.options(url, headers={"Origin": "https://shop.example", **asked}, trust_env=False)
    assert known.status_code == 204
    assert known.headers["Access-Control-Allow-Origin"] == "https://shop.example"
    assert "If-None-Match" in known.headers["Access-Control-Allow-Headers"]
    answer = ofrep.evaluate(context={}, headers={"Origin": "https://shop.example"})
    assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
    other = httpx.options(url, headers={"Origin": "https://evil.example", **asked}, trust_env=False)
    assert "Access-Control-Allow-Origin" not in other.headers


def test_a_stream_tells_to_ask_again_and_needs_a_ticket_not_a_token(ofrep: Ofrep) -> None:
    stream = ofrep.evaluate(context={}).json()["eventStreams"][0]
    assert stream["type"] == "sse"
    # Without a host: the client takes the one that it asked, whatever a proxy calls this server.
    path = stream["endpoint"]["requestUri"]
    assert ofrep.token not in path
    url = ofrep.server.url + path
    with httpx.stream("GET", url, trust_env=False, timeout=20) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        next(lines)
        ofrep.put("COUNT", 5)
        said = json.loads(next(line for line in lines if line.startswith("data: ")).removeprefix("data: "))
    assert (said["type"], bool(said["etag"]), said["lastModified"] > 1_700_000_000) == ("refetchEvaluation", True, True)
    ofrep.put("COUNT", 3)
    for wrong in (
        url.replace("ticket=", "ticket=x"),
        url.replace("production", "staging"),
        url.partition("?")[0],
    ):
        assert httpx.get(wrong, trust_env=False).status_code == 401


def test_a_limit_for_each_token_answers_with_when_to_come_back(tmp_path: Any) -> None:
    with running_server(tmp_path / "data", {"WATCHKEEPER_CONFIG_OFREP_REQUESTS_PER_SECOND": "3"}) as server:
        made = server.client.post("/api/v1/tokens", json={"name": "many", "scopes": ["read"]}).json()
        asking = Ofrep(server, made["secret"])
        answers = [asking.evaluate("FLAG") for _ in range(12)]
    limited = [one for one in answers if one.status_code == 429]
    assert limited
    assert limited[0].headers["Retry-After"] == "1"
    assert (limited[0].json()["key"], limited[0].json()["errorCode"]) == ("FLAG", "GENERAL")


def test_what_is_known_of_a_user_is_added_to_what_the_client_says(ofrep: Ofrep) -> None:
    batch = {"subjects": [{"id": "known", "country": "NO"}]}
    ofrep.server.client.post("/api/v1/subjects", json=batch).raise_for_status()
    assert ofrep.evaluate("FLAG", {"targetingKey": "known"}).json()["value"] is True
    assert ofrep.evaluate("FLAG", {"targetingKey": "known", "country": "SE"}).json()["value"] is False
