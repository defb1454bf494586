"""The API of runtime configuration, as programs and the command line use it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.config.support import COACH, MATCHES, RADIUS, VIDEO, Stage
from watchkeeper.modules.config import reports, store_reports
from watchkeeper_client.rules import compile_snapshot

BASE = "/api/v1/config"


@pytest.fixture(autouse=True)
def defined(stage: Stage) -> None:
    stage.define(MATCHES, RADIUS, VIDEO, COACH)
    stage.hub.look()


def change(key: str, value: Any, slot: str = "value", **more: Any) -> dict[str, Any]:
    operation = {"key": key, "slot": slot, "value": value}
    if "expected_version" in more:
        operation["expected_version"] = more.pop("expected_version")
    return {"environment": "production", "reason": "tried out", "operations": [operation], **more}


def test_a_change_is_served_as_soon_as_it_is_answered(stage: Stage) -> None:
    api = stage.api()
    answer = api.post(f"{BASE}/changes", json=change("MATCHES_PER_DAY", 5))
    assert (answer.status_code, answer.json()["state"]) == (201, "applied")
    document = api.get(f"{BASE}/snapshot").json()
    program = compile_snapshot(document, now=stage.clock.now(), environ={})
    assert program.table["MATCHES_PER_DAY"].value == 5  # type: ignore[union-attr]


def test_a_snapshot_that_one_has_is_not_sent_again(stage: Stage) -> None:
    api = stage.api("read")
    answer = api.get(f"{BASE}/snapshot", params={"environment": "production"})
    etag = answer.headers["ETag"]
    assert etag == answer.json()["etag"]
    assert api.get(f"{BASE}/snapshot", headers={"If-None-Match": etag}).status_code == 304
    stage.api().post(f"{BASE}/changes", json=change("MATCHES_PER_DAY", 5))
    assert api.get(f"{BASE}/snapshot", headers={"If-None-Match": etag}).status_code == 200


def test_an_unknown_environment_is_not_found_anywhere(stage: Stage) -> None:
    api = stage.api()
    for path in (
        "snapshot",
        "stream",
        "parameters",
        "parameters/MATCHES_PER_DAY",
        "parameters/MATCHES_PER_DAY/explain",
    ):
        answer = api.get(f"{BASE}/{path}", params={"environment": "nowhere"})
        assert (answer.status_code, answer.json()["code"]) == (404, "config.environment_not_found"), path


def test_a_repeated_request_changes_once(stage: Stage) -> None:
    api = stage.api()
    headers = {"Idempotency-Key": "once"}
    first = api.post(f"{BASE}/changes", json=change("MATCHES_PER_DAY", 5), headers=headers)
    again = api.post(f"{BASE}/changes", json=change("MATCHES_PER_DAY", 5), headers=headers)
    assert first.json() == again.json()
    assert len(stage.facts("config.changed")) == 1


def test_a_reader_changes_nothing_and_intake_reads_nothing(stage: Stage) -> None:
    assert stage.api("read").post(f"{BASE}/changes", json=change("MATCHES_PER_DAY", 5)).status_code == 403
    assert stage.api("intake").get(f"{BASE}/snapshot").status_code == 403
    assert stage.api("read").post(f"{BASE}/register", json={"service": "x", "parameters": []}).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        change("MATCHES_PER_DAY", 5, surprise=1),
        change("MATCHES_PER_DAY", 5, at="2026-03-02T13:00:00"),
        {**change("MATCHES_PER_DAY", 5), "operations": []},
        {**change("MATCHES_PER_DAY", 5), "reason": ""},
        change("MATCHES_PER_DAY", 5, slot="everybody"),
        change("MATCHES_PER_DAY", 5, slot="user:"),
        change("MATCHES_PER_DAY", 5, slot="segment:ghosts"),
        change("MATCHES_PER_DAY", {"value": 5, "priority": 10**9}, slot="segment:all_users"),
        change("MATCHES_PER_DAY", {"value": 5, "weight": 1}, slot="segment:all_users"),
    ],
)
def test_a_body_that_is_wrong_is_refused_and_changes_nothing(stage: Stage, body: dict[str, Any]) -> None:
    answer = stage.api().post(f"{BASE}/changes", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"]
    assert stage.facts("config.changed") == []


def test_nan_and_a_megabyte_are_refused_at_the_door(stage: Stage) -> None:
    api = stage.api()
    raw = json.dumps(change("RADIUS_KM", 1)).replace(": 1}", ": NaN}")
    assert api.post(f"{BASE}/changes", content=raw, headers={"content-type": "application/json"}).status_code in (
        400,
        422,
    )
    stage.define({"key": "SHAPE", "type": "json", "default": {}})
    answer = api.post(f"{BASE}/changes", json=change("SHAPE", {"x": "y" * 900_000}))
    assert (answer.status_code, "16 KB" in answer.text) == (422, True)
    assert api.post(f"{BASE}/changes", json=change("SHAPE", {"x": "y" * 1_100_000})).status_code == 413


def test_a_schema_says_what_json_may_be(stage: Stage) -> None:
    api = stage.api()
    schema = {"type": "object", "properties": {"size": {"type": "integer"}}, "required": ["size"]}
    made = api.post(
        f"{BASE}/parameters", json={"key": "SHAPE", "type": "json", "default": {"size": 1}, "schema": schema}
    )
    assert made.status_code == 201, made.text
    wrong = api.post(f"{BASE}/changes", json=change("SHAPE", {"size": "big"}))
    assert wrong.json()["errors"] == [
        {"where": "operations.0.value.size", "expected": '"big" is not of type "integer", for SHAPE'}
    ]
    assert api.post(f"{BASE}/changes", json=change("SHAPE", {"size": 2})).status_code == 201


@pytest.mark.parametrize("elsewhere", ["http://127.0.0.1:1/schema", "file:///etc/passwd", "https://example.com/s.json"])
def test_a_schema_never_makes_the_server_look_elsewhere(stage: Stage, elsewhere: str) -> None:
    body = {"key": "SHAPE", "type": "json", "schema": {"$ref": elsewhere}}
    answer = stage.api().post(f"{BASE}/parameters", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, "schema")


def test_a_pattern_that_would_take_for_ever_does_not(stage: Stage) -> None:
    api = stage.api()
    assert api.post(f"{BASE}/parameters", json={"key": "P", "type": "string", "pattern": "(a+)+"}).status_code == 201
    assert api.post(f"{BASE}/changes", json=change("P", "a" * 3_000 + "b")).status_code == 422
    assert api.post(f"{BASE}/parameters", json={"key": "Q", "type": "string", "pattern": "(?=a)b("}).status_code == 422


def test_a_secret_is_only_ever_a_reference(stage: Stage) -> None:
    api = stage.api()
    api.post(f"{BASE}/parameters", json={"key": "API_KEY", "type": "secret"})
    assert api.post(f"{BASE}/changes", json=change("API_KEY", "sk-12345")).status_code == 422
    assert api.post(f"{BASE}/changes", json=change("API_KEY", {"env": "OPENROUTER_KEY"})).status_code == 201
    assert "sk-12345" not in json.dumps([dict(fact.data) for fact in stage.facts()])


def test_a_definition_is_replaced_only_by_who_read_it(stage: Stage) -> None:
    api = stage.api()
    path = f"{BASE}/parameters/MATCHES_PER_DAY"
    etag = api.get(path).headers["ETag"]
    body = {**MATCHES, "maximum": 20}
    assert api.put(path, json=body).status_code == 428
    assert api.put(path, json=body, headers={"If-Match": etag}).status_code == 200
    assert api.put(path, json=body, headers={"If-Match": etag}).status_code == 412
    assert api.put(f"{BASE}/parameters/RADIUS_KM", json=body, headers={"If-Match": etag}).status_code == 422


def test_parameters_are_listed_searched_and_turned_over(stage: Stage) -> None:
    api = stage.api("read")
    everything = api.get(f"{BASE}/parameters", params={"limit": 200}).json()["items"]
    assert [one["definition"]["key"] for one in everything] == sorted(one["definition"]["key"] for one in everything)
    page = api.get(f"{BASE}/parameters", params={"limit": 2}).json()
    rest = api.get(f"{BASE}/parameters", params={"limit": 200, "cursor": page["next"]}).json()
    assert page["items"] + rest["items"] == everything
    found = api.get(f"{BASE}/parameters", params={"search": "matches"}).json()["items"]
    assert [one["definition"]["key"] for one in found] == ["MATCHES_PER_DAY"]


def test_an_explanation_tells_every_layer(stage: Stage) -> None:
    api = stage.api()
    api.post(f"{BASE}/changes", json=change("MATCHES_PER_DAY", 5))
    api.post(f"{BASE}/changes", json=change("MATCHES_PER_DAY", 9, slot="user:u1"))
    stage.environ["MATCHES_PER_DAY"] = "7"
    said = api.get(
        f"{BASE}/parameters/MATCHES_PER_DAY/explain", params={"user": "u1", "attributes": '{"age": 30}'}
    ).json()
    assert (said["value"], said["layer"]) == (9, "user")
    assert [(one["layer"], one["value"], one["won"]) for one in said["layers"]] == [
        ("user", 9, True),
        ("segment", None, False),
        ("system_config", 5, False),
        ("env", 7, False),
        ("code", 3, False),
    ]
    for wrong in ("[]", "{", '{"a": {"b": 1}}', "[" * 5_000):
        answer = api.get(f"{BASE}/parameters/MATCHES_PER_DAY/explain", params={"attributes": wrong})
        assert answer.status_code == 422


def test_a_service_that_starts_declares_its_parameters_and_overwrites_nobody(stage: Stage) -> None:
    api = stage.api("intake")
    order = {"service": "orders", "parameters": [
        {"key": "BATCH_SIZE", "type": "integer", "default": 10},
        {**MATCHES, "default": 4},
        {"key": "a/b", "type": "integer"},
    ]}  # fmt: skip
    said = {one["key"]: one["outcome"] for one in api.post(f"{BASE}/register", json=order).json()["items"]}
    assert said == {"BATCH_SIZE": "added", "MATCHES_PER_DAY": "differs", "a/b": "refused"}
    assert stage.get("MATCHES_PER_DAY") == 3
    again = {one["key"]: one["outcome"] for one in api.post(f"{BASE}/register", json=order).json()["items"]}
    assert again["BATCH_SIZE"] == "known"
    grown = {"service": "orders", "parameters": [{"key": "BATCH_SIZE", "type": "integer", "default": 20}]}
    assert api.post(f"{BASE}/register", json=grown).json()["items"][0]["outcome"] == "known"
    assert stage.get("BATCH_SIZE") == 20


def test_programs_report_what_they_see_and_served(stage: Stage) -> None:
    stage.define({"key": "API_KEY", "type": "secret"})
    told = {
        "service": "orders", "environment": "production", "instance": "i1", "version": 3, "stale_seconds": 1.5,
        "layers": [{"key": "MATCHES_PER_DAY", "env": "7"}, {"key": "API_KEY", "env": "sk-12345"},
                   {"key": "PATH", "env": "/bin"}],
        "counts": [
            {"key": "ENABLE_VIDEO", "variant": "on", "count": 5},
            {"key": "ENABLE_VIDEO", "variant": "nonsense", "count": 5},
            {"key": "NOBODY_KNOWS", "variant": "on", "count": 5},
        ],
    }  # fmt: skip
    for _ in range(2):
        assert stage.api("intake").post(f"{BASE}/report", json=told).status_code == 204
    with stage.database.read() as session:
        seen = {one.key: one.said for one in store_reports.variables_of(session, "production")}
        since = stage.clock.now() - timedelta(hours=1)
        counts = [
            (variant, count)
            for _, variant, count in store_reports.usage_of(session, "production", "ENABLE_VIDEO", since=since)
        ]
        readers = store_reports.all_readers(session, "production")
    assert seen == {"MATCHES_PER_DAY": "7", "API_KEY": None}
    assert counts == [("on", 10)]
    assert [(one.service, one.version) for one in readers] == [("orders", 3)]


def test_two_environments_are_compared_and_one_is_promoted(stage: Stage) -> None:
    admin, api = stage.api("admin"), stage.api()
    assert api.post(f"{BASE}/environments", json={"name": "staging"}).status_code == 403
    made = admin.post(f"{BASE}/environments", json={"name": "staging", "copy_from": "production", "reason": "tests"})
    assert made.status_code == 201
    assert admin.post(f"{BASE}/environments", json={"name": "staging"}).status_code == 409
    for wrong in ("Staging", "1st", "a b", "-", "ä"):
        assert admin.post(f"{BASE}/environments", json={"name": wrong}).status_code == 422, wrong
    api.post(f"{BASE}/changes", json={**change("MATCHES_PER_DAY", 8), "environment": "staging"})
    found = api.get(f"{BASE}/diff", params={"from": "staging", "to": "production"}).json()["items"]
    assert found == [{"key": "MATCHES_PER_DAY", "slot": "value", "from": 8, "to": None}]
    promoted = api.post(f"{BASE}/promote", json={"from": "staging", "to": "production", "reason": "well tested"})
    assert promoted.status_code == 201, promoted.text
    assert stage.get("MATCHES_PER_DAY") == 8


def test_a_change_of_anothers_team_is_refused(stage: Stage) -> None:
    # Whose team it is, is decided where teams are: tests/catalog/test_team_scope.py. Here: that it is asked.
    stage.define({**MATCHES, "owner": "nobody in particular"})
    stage.hub.look()
    assert stage.api().post(f"{BASE}/changes", json=change("MATCHES_PER_DAY", 5)).status_code == 201


def test_stale_flags_are_listed_with_why(stage: Stage) -> None:
    stage.define({**VIDEO, "expires_on": "2026-02-01"})
    with stage.database.begin() as session:
        reports.add_counts(
            session, "production", [("ENABLE_COACH", "off", 5)], at=stage.clock.now() + timedelta(days=40)
        )
    stage.clock.advance(timedelta(days=41))
    items = stage.api("read").get(f"{BASE}/stale").json()["items"]
    assert [(one["key"], one["why"]) for one in items] == [
        ("ENABLE_COACH", "settled"),
        ("ENABLE_VIDEO", "expired"),
        ("ENABLE_VIDEO", "unasked"),
    ]
