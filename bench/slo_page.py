"""The list of 1,000 objectives: how long its page takes, beside pages of the same server with nothing on them.

`python -m bench.slo_page [--slos 1000] [--requests 200]`
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from typing import Any

import httpx

from bench.otlp_intake import batch
from bench.support import headline, running_server

_SERVICES, _ROUTES = 6, 12
_GOAL_MS = 300.0
_LIST, _ALL = "/slos", "/slos?all=yes"
# (label, address): the list as it opens, every objective on one page, and what they are compared with.
_PAGES = (
    ("the list, worst hundred", _LIST),
    ("the list, all on one page", _ALL),
    ("the list as CSV", "/slos.csv"),
    ("on call: all that burn", "/slos/dashboard"),
    ("a page without objectives", "/slos/data-sources"),
    ("a bare answer", "/healthz"),
)


def main() -> None:
    """An hour of telemetry, a thousand objectives of it, then each page by turns."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--slos", type=int, default=1_000)
    parser.add_argument("--requests", type=int, default=200)
    options = parser.parse_args()
    headline(f"The list of {options.slos:,} objectives, {options.requests} requests of each page by turns")
    with running_server() as server, server.client() as client:
        _fill(client)
        for number in range(options.slos):
            definition = _definition(number)
            client.put(f"/api/v1/slos/{definition['name']}", json=definition).raise_for_status()
        _wait_until_counted(client, options.slos)
        took: dict[str, list[float]] = {address: [] for _, address in _PAGES}
        sizes: dict[str, int] = {}
        for _ in range(options.requests):
            for _, address in _PAGES:
                began = time.perf_counter()
                answer = client.get(address).raise_for_status()
                took[address].append((time.perf_counter() - began) * 1_000)
                sizes[address] = len(answer.content)
        _print(took, sizes)


def _fill(client: httpx.Client) -> None:
    rnd = random.Random(7)
    now = time.time_ns()
    for minute in range(60):
        body = batch(rnd, 600, now - minute * 60_000_000_000)
        client.post("/v1/traces", content=body, headers={"Content-Type": "application/x-protobuf"}).raise_for_status()


def _definition(number: int) -> dict[str, Any]:
    service, route = f"shop-{number % _SERVICES}", f"/v1/things/{number // _SERVICES % _ROUTES}/*"
    indicator: dict[str, Any] = {"service": service, "routes": [route]}
    objective: dict[str, Any] = {"target": (0.9, 0.95, 0.99, 0.999)[number % 4]}
    if number % 2:
        objective["threshold"] = f"{10 + number % 50}ms"
    return {
        "name": f"objective-{number}",
        "display_name": f"{service}: route {number // _SERVICES % _ROUTES}, number {number}",
        "service": service,
        "indicator": {"kind": "latency" if number % 2 else "availability", **indicator},
        "objectives": [objective],
        "window": {"rolling": "30d"} if number % 3 else {"calendar": "month"},
    }


def _wait_until_counted(client: httpx.Client, wanted: int) -> None:
    until = time.monotonic() + 180
    while time.monotonic() < until:
        items = client.get("/api/v1/slos").raise_for_status().json()["items"]
        if len(items) == wanted and sum(one["status"] != "no_data" for one in items) > wanted * 0.9:
            return
        time.sleep(1)
    raise SystemExit("the objectives were not counted within 180 s")


def _print(took: dict[str, list[float]], sizes: dict[str, int]) -> None:
    bare = statistics.median(took["/healthz"])
    print(f"  {'':28} {'median':>10} {'p95':>10} {'slowest':>10} {'size':>10}   of a bare answer")
    for label, address in _PAGES:
        times = sorted(took[address])
        p95 = times[min(len(times) - 1, int(len(times) * 0.95))]
        median = statistics.median(times)
        print(
            f"  {label:28} {median:7.1f} ms {p95:7.1f} ms {times[-1]:7.1f} ms {sizes[address] / 1_000:7.0f} kB"
            f"   {median / bare:6.1f} x"
        )
    for address in (_LIST, _ALL):
        times = sorted(took[address])
        p95 = times[min(len(times) - 1, int(len(times) * 0.95))]
        print(f"  {address}: p95 {p95:.0f} ms, goal {_GOAL_MS:.0f} ms: {'met' if p95 <= _GOAL_MS else 'MISSED'}")


if __name__ == "__main__":
    main()
