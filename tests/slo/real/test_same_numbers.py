"""Duet's gateway, told twice: by OTLP to Watchkeeper, and scraped by Debian's Prometheus, which Watchkeeper asks. The
same objective has the same counts and fires at the same time, as exactly as a scrape can tell."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from examples.duet.people import Person, population
from tests.conftest import missing
from tests.support.running import RunningServer, eventually, running_server

PROMETHEUS = shutil.which("prometheus")
SCRAPE = 1.0
LOOK = 5.0  # an evaluation step
STEP = 5.0  # in which counts of a data source are asked
WINDOW = 4 * STEP  # of an increase
RATE = 10  # requests a second
GOOD_FOR = 40.0
SERVICE = "duet-gateway"
MEMBERS = 20
# What a look may see later than another that asked in the same second.
JITTER = 0.5
# The request under way and one that waits: those that a busy machine may tell a moment later.
A_SCRAPE = RATE * SCRAPE + 2
_REPOSITORY = Path(__file__).parents[3]
_SERVER = {
    "WATCHKEEPER_SLO_EVALUATE_SECONDS": str(LOOK),
    "WATCHKEEPER_TELEMETRY_FLUSH_SECONDS": "0.5",
    "WATCHKEEPER_OUTBOUND_PRIVATE_NETWORKS": "127.0.0.0/8",
}
_SENDS = {"OTEL_METRIC_EXPORT_INTERVAL": "1000", "OTEL_BSP_SCHEDULE_DELAY": "500", "OTEL_BLRP_SCHEDULE_DELAY": "1000"}
_ALL, _GOOD = (
    "http_server_request_duration_seconds_count" + chosen for chosen in ("", '{http_response_status_code!~"5.."}')
)
Minutes = dict[datetime, tuple[float, float]]


@contextmanager
def process(command: Sequence[str], log: Path, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with the block."""
    with log.open("wb") as output:
        started = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, **options)
    try:
        yield started
    finally:
        started.terminate()
        try:
            started.wait(15)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


@contextmanager
def gateway(data: Path, endpoint: str) -> Iterator[str]:
    """Duet's gateway, which sends its telemetry and answers Prometheus; whom it passes requests on to is away."""
    data.mkdir()
    (data / "logs").mkdir()
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("WATCHKEEPER_", "OTEL_"))}
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and never listens
        away = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        fd = listener.fileno()
        command = [sys.executable, "-m", "examples.duet", "serve", "gateway", f"--fd={fd}", f"--data={data}"]
        command += [f"--endpoint={endpoint}", "--scrape", f"--members={MEMBERS}"]
        command += [f"--peer=matching={away}", f"--peer=chat={away}"]
        options = {"cwd": _REPOSITORY, "env": {**environ, **_SENDS}, "pass_fds": [fd]}
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with process(command, data / "gateway.out", **options):
            eventually(lambda: answers(f"{url}/healthz"), within=60)
            yield url


@contextmanager
def prometheus(data: Path, target: str) -> Iterator[str]:
    """Debian's Prometheus, which scrapes one target."""
    if PROMETHEUS is None:
        missing("Prometheus is not installed: scripts/test-deps.sh installs Debian's")
    data.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    scraped = {"job_name": "duet-gateway", "static_configs": [{"targets": [target.removeprefix("http://")]}]}
    config = data / "prometheus.yml"
    said = {"global": {"scrape_interval": f"{SCRAPE:.0f}s", "scrape_timeout": "1s"}, "scrape_configs": [scraped]}
    config.write_text(json.dumps(said))
    command = [str(PROMETHEUS), f"--config.file={config}", f"--storage.tsdb.path={data / 'tsdb'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
    url = f"http://127.0.0.1:{port}"
    with process(command, data / "prometheus.out"):
        eventually(lambda: answers(f"{url}/-/ready"), within=60)
        yield url


def answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False


def value_of(prometheus: str, query: str) -> float | None:
    asked = httpx.get(f"{prometheus}/api/v1/query", params={"query": query}, trust_env=False).raise_for_status()
    result = asked.json()["data"]["result"]
    return float(result[0]["value"][1]) if result else None


@dataclass
class Member:
    """Sends requests at a steady rate, and keeps the minute and the status of each answer."""

    client: httpx.Client
    paths: tuple[str, str] = ("", "")
    answered: list[tuple[float, int]] = field(default_factory=list)
    fails: threading.Event = field(default_factory=threading.Event)
    _stop: threading.Event = field(default_factory=threading.Event)

    def sign_in(self, member: Person) -> None:
        answer = self.client.post("/v1/auth/login", json={"user_id": member.user_id, "code": member.code})
        self.answered.append((time.time(), answer.status_code))
        self.client.headers["authorization"] = f"Bearer {answer.raise_for_status().json()['token']}"
        self.paths = (f"/v1/profiles/{member.user_id}", "/v1/offers")

    def ask(self, *, fails: bool) -> None:
        """For one's own profile, which the gateway has; or for offers, for which it asks who is away."""
        answer = self.client.get(self.paths[fails])
        assert answer.status_code == (503 if fails else 200), answer.text
        self.answered.append((time.time(), answer.status_code))

    def minutes(self) -> Minutes:
        """What was answered: (bad, total)."""
        total, bad = Counter[datetime](), Counter[datetime]()
        for at, status in self.answered:
            minute = datetime.fromtimestamp(at // 60 * 60, UTC)
            total[minute] += 1
            bad[minute] += status >= 500
        return {minute: (float(bad[minute]), float(count)) for minute, count in total.items()}

    @contextmanager
    def coming(self) -> Iterator[None]:
        """Requests until the block ends; while `fails` is set, every second one fails."""
        thread = threading.Thread(target=self._come, name="member", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join(15)

    def _come(self) -> None:
        due, number = time.monotonic(), 0
        while not self._stop.is_set():
            self.ask(fails=self.fails.is_set() and number % 2 == 0)
            number += 1
            due += 1 / RATE
            self._stop.wait(max(0.0, due - time.monotonic()))


def slo(name: str, indicator: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "service": SERVICE,
        "indicator": indicator,
        "objectives": [{"target": 0.9}],
        "window": {"rolling": "1h"},
        "alerting": {"rules": [{"burn": 1.5, "long": "1m", "short": "1m"}]},
    }


def asked(query: str, **more: Any) -> dict[str, Any]:
    return {"kind": "ratio"} | {
        part: {"data_source": "debian", "query": query % counted, **more}
        for part, counted in (("good", _GOOD), ("total", _ALL))
    }


OBJECTIVES = [
    slo("embedded", {"kind": "availability", "service": SERVICE}),
    slo("by-value", asked("sum(%s)", counter_value=True)),
    slo("by-increase", asked("sum(increase(%s[{{.window}}]))")),
]


@dataclass
class Scene:
    """The processes, and what Watchkeeper says of each objective."""

    server: RunningServer
    prometheus: str
    member: Member

    def get(self, path: str, **query: str) -> Any:
        return self.server.client.get(f"/api/v1{path}", params=query).raise_for_status().json()

    def fired_at(self, name: str) -> datetime | None:
        found = [one for one in self.get(f"/slos/{name}/alerts")["items"] if one["kind"] == "burn"]
        return datetime.fromisoformat(found[0]["started_at"]) if found else None

    def minutes(self, name: str) -> Minutes:
        """(bad, total) of each minute that was measured."""
        points = self.get(f"/slos/{name}/series", step="60", since=_text(self.member.answered[0][0]))["points"]
        counts = {datetime.fromisoformat(one["at"]): one["counts"] for one in points if one["counts"]}
        return {at: (one["bad"], one["total"]) for at, one in counts.items()}


def _text(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        server = stack.enter_context(running_server(tmp_path / "data", _SERVER))
        duet = stack.enter_context(gateway(tmp_path / "duet", server.url))
        asked = stack.enter_context(prometheus(tmp_path / "prometheus", duet))
        source = {"name": "debian", "url": asked, "scrape_interval": f"{SCRAPE:.0f}s"}
        server.client.put("/api/v1/slo/data-sources/debian", json=source).raise_for_status()
        for one in OBJECTIVES:
            server.client.post("/api/v1/slos", json=one).raise_for_status()
        member = Member(stack.enter_context(httpx.Client(base_url=duet, trust_env=False, timeout=20)))
        # What a counter grew by is known from the second look on: one request of each kind comes before the first.
        member.sign_in(population(1)[0])
        member.ask(fails=False)
        member.ask(fails=True)
        eventually(lambda: value_of(asked, f"sum({_ALL})") == len(member.answered))
        time.sleep(STEP)
        yield Scene(server, asked, member)


def test_an_objective_has_the_same_counts_and_alerts_from_telemetry_and_from_prometheus(scene: Scene) -> None:
    first = len(scene.member.answered)
    with scene.member.coming():
        time.sleep(GOOD_FOR)
        assert not any(scene.fired_at(one["name"]) for one in OBJECTIVES)
        scene.member.fails.set()
        fired: dict[str, datetime] = eventually(lambda: _all_fired(scene), within=60)
    sent = scene.member.minutes()
    everything = len(scene.member.answered)
    eventually(lambda: _told(scene, "embedded") == everything)
    time.sleep(WINDOW + LOOK)
    found = {one["name"]: scene.minutes(one["name"]) for one in OBJECTIVES}
    print(f"{fired=}", f"{sent=}", *found.items(), sep="\n")  # shown where it fails

    # What was sent, Watchkeeper counted, each request in its minute; but for one that was under way when it ended.
    assert sum(total for _, total in found["embedded"].values()) == everything
    assert difference(sent, found["embedded"]) <= 2
    # A counter's value is at most a scrape old: that moves a scrape's requests to the next minute, and loses none.
    assert sum(total for _, total in found["by-value"].values()) == everything - first
    assert difference(found["embedded"], found["by-value"]) <= A_SCRAPE
    # An increase is told by windows that overlap: half of one later, on the average.
    assert sum(total for _, total in found["by-increase"].values()) == pytest.approx(everything, abs=A_SCRAPE)
    assert difference(found["embedded"], found["by-increase"]) <= RATE * WINDOW / 2 + A_SCRAPE
    assert seconds_between(fired, "embedded", "by-value") <= 2 * LOOK + JITTER
    assert seconds_between(fired, "embedded", "by-increase") <= 2 * LOOK + WINDOW / 2 + JITTER


def _all_fired(scene: Scene) -> dict[str, datetime]:
    fired = {one["name"]: scene.fired_at(one["name"]) for one in OBJECTIVES}
    return {name: at for name, at in fired.items() if at is not None} if all(fired.values()) else {}


def _told(scene: Scene, name: str) -> float:
    return sum(total for _, total in scene.minutes(name).values())


def difference(one: Minutes, other: Minutes) -> float:
    """The most by which bad or all requests of a minute differ."""
    nothing = (0.0, 0.0)
    return max(
        abs(mine - theirs)
        for minute in one.keys() | other.keys()
        for mine, theirs in zip(one.get(minute, nothing), other.get(minute, nothing), strict=True)
    )


def seconds_between(fired: Mapping[str, datetime], one: str, other: str) -> float:
    return abs((fired[one] - fired[other]).total_seconds())
