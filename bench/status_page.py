"""The public status page on one core, beside a bare ASGI app that serves the same bytes, and with PostgreSQL stopped.

`python -m bench.status_page [--seconds 8]`

Needs wrk (Debian: apt-get install wrk) and PostgreSQL's server programs. The server is pinned to one core, wrk to
another where there is one. Both are asked in turn, three times, as browsers ask (with gzip); the middle one of each
counts. The page has twenty components and ten incidents. At last PostgreSQL is stopped, and the page is asked again.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from bench.support import headline, running_server
from tests.support.postgres import PostgresMissing, PostgresServer

GOAL_REQUESTS = 2_000
ROUNDS = 3
_COMPONENTS, _INCIDENTS = 20, 10
_BARE = """
import gzip, os, sys
import uvicorn
BODY = open(sys.argv[2], "rb").read()
HEADERS = [(b"content-type", b"text/html; charset=utf-8"), (b"content-encoding", b"gzip"),
           (b"content-length", str(len(BODY)).encode())]
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})
os.sched_setaffinity(0, {0})
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=False,
            log_level="error", server_header=False, lifespan="off")
"""


def main() -> None:
    """Measure, and exit with 1 when a goal is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=8)
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing: apt-get install wrk")
    headline("The status page, one core")
    try:
        postgres = PostgresServer()
    except PostgresMissing as error:
        raise SystemExit(str(error)) from None
    with (
        contextlib.closing(postgres),
        running_server(cpus={0}, database_url=postgres.url()) as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        with server.client() as api:
            _fill(api)
            page = _page(server.url)
        packed = Path(folder) / "page.gz"
        packed.write_bytes(_packed(server.url))
        print(f"  the page: {len(page) / 1_000:.1f} kB, {packed.stat().st_size / 1_000:.1f} kB as gzip")
        with _bare(packed) as bare:
            ours, limits = [], []
            for _ in range(ROUNDS):
                ours.append(_load(f"{server.url}/status", options.seconds))
                limits.append(_load(f"{bare}/status", options.seconds))
        requests, limit = statistics.median(ours), statistics.median(limits)
        print(f"  {requests:,.0f} requests/s; bare ASGI {limit:,.0f}/s; ratio {requests / limit:.2f}")
        postgres.stop_immediately()
        away = _load(f"{server.url}/status", options.seconds)
        print(f"  {away:,.0f} requests/s while PostgreSQL is stopped")
        if b"Trouble 9" not in _page(server.url):
            raise SystemExit("the page is not the last one")
    if min(requests, away) < GOAL_REQUESTS:
        raise SystemExit(1)


def _fill(api: httpx.Client) -> None:
    for number in range(_COMPONENTS):
        body = {"title": f"Part {number}", "group": f"Group {number % 4}", "order": number}
        api.put(f"/api/v1/status/components/part-{number}", json=body).raise_for_status()
    for number in range(_INCIDENTS):
        order = {
            "title": f"Trouble {number}",
            "status": "resolved" if number < _INCIDENTS - 1 else "investigating",
            "body": "We looked into it and found what it was. " * 5,
            "components": {f"part-{number}": "partial_outage"},
        }
        made = api.post("/api/v1/status/updates", json=order).raise_for_status().json()
        api.post(f"/api/v1/status/updates/{made['id']}/publish", json={}).raise_for_status()


def _page(url: str) -> bytes:
    """As soon as all was rendered."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        found = httpx.get(f"{url}/status", trust_env=False)
        if found.status_code == 200 and b"Trouble 9" in found.content:
            return found.content
        time.sleep(0.2)
    raise SystemExit("the page was not rendered within 60 s")


def _packed(url: str) -> bytes:
    with httpx.stream("GET", f"{url}/status", headers={"accept-encoding": "gzip"}, trust_env=False) as answer:
        return b"".join(answer.iter_raw())


@contextlib.contextmanager
def _bare(body: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", _BARE, str(port), str(body)])
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _load(url: str, seconds: int) -> float:
    cores = ",".join(str(core) for core in sorted(os.sched_getaffinity(0))[1:3]) or "0"
    command = ["taskset", "-c", cores, "wrk", "-t2", "-c32", f"-d{seconds}s", "-H", "Accept-Encoding: gzip", url]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in told:
        raise SystemExit(told)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", told)[1])  # type: ignore[index]


if __name__ == "__main__":
    main()
