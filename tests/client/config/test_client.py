"""The client against real servers: current within a second, in every fork, and calm when the server is gone."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import time_machine

from tests.support.running import RunningServer, eventually, running_server
from watchkeeper.kernel.db.database import DATABASE_FILE
from watchkeeper_client import AsyncClient, Client, Parameter
from watchkeeper_client.config import reading

KEY = "MATCHES"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("client") / "data"


@pytest.fixture(scope="module")
def server(data: Path) -> Iterator[RunningServer]:
    with running_server(data) as running:
        yield running


@pytest.fixture(scope="module")
def token(server: RunningServer) -> str:
    return make_token(server)


def make_token(server: RunningServer) -> str:
    made = server.client.post("/api/v1/tokens", json={"name": "client", "scopes": ["read", "intake"]})
    return str(made.raise_for_status().json()["secret"])


@pytest.fixture
def client(server: RunningServer, token: str, tmp_path: Path) -> Iterator[Client]:
    define(server, KEY)
    with Client(server.url, token, service="orders", cache_dir=tmp_path / "cache") as made:
        assert made.wait_until_ready()
        yield made


def define(server: RunningServer, key: str, **said: Any) -> None:
    body = {"key": key, "type": "integer", "default": 3, **said}
    answer = server.client.post("/api/v1/config/parameters", json=body)
    assert answer.status_code in (201, 409), answer.text


def put(server: RunningServer, key: str, value: Any, **more: Any) -> None:
    body = {"environment": "production", "reason": "tried out", "operations": [{"key": key, "value": value}], **more}
    answer = server.client.post("/api/v1/config/changes", json=body)
    assert answer.status_code == 201, answer.text


def test_a_change_has_its_effect_within_a_second(server: RunningServer, client: Client) -> None:
    for value in (5, 6, 7):
        put(server, KEY, value)
        eventually(lambda value=value: client.get(KEY) == value)  # type: ignore[misc]


def test_callbacks_hear_which_keys_changed_and_a_broken_one_stops_nobody(server: RunningServer, client: Client) -> None:
    heard: list[frozenset[str]] = []

    def broken(_keys: frozenset[str]) -> None:
        raise RuntimeError("a bug of the service")

    client.on_change(broken)
    unsubscribe = client.on_change(heard.append)
    put(server, KEY, 8)
    eventually(lambda: heard == [frozenset({KEY})])
    unsubscribe()
    put(server, KEY, 9)
    eventually(lambda: client.get(KEY) == 9)
    assert len(heard) == 1


def test_a_client_made_before_a_fork_lives_in_every_child(server: RunningServer, client: Client) -> None:
    put(server, KEY, 1)
    eventually(lambda: client.get(KEY) == 1)
    reading, writing = os.pipe()
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            os.write(writing, b"started\n")
            until = time.monotonic() + 20
            while client.get(KEY) != 2 and time.monotonic() < until:
                time.sleep(0.002)
            os.write(writing, f"{client.get(KEY)} {time.time()} {client.instance}\n".encode())
            os._exit(0)
        children.append(child)
    started = b""
    while started.count(b"started") < 4:
        started += os.read(reading, 1_000)
    changed = time.time()
    put(server, KEY, 2)
    eventually(lambda: client.get(KEY) == 2)
    for child in children:
        os.waitpid(child, 0)
    told = [line.split() for line in (started + os.read(reading, 10_000)).decode().splitlines() if line != "started"]
    assert [line[0] for line in told] == ["2"] * 4
    assert max(float(line[1]) for line in told) - changed < 1
    assert len({client.instance, *(line[2] for line in told)}) == 5


def test_a_fork_while_locks_are_held_does_not_hang_the_child(client: Client) -> None:
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with reading.overriding_lock(), client._counting:
            held.set()
            let_go.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    child = os.fork()
    if child == 0:
        client._take_counts()
        client._act_on_time()
        os._exit(7)
    until = time.monotonic() + 10
    done = 0
    while not done and time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        time.sleep(0.01)
    let_go.set()
    thread.join()
    assert done == child, "the child hangs"
    assert os.waitstatus_to_exitcode(status) == 7


def test_the_last_known_values_survive_server_and_process(token: str, tmp_path: Path) -> None:
    with running_server(tmp_path / "data") as server:
        own = make_token(server)
        define(server, KEY)
        put(server, KEY, 6)
        with Client(server.url, own, cache_dir=tmp_path / "cache") as client:
            assert client.wait_until_ready()
            url = server.url
            assert client.get(KEY) == 6
        files = list((tmp_path / "cache").iterdir())
        assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600]
    with Client(url, own, cache_dir=tmp_path / "cache") as again:
        assert again.get(KEY) == 6
        assert again.status().source == "disk"
        stale = again.status().stale_seconds
        assert stale is not None
        eventually(lambda: (again.status().stale_seconds or 0) > stale)
        eventually(lambda: again.status().last_error)
        assert not again.status().connected
    files[0].write_bytes(files[0].read_bytes().replace(b'"value": 6', b'"value": 7'))
    with Client(url, own, cache_dir=tmp_path / "cache") as damaged:
        assert (damaged.get(KEY, 3), damaged.status().source) == (3, "none")


def test_a_restarted_server_is_found_again(tmp_path: Path) -> None:
    with running_server(tmp_path / "data") as server:
        own = make_token(server)
        define(server, KEY)
        port = server.url.rpartition(":")[2]
        client = Client(server.url, own, cache_dir=False)
        assert client.wait_until_ready()
    eventually(lambda: not client.status().connected)
    assert client.get(KEY) == 3
    with running_server(tmp_path / "data", port=int(port)) as server:
        put(server, KEY, 4)
        eventually(lambda: client.get(KEY) == 4)
    client.close()


def test_a_scheduled_change_acts_in_the_client_without_the_server(tmp_path: Path) -> None:
    with running_server(tmp_path / "data") as server:
        own = make_token(server)
        define(server, KEY)
        client = Client(server.url, own, cache_dir=False)
        assert client.wait_until_ready()
        heard: list[frozenset[str]] = []
        client.on_change(heard.append)
        put(server, KEY, 9, at=(datetime.now(UTC) + timedelta(seconds=4)).isoformat())
        eventually(lambda: client._program.next_change_at)
        server.process.kill()
        server.process.wait()
        assert client.get(KEY) == 3
    eventually(lambda: client.get(KEY) == 9, within=8)
    assert heard[-1] == frozenset({KEY})
    client.close()


def test_declared_parameters_are_in_the_registry_once_a_service_has_started(server: RunningServer, token: str) -> None:
    batch = Parameter("BATCH_SIZE", int, default=10, min=1, description="How many at once.")
    with Client(server.url, token, service="orders", cache_dir=False, parameters=[batch]) as client:
        eventually(lambda: server.client.get("/api/v1/config/parameters/BATCH_SIZE").is_success)
        eventually(lambda: client.kind_of("BATCH_SIZE") == "integer")
    found = server.client.get("/api/v1/config/parameters/BATCH_SIZE").json()
    assert (found["definition"]["service"], found["managed_by"]) == ("orders", "code")


def test_what_was_served_is_reported_at_the_end_at_the_latest(
    server: RunningServer, token: str, monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    define(server, "SEEN_IN_ENV")
    monkeypatch.setenv("APP_SEEN_IN_ENV", "8")
    with Client(server.url, token, service="reporting", cache_dir=False, env_prefix="APP_") as client:
        assert client.wait_until_ready()
        assert [client.get("SEEN_IN_ENV") for _ in range(5)] == [8] * 5
    with sqlite3.connect(f"file:{data / DATABASE_FILE}?mode=ro", uri=True) as database:
        seen = database.execute("SELECT said, service FROM config_variables WHERE key = 'SEEN_IN_ENV'").fetchall()
        counts = database.execute("SELECT variant, count FROM config_usage WHERE key = 'SEEN_IN_ENV'").fetchall()
    assert seen == [("8", "reporting")]
    assert counts == [("env", 5)]


@pytest.mark.parametrize(("given", "said"), [("nonsense", "401"), (None, "401")])
def test_a_wrong_token_is_said_and_hurts_nobody(server: RunningServer, given: str | None, said: str) -> None:
    with Client(server.url, given, cache_dir=False) as client:
        eventually(lambda: client.status().last_error)
        assert said in (client.status().last_error or "")
        assert client.get(KEY, 5) == 5


def test_an_unknown_environment_is_said(server: RunningServer, token: str) -> None:
    with Client(server.url, token, environment="nowhere", cache_dir=False) as client:
        eventually(lambda: client.status().last_error)
        assert "404" in (client.status().last_error or "")


def test_a_folder_that_can_not_be_written_is_no_reason_to_fail(
    server: RunningServer, token: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with Client(server.url, token, cache_dir=tmp_path / "file" / "below") as client:
        assert client.wait_until_ready()


def test_users_are_told_in_batches_and_a_refusal_is_no_error(server: RunningServer, client: Client) -> None:
    users = [{"id": f"u{number}", "country": "NO"} for number in range(1_200)]
    assert client.sync_subjects(users)
    assert not client.sync_subjects([{"id": "someone@example.com"}])


def test_the_async_client_reads_the_same_and_awaits_what_waits(server: RunningServer, token: str) -> None:
    async def story() -> list[frozenset[str]]:
        heard: list[frozenset[str]] = []
        define(server, KEY)
        async with AsyncClient(server.url, token, cache_dir=False) as client:
            assert await client.aready()

            async def hear(keys: frozenset[str]) -> None:
                heard.append(keys)

            client.on_change_async(hear)
            value = 10 if client.get(KEY) != 10 else 9
            await asyncio.to_thread(put, server, KEY, value)
            for _ in range(100):
                await asyncio.sleep(0.02)
                if heard:
                    break
            assert client.get(KEY) == value
        return heard

    assert asyncio.run(story()) == [frozenset({KEY})]


GARBAGE = {
    "no JSON": b"<html>welcome</html>",
    "another format": json.dumps({"format": 99}).encode(),
    "a list": b"[]",
    "deep": b"[" * 100_000,
    "wrong parts": json.dumps({"format": 1, "environment": 5, "version": 1, "etag": "x", "parameters": {}}).encode(),
    "parameters of nothing": json.dumps(
        {"format": 1, "environment": "production", "version": 1, "etag": "x", "parameters": {"A": 5}}
    ).encode(),
}


@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE)
def test_a_server_that_talks_nonsense_changes_nothing(body: bytes) -> None:
    class Nonsense(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Nonsense)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    with Client(f"http://127.0.0.1:{http.server_port}", "t", cache_dir=False) as client:
        eventually(lambda: client.status().last_error)
        assert (client.get("A", 5), client.status().source) == (5, "none")
    http.shutdown()


def test_a_clock_that_is_set_is_noticed_both_ways(server: RunningServer, token: str) -> None:
    define(server, "CLOCKED")
    with Client(server.url, token, cache_dir=False) as client:
        eventually(lambda: client.kind_of("CLOCKED"))
        due = datetime.now(UTC) + timedelta(hours=1)
        put(server, "CLOCKED", 9, at=due.isoformat())
        eventually(lambda: client._program.next_change_at)
        assert client.get("CLOCKED") == 3
        with time_machine.travel(due + timedelta(minutes=1)):
            eventually(lambda: client.get("CLOCKED") == 9, within=4)
            stale = client.status().stale_seconds
            assert stale is not None
            assert stale < 60, "ages are measured by a clock that nobody sets"
        eventually(lambda: client.get("CLOCKED") == 3, within=4)
