"""Runtime configuration in whole servers: changed at one, seen at all, made on time, kept through a restart."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.postgres import PostgresServer
from tests.support.running import RunningServer, eventually, running_server

BASE = "/api/v1/config"


@pytest.fixture(scope="module")
def replicas(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[RunningServer]]:
    folder = tmp_path_factory.mktemp("config")
    postgres.execute("CREATE DATABASE config_replicas")
    settings = {"WATCHKEEPER_DATABASE_URL": postgres.url("config_replicas")}
    with ExitStack() as stack:
        yield [stack.enter_context(running_server(folder / name, settings)) for name in "ab"]


def define(server: RunningServer, key: str, **said: Any) -> None:
    body = {"key": key, "type": "integer", "default": 1, **said}
    server.client.post(f"{BASE}/parameters", json=body).raise_for_status()


def put(server: RunningServer, key: str, value: Any, **more: Any) -> dict[str, Any]:
    body = {"environment": "production", "reason": "tried out", "operations": [{"key": key, "value": value}], **more}
    answer = server.client.post(f"{BASE}/changes", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def value_at(server: RunningServer, key: str) -> Any:
    document = server.client.get(f"{BASE}/snapshot").json()
    return document["parameters"].get(key, {}).get("value")


def test_what_is_changed_at_one_replica_is_served_by_the_other_within_a_second(replicas: list[RunningServer]) -> None:
    a, b = replicas
    define(a, "SHARED")
    for value in range(5):
        put(a, "SHARED", value)
        assert value_at(a, "SHARED") == value, "at once where it was changed"
        eventually(lambda value=value: value_at(b, "SHARED") == value)  # type: ignore[misc]
    etags = {server.client.get(f"{BASE}/snapshot").headers["ETag"] for server in replicas}
    assert len(etags) == 1


def test_a_stream_at_the_other_replica_tells_of_the_change(replicas: list[RunningServer]) -> None:
    a, b = replicas
    define(a, "STREAMED")
    eventually(lambda: "STREAMED" in b.client.get(f"{BASE}/snapshot").json()["parameters"])
    etag = b.client.get(f"{BASE}/snapshot").headers["ETag"]
    with b.client.stream("GET", f"{BASE}/stream", params={"etag": etag}) as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith("retry:")
        put(a, "STREAMED", 7)
        event = next(line for line in lines if line.startswith("event:"))
        data = next(line for line in lines if line.startswith("data:"))
    assert event == "event: change"
    delta = json.loads(data.removeprefix("data: "))
    assert (delta["from"], delta["parameters"]["STREAMED"]["value"]) == (etag, 7)


def test_a_scheduled_change_is_made_once_by_whichever_replica(replicas: list[RunningServer]) -> None:
    a, b = replicas
    define(a, "PLANNED")
    due = datetime.now(UTC) + timedelta(seconds=2)
    change = put(a, "PLANNED", 9, at=due.isoformat())
    assert change["state"] == "scheduled"
    made = eventually(
        lambda: (found := b.client.get(f"{BASE}/changes/{change['id']}").json())["state"] == "applied" and found,
        within=60,
    )
    assert made["steps"] == [{"key": "PLANNED", "slot": "value", "before": None, "after": 9}]
    facts = a.client.get("/api/v1/timeline", params={"kind": "config.changed"}).json()["items"]
    assert len([one for one in facts if one["data"]["key"] == "PLANNED"]) == 1


def test_undo_from_the_timeline(replicas: list[RunningServer]) -> None:
    a, _ = replicas
    define(a, "UNDONE")
    put(a, "UNDONE", 5)
    fact = next(
        one
        for one in a.client.get("/api/v1/timeline", params={"kind": "config.changed"}).json()["items"]
        if one["data"]["key"] == "UNDONE"
    )
    assert fact["changes"] == [{"field": "UNDONE", "before": "nothing", "after": "5"}]
    assert fact["undo_href"] == f"/config/changes/{fact['data']['change_id']}#undo"
    undone = a.client.post(f"{BASE}/changes/{fact['data']['change_id']}/revert", json={"reason": "a mistake"})
    assert undone.status_code == 201, undone.text
    assert value_at(a, "UNDONE") is None


def test_what_was_set_is_there_after_a_restart_and_waiting_changes_are_made_late_but_made(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        define(server, "KEPT")
        put(server, "KEPT", 4)
        change = put(server, "KEPT", 6, at=(datetime.now(UTC) + timedelta(seconds=1)).isoformat())
    time.sleep(1)
    with running_server(tmp_path) as server:
        eventually(lambda: server.client.get(f"{BASE}/changes/{change['id']}").json()["state"] == "applied")
        eventually(lambda: value_at(server, "KEPT") == 6)


def test_the_environment_layer_of_the_server_shows_only_registered_keys(tmp_path: Path) -> None:
    with running_server(tmp_path, {"PARAMETER_SEEN": "7", "SECRET_OF_THE_SERVER": "hush"}) as server:
        define(server, "SEEN")
        define(server, "SECRET_OF_THE_SERVER", type="string", default="x")
        explained: Any = server.client.get(f"{BASE}/parameters/SEEN/explain").json()
        assert (explained["layer"], explained["value"]) == ("env", 7)
        answer = server.client.get(f"{BASE}/parameters/SECRET_OF_THE_SERVER/explain")
        assert "hush" not in answer.text


def test_a_snapshot_needs_a_token(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        assert httpx.get(f"{server.url}{BASE}/snapshot", trust_env=False).status_code == 401


def test_watchkeepers_own_setting_is_taken_over_by_every_replica_without_a_restart(
    replicas: list[RunningServer],
) -> None:
    a, b = replicas
    key = "watchkeeper.audit.checkpoint_seconds"

    def holds_at_b() -> Any:
        return b.client.get(f"{BASE}/parameters/{key}/explain").json()["value"]

    assert holds_at_b() == 60
    put(a, key, 5)
    eventually(lambda: holds_at_b() == 5)
    put(a, key, None)
    eventually(lambda: holds_at_b() == 60)
