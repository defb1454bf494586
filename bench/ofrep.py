"""Single evaluations by OFREP on one core, beside the bare limit: an ASGI app that answers a constant.

`python -m bench.ofrep [--seconds 8]`

Needs wrk (Debian: apt-get install wrk). The server is pinned to one core, wrk to two others. Both are asked the same
requests in turn, three times; the middle one of each counts. The flag has a segment override by country and a
percentage. The third figure is of clients that say no country: the server takes it from the records of 1,000 users.
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

from bench.support import Server, headline, running_server

GOAL_REQUESTS = 20_000
GOAL_RATIO = 0.5
ROUNDS = 3
_BARE = """
import os, sys
import uvicorn
ANSWER = b'{"key":"BENCH","value":true,"reason":"SPLIT","variant":"on","metadata":{"layer":"system_config"}}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())]
async def app(scope, receive, send):
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})
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
    headline("Single evaluations by OFREP, one core")
    with running_server(cpus={0}) as server, _bare() as bare, tempfile.TemporaryDirectory() as folder:
        token = _prepare(server)
        script, shorter = Path(folder) / "ask.lua", Path(folder) / "shorter.lua"
        script.write_text(_script(token, ',"country":"SE"'))
        shorter.write_text(_script(token, ""))
        ours, limits, looked_up = [], [], []
        for _ in range(ROUNDS):
            ours.append(_load(f"{server.url}/ofrep/v1/evaluate/flags/BENCH", script, options.seconds))
            limits.append(_load(f"{bare}/ofrep/v1/evaluate/flags/BENCH", script, options.seconds))
            looked_up.append(_load(f"{server.url}/ofrep/v1/evaluate/flags/BENCH", shorter, options.seconds))
    requests, limit = statistics.median(ours), statistics.median(limits)
    print(f"  {requests:,.0f} evaluations/s; bare ASGI {limit:,.0f}/s; ratio {requests / limit:.2f}")
    print(f"  {statistics.median(looked_up):,.0f} evaluations/s where the record says what the client does not")
    if requests < GOAL_REQUESTS or requests / limit < GOAL_RATIO:
        raise SystemExit(1)


def _prepare(server: Server) -> str:
    with server.client() as api:
        made = api.post("/api/v1/tokens", json={"name": "bench", "scopes": ["read"]}).raise_for_status()
        api.post("/api/v1/config/parameters", json={"key": "BENCH", "type": "flag"}).raise_for_status()
        state = {"serve": {"percent": 25, "variants": {"on": 1}}}
        operations = [
            {"key": "BENCH", "slot": "value", "value": state},
            {"key": "BENCH", "slot": "segment:country_NO", "value": {"value": "on", "priority": 0}},
        ]
        order = {"environment": "production", "reason": "measuring", "operations": operations}
        api.post("/api/v1/config/changes", json=order).raise_for_status()
        users = [{"id": f"user-{number}", "country": "NO" if number % 10 == 0 else "SE"} for number in range(1000)]
        api.post("/api/v1/subjects", json={"subjects": users}).raise_for_status()
        return str(made.json()["secret"])


def _script(token: str, more: str) -> str:
    return f"""
wrk.method = "POST"
wrk.headers["Authorization"] = "Bearer {token}"
wrk.headers["Content-Type"] = "application/json"
local n = 0
request = function()
  n = (n + 1) % 1000
  return wrk.format(nil, nil, nil, '{{"context":{{"targetingKey":"user-' .. n .. '"{more}}}}}')
end
"""


@contextlib.contextmanager
def _bare() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", _BARE, str(port)])
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _load(url: str, script: Path, seconds: int) -> float:
    cores = ",".join(str(core) for core in sorted(os.sched_getaffinity(0))[1:3])
    command = ["taskset", "-c", cores, "wrk", "-t2", "-c32", f"-d{seconds}s", "-s", str(script), url]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in told:
        raise SystemExit(told)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", told)[1])  # type: ignore[index]


if __name__ == "__main__":
    main()
