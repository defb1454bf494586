"""A storm of 10,000 alerts a minute: is everything kept, is everybody paged in time, can it be acknowledged meanwhile?

`python -m bench.storm [--minutes 3] [--alerts 20000]`
`python -m bench.storm --minutes 0.5 --alerts 5000` takes about a minute.

A real `watchkeeper up` on SQLite. Each alert is a request of its own (Events v2), sent when it is due, whatever became
of those before. Groups begin one after the other through the storm, each pages a person by a webhook; whoever is paged
acknowledges over the API, and gives some back, so that acknowledging is measured all the time. In the middle something
new and critical begins. Then the same alerts as fast as they are taken, beside Alertmanager (`bench.alert_intake`).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from bench.alert_intake import GROUPS, Sender, alert, compare, is_urgent
from bench.support import Server, headline, running_server
from tests.durability.page_load import SETTINGS, Receiver, prepare, wait_until

A_MINUTE = 10_000
# So many that those who wait for an answer don't keep the others: a storm has no patience.
SENDERS = 48
NEW = GROUPS  # the number of the new critical group
_RETRY_SECONDS = 1.0


@dataclass
class Storm:
    """What a storm found. Times in seconds."""

    took: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    began: dict[int, float] = field(default_factory=dict)
    acknowledged: list[float] = field(default_factory=list)
    memory_mb: float = 0.0
    behind: float = 0.0
    cpu_seconds: float = 0.0


def event(key: str, number: int, total: int, now: float) -> dict[str, Any]:
    """An alert as an event of Events v2."""
    said = alert(number, total, now)
    labels = said["labels"]
    return {
        "routing_key": key,
        "event_action": "trigger",
        "dedup_key": f"{labels['alertname']}-{labels['instance']}",
        "payload": {
            "summary": said["annotations"]["summary"],
            "source": labels["instance"],
            "severity": labels["severity"],
            "class": labels["alertname"],
            "custom_details": {**labels, **said["annotations"]},
        },
    }


def group_of(said: dict[str, Any]) -> int:
    """The number of the group that an event is of."""
    return int(said["payload"]["class"].removeprefix("Rule"))


def storm(server: Server, key: str, receiver: Receiver, minutes: float) -> Storm:
    """An event each time one is due; one that is answered 429 or 503 comes again, as senders do."""
    found, lock = Storm(), threading.Lock()
    total, now = int(A_MINUTE * minutes), time.time()
    started, numbers = time.monotonic(), iter(range(total))

    def send() -> None:
        sender = Sender(f"{server.url}/v2/enqueue")
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            said = event(key, number, total, now)
            body, due = json.dumps(said).encode(), started + number * 60 / A_MINUTE
            time.sleep(max(0.0, due - time.monotonic()))
            began = time.monotonic()
            while True:
                status = sender.post(body)
                with lock:
                    found.statuses[status] += 1
                if status not in (429, 503):
                    break
                time.sleep(_RETRY_SECONDS)
            with lock:
                ended = time.monotonic()
                found.took.append(ended - began)
                found.behind = max(found.behind, began - due)
                if status == 202:
                    found.began.setdefault(group_of(said), ended)

    threads = [threading.Thread(target=send) for _ in range(SENDERS)]
    used = server.cpu_seconds()
    for thread in threads:
        thread.start()
    _meanwhile(server, key, receiver, found, threads, minutes)
    for thread in threads:
        thread.join()
    found.cpu_seconds = server.cpu_seconds() - used
    return found


def _meanwhile(
    server: Server, key: str, receiver: Receiver, found: Storm, threads: list[threading.Thread], minutes: float
) -> None:
    started, told = time.monotonic(), False
    with server.client() as client:
        while any(thread.is_alive() for thread in threads):
            found.memory_mb = max(found.memory_mb, server.resident_mb())
            _acknowledge(client, receiver, found)
            if not told and time.monotonic() - started > minutes * 30:
                told = True
                _something_new(server, key, found)
            time.sleep(0.3)


def _acknowledge(client: httpx.Client, receiver: Receiver, found: Storm) -> None:
    """What is paged and triggered; of what is acknowledged, one is given back for the next time."""
    groups = client.get("/api/v1/alerts", params={"limit": 100}).raise_for_status().json()["items"]
    paged = [one for one in groups if int(one["title"].rpartition(" ")[2]) in receiver.first]
    for one in [one for one in paged if one["status"] == "triggered"][:3]:
        began = time.monotonic()
        client.post(f"/api/v1/alerts/{one['id']}/acknowledge", json={}).raise_for_status()
        found.acknowledged.append(time.monotonic() - began)
    held = [one for one in paged if one["status"] == "acknowledged"]
    if held:
        given_back = held[len(found.acknowledged) % len(held)]["id"]
        client.post(f"/api/v1/alerts/{given_back}/unacknowledge", json={"reason": "measured"}).raise_for_status()


def _something_new(server: Server, key: str, found: Storm) -> None:
    said = event(key, 0, 3, time.time())
    said["dedup_key"] = "new"
    said["payload"] |= {"class": f"Rule{NEW}", "severity": "critical", "summary": f"Page number {NEW}"}
    status = Sender(f"{server.url}/v2/enqueue").post(json.dumps(said).encode())
    if status != 202:
        raise SystemExit(f"the new alert was answered {status}")
    found.began[NEW] = time.monotonic()
    found.statuses[status] += 1


def percentile(values: list[float], share: float) -> float:
    """Of these; 0 of none."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else 0.0


def show(found: Storm, receiver: Receiver, groups: list[dict[str, Any]], minutes: float) -> bool:
    """Print it; answers whether every goal was met."""
    accepted, kept = found.statuses[202], sum(one["event_count"] for one in groups)
    urgent = {one: at for one, at in found.began.items() if one == NEW or is_urgent(one)}
    paged = [receiver.first[one] - at for one, at in urgent.items() if one in receiver.first]
    new = receiver.first.get(NEW, float("inf")) - found.began.get(NEW, 0.0)
    ack, answer = percentile(found.acknowledged, 0.99), [percentile(found.took, one) for one in (0.5, 0.99, 1)]
    print(f"  {A_MINUTE:,} alerts a minute for {minutes:g} min, one to a request; answers {dict(found.statuses)}")
    print(f"    answer p50, p99, most       {', '.join(f'{one * 1_000:.0f}' for one in answer)} ms")
    print(f"    senders at most behind      {found.behind:.1f} s")
    print(f"    processor time of the server {found.cpu_seconds:.0f} s")
    goals = [
        ("groups", f"{len(groups)}", len(groups) <= GROUPS + 1),
        ("accepted and not kept", f"{accepted - kept} of {accepted}", accepted == kept),
        ("refused without 429 or 503", f"{sum(found.statuses.values()) - accepted}", _is_told(found.statuses)),
        ("urgent groups not paged", f"{len(urgent) - len(paged)} of {len(urgent)}", len(paged) == len(urgent)),
        ("first page p99", f"{percentile(paged, 0.99):.1f} s of {len(paged)}", percentile(paged, 0.99) <= 5),
        ("new critical alert paged", f"{new:.1f} s", new <= 10),
        ("acknowledge p99", f"{ack * 1_000:.0f} ms of {len(found.acknowledged)}", ack <= 0.5),
        ("resident memory at most", f"{found.memory_mb:.0f} MB", found.memory_mb <= 512),
    ]
    for goal, value, met in goals:
        print(f"    {'ok    ' if met else 'MISSED'}  {goal:27} {value}")
    return all(met for _, _, met in goals)


def _is_told(statuses: Counter[int]) -> bool:
    return set(statuses) <= {202, 429, 503}


def main() -> None:
    """Run, print, and exit with 1 when a goal is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--alerts", type=int, default=20_000)
    options = parser.parse_args()
    headline("A storm of alerts")
    receiver, data = Receiver(), Path(tempfile.mkdtemp(prefix="wk-bench-"))
    key = prepare(None, data, receiver.url)
    settings = {name.removeprefix("WATCHKEEPER_"): value for name, value in SETTINGS.items()}
    with running_server(data=data, **settings) as server:
        found = storm(server, key, receiver, options.minutes)
        urgent = {one for one in found.began if one == NEW or is_urgent(one)}
        wait_until(lambda: urgent <= set(receiver.first), within=60)
        with server.client() as client:
            groups = client.get("/api/v1/alerts", params={"limit": 200}).raise_for_status().json()["items"]
    met = show(found, receiver, groups, options.minutes)
    receiver.close()
    print()
    compare(options.alerts)
    if not met:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
