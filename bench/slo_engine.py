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
import random
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.slo_prometheus import ROUTES, STEP, TARGET, Counters, Process, Traffic, exposed, prometheus, sloth_rules
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

_SECOND = 1_000_000_000


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
