"""Two servers on one PostgreSQL, each with a data directory of its own, behave as one."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.support.postgres import PostgresServer
from tests.support.running import RunningServer, eventually, running_server
from tests.telemetry.support import spans

PASSWORD = "plum tractor winter seven"
_CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')


@dataclass(frozen=True)
class Replicas:
    """Two of them, the URL of their database, and the session cookie of Alice, who set up the first."""

    a: RunningServer
    b: RunningServer
    url: str
    session: str

    def browser(self, server: RunningServer) -> httpx.Client:
        """Alice's browser at one of them."""
        return httpx.Client(base_url=server.url, headers={"Cookie": self.session}, trust_env=False, timeout=30)

    def ask(self, query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(query).fetchall()  # type: ignore[call-overload, no-any-return]


@pytest.fixture(scope="module")
def replicas(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    """Started at the same moment on an empty database, so that they also have to agree on who migrates it."""
    folder = tmp_path_factory.mktemp("replicas")
    postgres.execute("CREATE DATABASE replicas")
    url = postgres.url("replicas")
    with ExitStack() as stack, ThreadPoolExecutor(2) as threads:
        starting = [running_server(folder / name, {"WATCHKEEPER_DATABASE_URL": url}) for name in "ab"]
        a, b = threads.map(stack.enter_context, starting)
        yield Replicas(a, b, url, _set_up(a, b, folder))


def _set_up(a: RunningServer, b: RunningServer, folder: Path) -> str:
    """The form comes from one replica and is sent to the other, as behind a load balancer."""
    links = [re.search(r"/setup/\S+", (folder / f"{name}.log").read_text(encoding="utf-8")) for name in "ab"]
    for link in [found.group() for found in links if found]:
        page = httpx.get(a.url + link, trust_env=False)
        if page.status_code == 200:
            form = {"name": "Alice Archer", "email": "alice@example.org", "password": PASSWORD, "again": PASSWORD}
            token = _CSRF.search(page.text)
            assert token
            cookies = "; ".join(f"{name}={value}" for name, value in page.cookies.items())
            sent = httpx.post(
                b.url + link, data={**form, "csrf_token": token[1]}, headers={"Cookie": cookies}, trust_env=False
            )
            assert sent.status_code == 303, sent.text
            return f"wk_session={sent.cookies['wk_session']}"
    raise AssertionError("no set-up link that works was printed")


def test_who_signed_in_on_one_is_signed_in_on_the_other(replicas: Replicas) -> None:
    for server in (replicas.a, replicas.b):
        with replicas.browser(server) as browser:
            page = browser.get("/account")
            assert page.status_code == 200
            assert "alice@example.org" in page.text


def test_a_form_of_one_may_be_sent_to_the_other(replicas: Replicas) -> None:
    with replicas.browser(replicas.a) as at_a, replicas.browser(replicas.b) as at_b:
        token = _CSRF.search(at_a.get("/account").text)
        assert token
        made = at_b.post("/api/v1/services", json={"name": "form-service"}, headers={"X-CSRF-Token": token[1]})
        assert made.status_code == 201, made.text
        forged = at_b.post("/api/v1/services", json={"name": "forged"}, headers={"X-CSRF-Token": "f" * 64})
        assert forged.status_code == 403


def test_a_request_that_is_repeated_at_the_other_is_done_once(replicas: Replicas) -> None:
    made = replicas.a.client.post(
        "/api/v1/tokens", json={"name": "deploy", "scopes": ["write"]}, headers={"Idempotency-Key": "the-token"}
    )
    assert made.status_code == 201, made.text
    token = made.json()["secret"]
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "one-and-the-same"}
    first, second = (
        httpx.post(f"{server.url}/api/v1/services", json={"name": "once"}, headers=headers, trust_env=False)
        for server in (replicas.a, replicas.b)
    )
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert second.headers["Idempotency-Replayed"] == "true"


def test_a_stream_of_one_shows_what_happened_on_the_other_and_goes_on_there(replicas: Replicas) -> None:
    with replicas.b.client.stream("GET", "/api/v1/timeline/stream", timeout=30) as stream:
        lines = stream.iter_lines()
        next(lines)
        replicas.a.client.post("/api/v1/services", json={"name": "told-by-a"}).raise_for_status()
        mark = _mark_of(lines, "told-by-a")
    replicas.b.client.post("/api/v1/services", json={"name": "told-by-b"}).raise_for_status()
    again = replicas.a.client.stream("GET", "/api/v1/timeline/stream", headers={"Last-Event-ID": mark}, timeout=30)
    with again as stream:
        _mark_of(stream.iter_lines(), "told-by-b")


def _mark_of(lines: Iterator[str], words: str) -> str:
    """The id of the event with these words; ids stand before their data or after it."""
    event: list[str] = []
    for line in lines:
        event = [*event, line] if line else []
        found = [one.removeprefix("id:").strip() for one in event if one.startswith("id:")]
        if found and any(words in one for one in event):
            return found[0]
    raise AssertionError("the stream ended")


def test_recurring_work_is_done_by_one_of_them(replicas: Replicas) -> None:
    def clean_ups() -> list[tuple[object, ...]]:
        return replicas.ask("SELECT token, lease_until FROM work WHERE kind = 'recurring.kernel.clean_up'")

    eventually(lambda: [row for row in clean_ups() if row[0] and row[1] is None])
    time.sleep(2.5)  # both have polled again
    assert clean_ups() == [(1, None)]


def test_telemetry_of_separate_folders_is_safe_and_everybody_is_told(replicas: Replicas) -> None:
    request = spans(time.time_ns(), count=5)
    sent = httpx.post(
        f"{replicas.a.url}/v1/traces",
        content=request.SerializeToString(),
        headers={"Content-Type": "application/x-protobuf"},
        trust_env=False,
    )
    assert sent.status_code == 200

    def services(server: RunningServer) -> set[str]:
        answer = server.client.get("/api/v1/telemetry/services")
        assert answer.status_code == 200
        return {one["service"] for one in answer.json()}

    eventually(lambda: services(replicas.a) >= {"duet-gateway"})
    assert "duet-gateway" not in services(replicas.b)

    def banner(server: RunningServer) -> bool:
        with replicas.browser(server) as browser:
            return "Telemetry of one other replica is not visible here" in browser.get("/account").text

    eventually(lambda: banner(replicas.a) and banner(replicas.b), within=40)
    assert replicas.ask("SELECT count(DISTINCT place) FROM telemetry_parts WHERE retired_at IS NULL") == [(2,)]
    logs = (replicas.a, replicas.b)
    assert all(server.client.get("/readyz").status_code == 200 for server in logs)


def test_the_journal_of_both_is_one_chain(replicas: Replicas) -> None:
    with ThreadPoolExecutor(8) as threads:
        made = threads.map(
            lambda number: (
                (replicas.a, replicas.b)[number % 2]
                .client.post("/api/v1/services", json={"name": f"chain-{number}"})
                .status_code
            ),
            range(40),
        )
        assert set(made) == {201}
    seqs = [row[0] for row in replicas.ask("SELECT seq FROM journal ORDER BY seq")]
    assert seqs == list(range(1, len(seqs) + 1))
    hashes = replicas.ask("SELECT prev_hash, hash FROM journal ORDER BY seq")
    assert all(after[0] == before[1] for before, after in itertools.pairwise(hashes))


def test_who_signs_out_on_one_is_signed_out_on_the_other(replicas: Replicas) -> None:
    with replicas.browser(replicas.a) as at_a, replicas.browser(replicas.b) as at_b:
        assert at_b.get("/account").status_code == 200
        token = _CSRF.search(at_a.get("/account").text)
        assert token
        assert at_a.post("/logout", data={"csrf_token": token[1]}).status_code == 303
        assert at_b.get("/account").status_code == 401


def test_one_goes_on_when_the_other_is_killed(replicas: Replicas) -> None:
    replicas.a.process.kill()
    replicas.a.process.wait()
    assert replicas.b.client.post("/api/v1/services", json={"name": "alone"}).status_code == 201
