"""Alerts a second, beside Debian's Alertmanager on the same alerts, and a storm of 10,000 alerts a minute.

`python -m bench.alert_intake [--alerts 20000] [--minutes 3]`

Alertmanager keeps alerts in memory only; Watchkeeper answers when they are durable in its database. Both get the same
bodies from the same senders in the same run, 64 alerts to a request, as Prometheus sends them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from bench.support import Server, headline, running_server

SENDERS = 4
IN_A_REQUEST = 64
RULES, SERVICES = 8, 5  # at most 40 groups
A_MINUTE = 10_000


def alert(rnd: random.Random, number: int, now: float) -> dict[str, Any]:
    """One of many instances of a few rules of a few services."""
    rule, service = number % RULES, number // RULES % SERVICES
    return {
        "labels": {
            "alertname": f"Rule{rule}",
            "service": f"service-{service}",
            "instance": f"10.0.{number // 250 % 250}.{number % 250}:8080",
            "severity": ("warning", "error", "critical")[rule % 3],
        },
        "annotations": {"summary": f"Rule {rule} holds", "description": f"value {rnd.random():.3f}"},
        "startsAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - number % 600)),
        "generatorURL": "http://prometheus.example/graph",
    }


def requests_of(count: int) -> list[list[dict[str, Any]]]:
    """The same alerts for both, in requests."""
    rnd, now = random.Random(7), time.time()
    made = [alert(rnd, number, now) for number in range(count)]
    return [made[start : start + IN_A_REQUEST] for start in range(0, count, IN_A_REQUEST)]


def rate(url: str, bodies: list[bytes]) -> float:
    """Requests a second until the last is answered; what is answered 429 is sent again."""
    work, lock = iter(bodies), threading.Lock()

    def send() -> None:
        with httpx.Client(timeout=60, trust_env=False) as client:
            while True:
                with lock:
                    body = next(work, None)
                if body is None:
                    return
                while (answer := client.post(url, content=body, headers=JSON)).status_code == 429:
                    time.sleep(0.2)
                answer.raise_for_status()

    started = time.monotonic()
    threads = [threading.Thread(target=send) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(bodies) / (time.monotonic() - started)


JSON = {"Content-Type": "application/json"}


@contextlib.contextmanager
def alertmanager() -> Iterator[str]:
    """Debian's, on a free port, with a receiver that does nothing."""
    found = shutil.which("prometheus-alertmanager")
    if found is None:
        raise SystemExit("prometheus-alertmanager is not installed: scripts/test-deps.sh installs Debian's")
    with socket.socket() as free, tempfile.TemporaryDirectory() as folder:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        config = Path(folder) / "config.yml"
        config.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
        command = [found, f"--config.file={config}", f"--storage.path={folder}", "--cluster.listen-address="]
        command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        url = f"http://127.0.0.1:{port}"
        try:
            for _ in range(600):
                with contextlib.suppress(httpx.TransportError):
                    if httpx.get(f"{url}/-/ready", trust_env=False).status_code == 200:
                        break
                time.sleep(0.1)
            yield url
        finally:
            process.terminate()
            process.wait(20)


def way_in(server: Server, kind: str, **more: Any) -> str:
    """A fresh key."""
    order = {"name": kind, "kind": kind, "rate_per_minute": 1_000_000, **more}
    with server.client() as client:
        return str(client.post("/api/v1/alerts/integrations", json=order).raise_for_status().json()["key"])


@dataclass
class Storm:
    """What a storm found."""

    took: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    acknowledged: list[float] = field(default_factory=list)
    critical_seen_after: float = 0.0
    memory_mb: float = 0.0
    behind: float = 0.0


def storm(server: Server, key: str, minutes: float) -> Storm:
    """An event each time one is due, whatever became of those before: senders don't wait for each other."""
    found, lock = Storm(), threading.Lock()
    total = int(A_MINUTE * minutes)
    rnd, started = random.Random(11), time.monotonic()
    numbers = iter(range(total))

    def send() -> None:
        with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as client:
            while True:
                with lock:
                    number = next(numbers, None)
                    value = rnd.random()
                if number is None:
                    return
                due = started + number * 60 / A_MINUTE
                time.sleep(max(0.0, due - time.monotonic()))
                began = time.monotonic()
                status = client.post("/v2/enqueue", json=event(key, number, value)).status_code
                with lock:
                    found.took.append(time.monotonic() - began)
                    found.statuses[status] += 1
                    found.behind = max(found.behind, began - due)

    threads = [threading.Thread(target=send) for _ in range(12)]
    for thread in threads:
        thread.start()
    _meanwhile(server, key, found, threads, minutes)
    for thread in threads:
        thread.join()
    return found


def event(key: str, number: int, value: float) -> dict[str, Any]:
    """A third of them repeat an alert that fires already, with another value."""
    instance = number % (A_MINUTE * 2)
    rule, service = instance % RULES, instance // RULES % SERVICES
    return {
        "routing_key": key,
        "event_action": "trigger",
        "dedup_key": f"i-{instance}",
        "payload": {
            "summary": f"Rule {rule} holds on host-{instance}",
            "source": f"host-{instance}",
            "severity": ("warning", "error", "critical")[rule % 3],
            "class": f"Rule{rule}",
            "custom_details": {"service": f"service-{service}", "value": round(value, 3)},
        },
    }


def _meanwhile(server: Server, key: str, found: Storm, threads: list[threading.Thread], minutes: float) -> None:
    started, told = time.monotonic(), False
    with server.client() as client:
        while any(thread.is_alive() for thread in threads):
            found.memory_mb = max(found.memory_mb, server.resident_mb())
            groups = client.get("/api/v1/alerts", params={"status": "triggered", "limit": 1}).json()["items"]
            for one in groups:
                began = time.monotonic()
                client.post(f"/api/v1/alerts/{one['id']}/acknowledge", json={}).raise_for_status()
                found.acknowledged.append(time.monotonic() - began)
            if not told and time.monotonic() - started > minutes * 30:
                told = True
                found.critical_seen_after = _critical(client, key)
            time.sleep(0.5)


def _critical(client: httpx.Client, key: str) -> float:
    """Seconds from sending a new critical alert to its standing in the list."""
    new = event(key, 10**6, 0.0)
    new["payload"] |= {"class": "NewAndCritical", "severity": "critical"}
    began = time.monotonic()
    client.post("/v2/enqueue", json=new).raise_for_status()
    while not client.get("/api/v1/alerts", params={"q": "NewAndCritical"}).json()["items"]:
        time.sleep(0.02)
    return time.monotonic() - began


def percentile(values: list[float], share: float) -> float:
    """In milliseconds."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] * 1_000 if values else 0.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--alerts", type=int, default=20_000)
    parser.add_argument("--minutes", type=float, default=3)
    options = parser.parse_args()
    headline("Alerts taken in, beside Debian's Alertmanager (in memory), and a storm")
    batches = requests_of(options.alerts)
    with alertmanager() as url:
        theirs = rate(f"{url}/api/v2/alerts", [json.dumps(one).encode() for one in batches]) * IN_A_REQUEST
    with running_server(self_telemetry="false") as server:
        key = way_in(server, "alertmanager")
        bodies = [json.dumps({"alerts": [{"status": "firing", **one} for one in batch]}).encode() for batch in batches]
        ours = rate(f"{server.url}/integrations/alertmanager/{key}", bodies) * IN_A_REQUEST
        again = rate(f"{server.url}/integrations/alertmanager/{key}", bodies) * IN_A_REQUEST
    print(f"  Alertmanager, memory only   {theirs:10,.0f} alerts/s")
    print(f"  Watchkeeper, new, durable   {ours:10,.0f} alerts/s   ratio {ours / theirs:.3f}")
    print(f"  Watchkeeper, repeated       {again:10,.0f} alerts/s   ratio {again / theirs:.3f}")
    with running_server(self_telemetry="false") as server:
        found = storm(server, way_in(server, "pagerduty"), options.minutes)
        with server.client() as client:
            groups = client.get("/api/v1/alerts", params={"limit": 200}).json()["items"]
    kept = sum(one["event_count"] for one in groups)
    print(f"\n  storm: {A_MINUTE:,} alerts a minute for {options.minutes:g} min, one to a request")
    print(f"  answers                     {dict(found.statuses)}")
    print(f"  taken and counted           {kept:,} (one more is the critical one)")
    print(f"  groups                      {len(groups)}")
    print(
        f"  answer p50, p99, most       {percentile(found.took, 0.5):.0f}, {percentile(found.took, 0.99):.0f}, ", end=""
    )
    print(f"{percentile(found.took, 1):.0f} ms")
    print(f"  acknowledge p99 ({len(found.acknowledged)})        {percentile(found.acknowledged, 0.99):.0f} ms")
    print(f"  new critical alert listed   {found.critical_seen_after * 1_000:.0f} ms after it was sent")
    print(f"  senders at most behind      {found.behind:.1f} s")
    print(f"  resident memory at most     {found.memory_mb:.0f} MB")


if __name__ == "__main__":
    main()
