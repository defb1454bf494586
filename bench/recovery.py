"""From the alert to recovered, when a rule acts by itself; and whether a flapping alert makes it act again and again.

    python -m bench.recovery [--runs 20] [--window 5] [--flaps 30]

A real `watchkeeper up`, and a small HTTP service whose release is a parameter that it reads by the client library: v2
answers every request with 500. A prober asks it ten times a second; when half of the requests of the alert window fail,
it sends an alert to the HTTP intake, and when they no longer do, that it is over. A rule that was armed runs a step of
a runbook that was signed off, which sets the release back.

Each run rolls v2 out and measures from the moment the alert was accepted: until the steps were done, until the service
answers well again, and until Watchkeeper says `recovered`; in seconds and as multiples of the alert window, since
nobody can see that a symptom went before most of a window is good. The flapping fixture fires and ends an alert every
second while the fault comes back each time; a rule loop is every attempt more than the rule allows.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from bench.support import headline, running_server
from watchkeeper_client import Client

MOST = 2
_PATIENCE = 120.0
_SERVICES = ("shop", "flappy")
_BOOK = """\
---
title: "{name}"
service: {name}
owners: [Team]
---

# {name}

## Rollback

```yaml {{run=set-parameter id=rollback confirm=none}}
key: {key}
value: v1
environment: production
```
"""
_RULE = """\
name: {name}-bad-release
match: {{service: {name}}}
runbook: {name}
steps: [rollback]
touches: {{{name} release: back}}
guards: {{most_runs: {most}, window: 1h, cooldown: 1s, verify_within: 1m, only_while_burning: false}}
"""


@dataclass
class Shop:
    """The service: answers 200, or 500 while its release is the bad one."""

    client: Client
    server: ThreadingHTTPServer = field(init=False)

    def __post_init__(self) -> None:
        client = self.client

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(500 if client.get("SHOP_RELEASE", "v1") == "v2" else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                """Nothing: it is asked ten times a second."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/"

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.server.shutdown()
            self.server.server_close()
            thread.join(10)


@dataclass
class Team:
    """Whoever set it up: the server's API with all rights, and the way in of alerts."""

    api: httpx.Client
    key: str = ""

    def call(self, method: str, path: str, **body: Any) -> Any:
        answer = self.api.request(method, f"/api/v1{path}", json=body or None)
        if not answer.is_success:
            raise SystemExit(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else None

    def prepare(self) -> None:
        """Environment, parameters, runbooks that are signed off, rules that are armed, a way in."""
        environments = [one["name"] for one in self.call("GET", "/config/environments")["items"]]
        if "production" not in environments:
            self.call("POST", "/config/environments", name="production")
        files = {}
        for name in _SERVICES:
            key = f"{name.upper()}_RELEASE"
            said = {"key": key, "type": "string", "default": "v1", "service": name}
            self.call("POST", "/config/parameters", **said)
            files[f"services/{name}.yaml"] = f"name: {name}\nowner: Team\ntier: 2\n"
            files[f"runbooks/{name}.md"] = _BOOK.format(name=name, key=key)
            files[f"recovery/{name}.yaml"] = _RULE.format(name=name, most=100 if name == "shop" else MOST)
        self.call("POST", "/ops/apply", files=files)
        for name in _SERVICES:
            revision = self.call("GET", f"/runbooks/{name}")["revision"]
            self.call("POST", f"/runbooks/{name}/approve", revision=revision)
            order = {"mode": "automatic", "reason": "measured"}
            self.call("POST", f"/recovery/rules/{name}-bad-release/arm", **order)
        mapping = {"title": "title", "dedup_key": "key", "status": "status", "service": "service", "family": "key"}
        made = self.call("POST", "/alerts/integrations", name="prober", kind="generic", mapping=mapping)
        self.key = made["key"]

    def roll_out(self, service: str, release: str) -> None:
        operations = [{"key": f"{service.upper()}_RELEASE", "value": release}]
        self.call("POST", "/config/changes", environment="production", reason="a release", operations=operations)

    def alert(self, service: str, key: str, status: str) -> None:
        said = {"title": f"{service} fails ({key})", "key": key, "status": status, "service": service}
        answer = self.api.post(f"/integrations/generic/{self.key}", json=said)
        answer.raise_for_status()

    def attempts(self, service: str) -> list[dict[str, Any]]:
        """Oldest first."""
        found: list[dict[str, Any]] = self.call("GET", f"/recovery/attempts?rule={service}-bad-release")["items"]
        return found[::-1]


@dataclass
class Prober:
    """Asks the service ten times a second, and tells when half of a window fails and when it no longer does."""

    team: Team
    url: str
    window: float
    key: str = ""
    fired_at: float | None = None
    well_since: float | None = None
    stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        seen: deque[tuple[float, bool]] = deque()
        with httpx.Client(timeout=5) as client:
            while not self.stopping.wait(0.1):
                good, now = client.get(self.url).status_code == 200, time.monotonic()
                self.well_since = (self.well_since or now) if good else None
                seen.append((now, good))
                while seen[0][0] < now - self.window:
                    seen.popleft()
                failed = sum(not one for _, one in seen) / len(seen)
                if self.key and self.fired_at is None and failed >= 0.5:
                    self.team.alert("shop", self.key, "firing")
                    self.fired_at = time.monotonic()
                elif self.fired_at is not None and self.key and failed < 0.5:
                    self.team.alert("shop", self.key, "resolved")
                    self.key = ""


@dataclass(frozen=True)
class Times:
    """Seconds since the alert was accepted."""

    fault_before: float
    steps: float
    well: float
    recovered: float


def once(team: Team, prober: Prober, number: int) -> Times:
    """Roll the bad release out and wait until Watchkeeper says that it recovered."""
    known = len(team.attempts("shop"))
    prober.fired_at, prober.key = None, f"release-{number}"
    rolled_out = time.monotonic()
    team.roll_out("shop", "v2")
    until = rolled_out + _PATIENCE
    while time.monotonic() < until:
        time.sleep(0.1)
        made = team.attempts("shop")[known:]
        if made and made[0]["finished_at"] is not None:
            if made[0]["state"] != "recovered":
                raise SystemExit(f"run {number}: {made[0]}")
            return _times(made[0], prober, rolled_out)
    raise SystemExit(f"run {number}: not recovered within {_PATIENCE:.0f} s; {team.attempts('shop')[known:]}")


def _times(attempt: dict[str, Any], prober: Prober, rolled_out: float) -> Times:
    assert prober.fired_at is not None
    assert prober.well_since is not None
    # The server's clock and this one's are of the same machine.
    offset = datetime.now(UTC).timestamp() - time.monotonic()
    fired = prober.fired_at + offset
    acted, recovered = (datetime.fromisoformat(attempt[name]).timestamp() for name in ("acted_at", "finished_at"))
    return Times(prober.fired_at - rolled_out, acted - fired, prober.well_since + offset - fired, recovered - fired)


def flap(team: Team, flaps: int) -> tuple[int, int]:
    """An alert that comes and goes while its fault comes back; attempts, and those that are more than allowed."""
    for number in range(flaps):
        made = team.attempts("flappy")
        if not made or made[-1]["finished_at"] is not None:
            team.roll_out("flappy", f"v2-{number}")
        team.alert("flappy", "flapping", "firing")
        time.sleep(1.0)
        team.alert("flappy", "flapping", "resolved")
        time.sleep(1.0)
    # The looks that come by themselves find it firing, too.
    team.alert("flappy", "flapping", "firing")
    time.sleep(25.0)
    made = team.attempts("flappy")
    return len(made), max(0, len(made) - MOST)


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--window", type=float, default=5.0, help="seconds of the prober's alert window")
    parser.add_argument("--flaps", type=int, default=30)
    said = parser.parse_args()
    headline("Recovery by a rule: from the alert to recovered, and a flapping alert")
    with running_server() as server:
        team = Team(server.client())
        team.prepare()
        with Client(server.url, token=server.token, environment="production", cache_dir=False) as client:
            shop = Shop(client)
            prober = Prober(team, shop.url, said.window)
            watching = threading.Thread(target=prober.run, daemon=True)
            with shop.running():
                watching.start()
                time.sleep(said.window)
                found = [once(team, prober, number) for number in range(said.runs)]
                prober.stopping.set()
                watching.join(10)
        attempts, loops = flap(team, said.flaps)
    print(f"{'from the alert until':<28}{'median':>9}{'p95':>9}{'median':>12}{'p95':>9}")
    for name, words in (
        ("steps", "its steps were done"),
        ("well", "the service answered well"),
        ("recovered", "recovered"),
    ):
        values = [getattr(one, name) for one in found]
        median, late = statistics.median(values), percentile(values, 0.95)
        print(f"{words:<28}{median:>7.2f} s{late:>7.2f} s{median / said.window:>10.2f} W{late / said.window:>7.2f} W")
    before = statistics.median(one.fault_before for one in found)
    print(f"{said.runs} runs, alert window W = {said.window:g} s; from the release to the alert {before:.2f} s")
    print(f"flapping alert, {said.flaps} times: {attempts} attempts of {MOST} that are allowed; rule loops: {loops}")
    return 0 if loops == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
