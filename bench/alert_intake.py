"""Alerts taken in a second, beside Debian's Alertmanager on the same alerts.

`python -m bench.alert_intake [--alerts 20000]`

Alertmanager keeps alerts in memory only; Watchkeeper answers when they are durable in its database. Both get the same
alerts from the same senders in the same run, 64 to a request, as Prometheus sends them: those of `bench.storm`.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from bench.support import Server, headline, running_server

SENDERS = 4
IN_A_REQUEST = 64
GROUPS = 49  # and one more is the new critical one of a storm
_JSON = {"Content-Type": "application/json"}


def alert(number: int, total: int, now: float) -> dict[str, Any]:
    """One of many hosts' of few rules. Groups come one after the other; the last third of all are repeats."""
    host = number % max(1, total * 2 // 3)
    group = host % (1 + (GROUPS - 1) * host // max(1, total * 2 // 3))
    return {
        "labels": {
            "alertname": f"Rule{group}",
            "service": f"service-{group % 7}",
            "instance": f"10.{host // 62_500}.{host // 250 % 250}.{host % 250}:8080",
            "zone": f"zone-{host % 3}",
            "severity": ("critical", "error", "critical", "error", "warning")[group % 5],
        },
        "annotations": {"summary": f"Page number {group}", "description": f"value {number % 997 / 997:.3f}"},
        "startsAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - host % 600)),
        "generatorURL": "http://prometheus.example/graph",
    }


def is_urgent(group: int) -> bool:
    """Whether it wakes somebody at once; warnings are gathered for two minutes."""
    return group % 5 != 4


def requests_of(count: int) -> list[list[dict[str, Any]]]:
    """The same alerts for both, in requests."""
    now = time.time()
    made = [alert(number, count, now) for number in range(count)]
    return [made[start : start + IN_A_REQUEST] for start in range(0, count, IN_A_REQUEST)]


class Sender:
    """A connection that stays; much lighter than a client for everything, since sender and server share the cores."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        self._path = parts.path

    def post(self, body: bytes) -> int:
        """The status."""
        self._connection.request("POST", self._path, body, _JSON)
        answer = self._connection.getresponse()
        answer.read()
        return answer.status


def rate(url: str, bodies: Sequence[bytes]) -> float:
    """Requests a second until the last is answered; what is answered 429 is sent again."""
    work, lock, failed = iter(bodies), threading.Lock(), []

    def send() -> None:
        sender = Sender(url)
        while True:
            with lock:
                body = next(work, None)
            if body is None:
                return
            while (status := sender.post(body)) == 429:
                time.sleep(0.2)
            if status >= 300:
                failed.append(status)

    started = time.monotonic()
    threads = [threading.Thread(target=send) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise SystemExit(f"{len(failed)} requests were refused, such as with {failed[0]}")
    return len(bodies) / (time.monotonic() - started)


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


def compare(count: int) -> None:
    """Measure both and print the ratio."""
    batches = requests_of(count)
    with alertmanager() as url:
        theirs = rate(f"{url}/api/v2/alerts", [json.dumps(one).encode() for one in batches]) * IN_A_REQUEST
    with running_server(self_telemetry="false") as server:
        place = f"{server.url}/integrations/alertmanager/{way_in(server, 'alertmanager')}"
        bodies = [json.dumps({"alerts": [{"status": "firing", **one} for one in batch]}).encode() for batch in batches]
        ours = rate(place, bodies) * IN_A_REQUEST
        again = rate(place, bodies) * IN_A_REQUEST
    print(f"  {count:,} alerts, {IN_A_REQUEST} to a request, {SENDERS} senders")
    print(f"  Alertmanager, memory only   {theirs:10,.0f} alerts/s")
    print(f"  Watchkeeper, new, durable   {ours:10,.0f} alerts/s   ratio {ours / theirs:.3f}")
    print(f"  Watchkeeper, repeated       {again:10,.0f} alerts/s   ratio {again / theirs:.3f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--alerts", type=int, default=20_000)
    options = parser.parse_args()
    headline("Alerts taken in, beside Debian's Alertmanager (in memory)")
    compare(options.alerts)


if __name__ == "__main__":
    main()
