"""1,000 SLOs with four pairs of windows each, looked at every 15 s, beside Prometheus with rules for the same 1,000.

`python -m bench.slo_engine [--slos 1000] [--minutes 5] [--history-hours 2]`

50 services answer requests on 20 routes each, at rates that differ between routes and change with time; a few fail more
than they may. What was counted is told to both: as spans to the embedded telemetry, as counters that Prometheus
scrapes every 15 s. Both begin with the same hours of history. The engine is measured by the processor time of its
process during its looks (queries of DuckDB included, taking the spans in not). Of Prometheus two run, one with rules
and one without: the difference is what evaluating costs, and scraping is not charged to it. The rules are those that
Sloth writes: ratios over 5m, 30m, 1h, 2h, 6h, 1d and 3d, and two alerts with two pairs each.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import random
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.support import headline
from watchkeeper.app.server import SCRIPTS
from watchkeeper.kernel.clock import SystemClock
from watchkeeper.kernel.db.database import Database, open_database
from watchkeeper.kernel.db.migrations import Migrations
from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.modules.slo.definition import Definition
from watchkeeper.modules.slo.engine import Engine
from watchkeeper.modules.slo.service import Slos
from watchkeeper.modules.slo.settings import SloSettings
from watchkeeper.modules.slo.sources_embedded import Embedded
from watchkeeper.modules.telemetry import store as parts_store
from watchkeeper.modules.telemetry.model import HOUR as HOUR_NS
from watchkeeper.modules.telemetry.model import Dataset, Part, Signal
from watchkeeper.modules.telemetry.settings import TelemetrySettings
from watchkeeper.modules.telemetry.wiring import TelemetryStore

STEP = 15
ROUTES = 20  # of a service
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
TARGET = 0.999
_SECOND = 1_000_000_000


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
        found = re.search(rf"^{name} (\S+)$", httpx.get(f"{self.url}/metrics", timeout=30).text, re.MULTILINE)
        return float(found[1]) if found else math.nan

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


def fill(store: TelemetryStore, db: Database, traffic: Traffic, steps: range, folder: Path) -> tuple[Counters, Path]:
    """The history: minutes and hours in the telemetry's own layout, and the same as OpenMetrics text."""
    counters = Counters(traffic)
    rows = folder / "history.csv"
    text = folder / "history.txt"
    with rows.open("w") as minutes, text.open("w") as metrics:
        minutes.write("time,service,route,requests,errors\n")
        metrics.write("# TYPE http_requests counter\n")
        by_series: dict[int, list[str]] = {}
        for at in steps:
            told = traffic.step(at)
            counters.add(told)
            for number, line in enumerate(counters.lines(f" {at + STEP}")):
                by_series.setdefault(number, []).append(line)
            for number, (requests, failed) in enumerate(told):
                service, route = traffic.place(number)
                minutes.write(f"{at // 60 * 60 * _SECOND},{service},{route},{requests},{failed}\n")
        for lines in by_series.values():
            metrics.write("\n".join(lines) + "\n")
        metrics.write("# EOF\n")
    source = f"read_csv('{rows}', header=true)"
    for hour in sorted({at // 3_600 for at in steps}):
        start = hour * HOUR_NS
        listed = []
        for dataset, step in ((Dataset.RED_MINUTE, 60 * _SECOND), (Dataset.RED_HOUR, HOUR_NS)):
            sql = (
                f"SELECT time // {step} * {step} AS time, service, 'bench' AS environment, route, 'GET' AS method, "
                "'spans' AS source, 60::SMALLINT AS bucket, sum(requests)::BIGINT AS requests, "
                "sum(errors)::BIGINT AS errors, 0::BIGINT AS client_errors, sum(requests)::BIGINT AS duration_sum, "
                f"1::BIGINT AS duration_max "
                f"FROM {source} WHERE time >= {start} AND time < {start + HOUR_NS} GROUP BY ALL"
            )
            name = f"bench-{dataset}-{hour}"
            relative, final = store.folder.place(dataset, start, name)
            count = store.engine.copy_from(sql, None, [], final.with_suffix(".tmp"))
            size = store.folder.settle(final.with_suffix(".tmp"), final)
            listed.append(Part(name, dataset, 3, start, start + HOUR_NS - 1, count, size, relative, None))
        with db.begin() as session:
            parts_store.register(
                session, listed, segment=f"bench-{hour}", place=store.folder.place_id, at=SystemClock().now()
            )
    return counters, text


def spans_of(traffic: Traffic, told: list[tuple[int, int]], at: int) -> Iterator[ExportTraceServiceRequest]:
    """A step's requests as spans, a service at a time."""
    rnd = random.Random(at)
    for first in range(0, traffic.routes, ROUTES):
        request = ExportTraceServiceRequest()
        of = request.resource_spans.add()
        for key, value in (("service.name", traffic.place(first)[0]), ("deployment.environment.name", "bench")):
            pair = of.resource.attributes.add()
            pair.key, pair.value.string_value = key, value
        spans = of.scope_spans.add().spans
        for number in range(first, min(first + ROUTES, traffic.routes)):
            requests, failed = told[number]
            for one in range(requests):
                span = spans.add(trace_id=rnd.randbytes(16), span_id=rnd.randbytes(8), name="GET", kind=2)
                span.start_time_unix_nano = at * _SECOND + one * 1_000_000
                span.end_time_unix_nano = span.start_time_unix_nano + 20_000_000
                for key, text in (("http.request.method", "GET"), ("http.route", traffic.place(number)[1])):
                    pair = span.attributes.add()
                    pair.key, pair.value.string_value = key, text
                pair = span.attributes.add()
                pair.key, pair.value.int_value = "http.response.status_code", 500 if one < failed else 200
        yield request


def define(db: Database, clock: SystemClock, traffic: Traffic) -> None:
    with db.begin() as session:
        for number in range(traffic.routes):
            service, route = traffic.place(number)
            said = {
                "name": f"slo-{number}",
                "service": service,
                "indicator": {"kind": "availability", "service": service, "routes": [route]},
                "objectives": [{"target": TARGET}],
                "window": {"rolling": "30d"},
            }
            Slos(session, clock).put(Definition.model_validate(said), by="bench", source="api")


def resident_mb() -> float:
    """Of this process."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024  # type: ignore[index]


@dataclass
class Looks:
    """Steps of 15 s: what the step told goes to both, then the engine looks."""

    engine: Engine
    store: TelemetryStore
    traffic: Traffic
    counters: Counters

    def run(self, steps: int) -> list[float]:
        """Processor seconds of each look."""
        took = []
        for _ in range(steps):
            at = int(time.time()) // STEP * STEP
            time.sleep(at + STEP - time.time())
            told = self.traffic.step(at)
            self.counters.add(told)
            for request in spans_of(self.traffic, told, at):
                self.store.intake.accept_own(Signal.TRACES, request.SerializeToString())
            self.store.flusher.flush()
            before = time.process_time()
            self.engine.run_once()
            took.append(time.process_time() - before)
        return took


def main() -> None:
    """Fill, start both, warm up, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--slos", type=int, default=1_000)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--history-hours", type=float, default=2)
    parser.add_argument("--alone", action="store_true", help="without Prometheus")
    options = parser.parse_args()
    headline(f"{options.slos:,} SLOs x 4 pairs of windows, looked at every {STEP} s")
    traffic = Traffic(options.slos)
    clock = SystemClock()
    with tempfile.TemporaryDirectory(prefix="wk-bench-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        db = open_database(None, folder)
        Migrations(SCRIPTS).migrate(db.engine)
        store = TelemetryStore.open(
            db, clock, TelemetrySettings.model_validate({"max_routes": 10_000, "min_free_mb": 0}),
            ServerSettings(data=folder),
        )  # fmt: skip
        end = int(time.time()) // STEP * STEP
        counters, text = fill(store, db, traffic, range(end - int(options.history_hours * 3_600), end, STEP), folder)
        define(db, clock, traffic)
        telemetry = store.telemetry(db)
        engine = Engine(db, clock, (Embedded(telemetry),), SloSettings.model_validate({}))
        looks = Looks(engine, store, traffic, counters)
        beside = []
        if not options.alone:
            target = stack.enter_context(exposed(counters))
            for number, rules in enumerate((None, sloth_rules(traffic))):
                beside.append(
                    stack.enter_context(
                        prometheus(folder / f"prometheus-{number}", 19_390 + number, target, rules=rules, history=text)
                    )
                )
        at_rest = resident_mb()
        before, began = time.process_time(), time.monotonic()
        engine.run_once()
        first = time.process_time() - before
        print(f"  first look, with its history   {time.monotonic() - began:8.2f} s, {first:.2f} s of processor")
        looks.run(4)
        report(options, looks, beside, at_rest)
        store.close()
        db.close()


def report(options: argparse.Namespace, looks: Looks, beside: list[Process], at_rest: float) -> None:
    """Measure for so many minutes and print both sides."""
    steps = round(options.minutes * 60 / STEP)
    before = [one.cpu_seconds() for one in beside]
    began = time.monotonic()
    took = looks.run(steps)
    lasted = time.monotonic() - began
    ours, each, longest = sum(took) / lasted, sum(took) / steps * 1000, max(took) * 1000
    added, firing = resident_mb() - at_rest, open_alerts(looks.engine)
    print(f"  the engine's looks             {ours:8.2%} of a core; each {each:.0f} ms, longest {longest:.0f} ms")
    print(f"  memory that the engine added   {added:8.0f} MB; alerts open: {firing}")
    if not beside:
        return
    without, with_rules = ((one.cpu_seconds() - was) / lasted for one, was in zip(beside, before, strict=True))
    rules = with_rules - without
    print(f"  Prometheus, scraping alone     {without:8.2%} of a core, {beside[0].resident_mb():.0f} MB")
    print(f"  Prometheus with the rules      {with_rules:8.2%} of a core, {beside[1].resident_mb():.0f} MB")
    missed = beside[1].metric("prometheus_rule_group_iterations_missed_total")
    print(f"  its rules alone                {rules:8.2%} of a core; missed: {missed:.0f}")
    print(f"  ratio, engine to rules         {ours / rules:8.3f}")


def open_alerts(engine: Engine) -> int:
    return sum(one.is_open for one in engine.states.values())


if __name__ == "__main__":
    main()
