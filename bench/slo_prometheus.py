"""What `bench.slo_engine` tells both sides, and the Prometheus beside it: a scrape target, Sloth's rules, a process."""

from __future__ import annotations

import contextlib
import math
import os
import random
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

STEP = 15
ROUTES = 20  # of a service
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
TARGET = 0.999


@dataclass(frozen=True)
class Traffic:
    """What each route answers in a step: the same for whoever asks."""

    routes: int

    def place(self, number: int) -> tuple[str, str]:
        return f"shop-{number // ROUTES}", f"/v1/things/{number % ROUTES}"

    def step(self, at: int) -> list[tuple[int, int]]:
        """(requests, failed) of each route in the step that begins at `at`."""
        rnd = random.Random(at)
        day = 1 + 0.5 * math.sin(at / 86_400 * 2 * math.pi)
        found = []
        for number in range(self.routes):
            requests = max(0, round((4 + number % 13) * day + rnd.uniform(-2, 2)))
            chance = 0.03 if number % 97 == 0 else 0.0005
            found.append((requests, sum(rnd.random() < chance for _ in range(requests))))
        return found


class Counters:
    """Cumulative counts in the text format of Prometheus."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self.good = [0] * traffic.routes
        self.bad = [0] * traffic.routes

    def add(self, told: list[tuple[int, int]]) -> None:
        for number, (requests, failed) in enumerate(told):
            self.good[number] += requests - failed
            self.bad[number] += failed

    def lines(self, at: str = "") -> Iterator[str]:
        for number in range(self._traffic.routes):
            service, route = self._traffic.place(number)
            labels = f'job="shop",instance="shop",service="{service}",route="{route}"' if at else (
                f'service="{service}",route="{route}"'
            )  # fmt: skip
            yield f'http_requests_total{{{labels},code="200"}} {self.good[number]}{at}'
            yield f'http_requests_total{{{labels},code="500"}} {self.bad[number]}{at}'


@contextlib.contextmanager
def exposed(counters: Counters) -> Iterator[int]:
    """A scrape target with these counters; its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = ("# TYPE http_requests_total counter\n" + "\n".join(counters.lines()) + "\n").encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


def sloth_rules(traffic: Traffic) -> str:
    """Recording and alerting rules as Sloth writes them, without its metadata."""
    groups = []
    for number in range(traffic.routes):
        service, route = traffic.place(number)
        of = f'service="{service}",route="{route}"'
        name = f'sloth_id="slo-{number}",sloth_service="{service}",sloth_slo="slo-{number}"'
        recordings = "".join(
            f"""
      - record: slo:sli_error:ratio_rate{window}
        expr: |
          (sum(rate(http_requests_total{{{of},code=~"5.."}}[{window}])))
          /
          (sum(rate(http_requests_total{{{of}}}[{window}])))
        labels: {{{name.replace("=", ": ")}, sloth_window: {window}}}"""
            for window in WINDOWS
        )
        alerts = "".join(
            f"""
      - alert: SloBurn
        expr: |
          ({_burns(name, first)}) or ({_burns(name, second)})
        labels: {{{name.replace("=", ": ")}, sloth_severity: {severity}}}"""
            for severity, first, second in (
                ("page", ("5m", "1h", 14.4), ("30m", "6h", 6)),
                ("ticket", ("2h", "1d", 3), ("6h", "3d", 1)),
            )
        )
        groups.append(
            f"\n  - name: sloth-slo-sli-recordings-slo-{number}\n    rules:{recordings}"
            f"\n  - name: sloth-slo-alerts-slo-{number}\n    rules:{alerts}"
        )
    return "groups:" + "".join(groups) + "\n"


def _burns(name: str, pair: tuple[str, str, float]) -> str:
    short, long, burn = pair
    return " and ignoring(sloth_window) ".join(
        f"max(slo:sli_error:ratio_rate{window}{{{name}}} > ({burn:g} * {1 - TARGET:.6g})) without (sloth_window)"
        for window in (short, long)
    )


@dataclass(frozen=True)
class Process:
    """A running Prometheus."""

    process: subprocess.Popen[bytes]
    url: str

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def metric(self, name: str) -> float:
        """The sum of a counter over all its labels."""
        text = httpx.get(f"{self.url}/metrics", timeout=30).text
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE))

    def resident_mb(self) -> float:
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.process.pid}/status").read_text())[1]) / 1024  # type: ignore[index]


@contextlib.contextmanager
def prometheus(folder: Path, port: int, target: int, *, rules: str | None, history: Path | None) -> Iterator[Process]:
    """Debian's Prometheus, scraping the target every 15 s."""
    folder.mkdir()
    if history is not None:
        blocks = [
            "promtool",
            "tsdb",
            "create-blocks-from",
            "openmetrics",
            "--quiet",
            str(history),
            str(folder / "data"),
        ]
        subprocess.run(blocks, check=True, stdout=subprocess.DEVNULL)
    if rules is not None:
        (folder / "rules.yml").write_text(rules)
    (folder / "prometheus.yml").write_text(
        f"global: {{scrape_interval: {STEP}s, evaluation_interval: {STEP}s}}\n"
        + ("rule_files: [rules.yml]\n" if rules is not None else "")
        + "scrape_configs:\n  - job_name: shop\n    static_configs:\n"
        + f'      - targets: ["127.0.0.1:{target}"]\n        labels: {{instance: shop}}\n'
    )
    command = [
        "prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}", "--log.level=error",
    ]  # fmt: skip
    process = subprocess.Popen(command)
    found = Process(process, f"http://127.0.0.1:{port}")
    try:
        until = time.monotonic() + 120
        while time.monotonic() < until:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{found.url}/-/ready", timeout=2).status_code == 200:
                    break
            time.sleep(0.2)
        yield found
    finally:
        process.terminate()
        process.wait(60)
