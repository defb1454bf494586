"""How quickly questions are answered with 10 million spans stored over a week: the last hour of one service.

`python -m bench.telemetry_query [--spans 10000000]`

The data is written by DuckDB in the store's own layout (an hour a folder, sorted by service and time, with rollups) and
listed in the store's own table; the questions are asked through the same functions as the API's. The last hour lies in
as many small parts as merging leaves of a running hour.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.support import headline
from watchkeeper.app.server import SCRIPTS
from watchkeeper.kernel.clock import SystemClock, to_unix_nano
from watchkeeper.kernel.db.database import Database, open_database
from watchkeeper.kernel.db.migrations import Migrations
from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.modules.telemetry import parts, query_logs, query_red, query_traces
from watchkeeper.modules.telemetry import store as parts_store
from watchkeeper.modules.telemetry.model import HOUR, MINUTE, Dataset, Part
from watchkeeper.modules.telemetry.query import Telemetry
from watchkeeper.modules.telemetry.query_logs import LogFilter
from watchkeeper.modules.telemetry.query_traces import TraceFilter
from watchkeeper.modules.telemetry.ranges import Range
from watchkeeper.modules.telemetry.settings import TelemetrySettings
from watchkeeper.modules.telemetry.wiring import TelemetryStore

HOURS = 7 * 24
SERVICES = 10
ROUNDS = 40
# Seven parts of each of four levels wait for their eighth.
PARTS_OF_THE_LAST_HOUR = 28

_SPANS = """
SELECT {start} + (i * {step})::BIGINT AS time, (exp(14 + 2 * random()))::BIGINT AS duration,
    md5('t' || ({hour} * 10000000 + i) // 3) AS trace_id, substr(md5('s' || ({hour} * 10000000 + i)), 1, 16) AS span_id,
    CASE WHEN i % 3 = 0 THEN NULL ELSE substr(md5('s' || ({hour} * 10000000 + i - 1)), 1, 16) END AS parent_span_id,
    'shop-' || (i % {services}) AS service, 'bench' AS environment, 'v1' AS version,
    'GET /v1/things/' || (i % 12) AS name, CASE WHEN i % 2 = 0 THEN 'server' ELSE 'client' END AS kind,
    CASE WHEN i % 50 = 0 THEN 'error' ELSE 'unset' END AS status, NULL::VARCHAR AS status_message,
    '/v1/things/' || (i % 12) || '/{{id}}' AS route, 'GET' AS method,
    (CASE WHEN i % 50 = 0 THEN 500 ELSE 200 END)::SMALLINT AS status_code, '10.0.0.7' AS peer,
    '{{"http.route":"/v1/things/' || (i % 12) || '","http.request.method":"GET","url.path":"/v1/things/' || i || '"}}'
        AS attributes,
    '{{"service.name":"shop"}}' AS resource, NULL::VARCHAR AS events, NULL::VARCHAR AS links, 'bench' AS scope
FROM range({first}, {rows}) t(i) ORDER BY service, time
"""

_LOGS = """
SELECT {start} + (i * {step})::BIGINT AS time, {start} + (i * {step})::BIGINT AS observed,
    'shop-' || (i % {services}) AS service, 'bench' AS environment, 'v1' AS version,
    (CASE WHEN i % 40 = 0 THEN 17 ELSE 9 END)::SMALLINT AS severity,
    CASE WHEN i % 40 = 0 THEN 'ERROR' ELSE 'INFO' END AS severity_text,
    'order ' || i || ' of customer ' || (i % 977) || ' was accepted' AS body, md5('t' || i) AS trace_id,
    NULL::VARCHAR AS span_id, NULL::VARCHAR AS event_name, '{{"order":' || i || '}}' AS attributes,
    '{{"service.name":"shop"}}' AS resource, 'bench' AS scope
FROM range({first}, {rows}) t(i) ORDER BY service, time
"""


def fill(store: TelemetryStore, db: Database, spans: int, until: int) -> None:
    """Write a week of spans, a tenth as many log lines, and the rollups of the spans."""
    per_hour = spans // HOURS
    for hour_number in range(HOURS):
        start = until - (HOURS - hour_number) * HOUR
        pieces = PARTS_OF_THE_LAST_HOUR if hour_number == HOURS - 1 else 1
        for piece in range(pieces):
            _fill_piece(store, db, hour_number, start, per_hour, (piece, pieces))


def _fill_piece(
    store: TelemetryStore, db: Database, hour: int, start: int, rows: int, piece_of: tuple[int, int]
) -> None:
    piece, pieces = piece_of
    listed = []
    for dataset, template, count in ((Dataset.SPANS, _SPANS, rows), (Dataset.LOGS, _LOGS, rows // 10)):
        values = {
            "start": start,
            "hour": hour,
            "services": SERVICES,
            "first": count * piece // pieces,
            "rows": count * (piece + 1) // pieces,
            "step": HOUR // (count + 1),
        }
        bounds = (start + HOUR * piece // pieces, start + HOUR * (piece + 1) // pieces - 1)
        listed.append(_write(store, dataset, f"bench-{dataset}-{hour}-{piece}", bounds, template.format(**values)))
    listed += _rollups(store, listed[0])
    with db.begin() as session:
        place = store.folder.place_id
        parts_store.register(session, listed, segment=f"bench-{hour}-{piece}", place=place, at=SystemClock().now())


def _write(store: TelemetryStore, dataset: Dataset, name: str, bounds: tuple[int, int], sql: str) -> Part:
    relative, final = store.folder.place(dataset, bounds[0] // HOUR * HOUR, name)
    unfinished = final.with_suffix(".tmp")
    rows = store.engine.copy_from(sql, None, [], unfinished)
    size = store.folder.settle(unfinished, final)
    services = tuple(f"shop-{n}" for n in range(SERVICES))
    return Part(name, dataset, 3, *bounds, rows, size, relative, services)


def _rollups(store: TelemetryStore, spans: Part) -> list[Part]:
    source = f"SELECT * FROM read_parquet('{store.folder.file(spans)}')"
    minute = parts._rollup_sql(MINUTE).replace("FROM incoming", f"FROM ({source})").replace("?::VARCHAR[]", "[]")
    minutes = (spans.min_time // MINUTE * MINUTE, spans.max_time)
    red = _write(store, Dataset.RED_MINUTE, f"{spans.id}-minute", minutes, minute)
    coarser = parts._coarser_sql(HOUR, store.folder.file(red))
    hours = (spans.min_time // HOUR * HOUR, spans.max_time)
    return [red, _write(store, Dataset.RED_HOUR, f"{spans.id}-hour", hours, coarser)]


def measure(name: str, question: Callable[[], object], expect: Callable[[object], bool]) -> None:
    """Ask 40 times and print the spread; an answer that is not as expected ends the run."""
    took = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        answer = question()
        took.append((time.perf_counter() - started) * 1000)
        if not expect(answer):
            raise SystemExit(f"{name}: the answer is not what was stored")
    ordered = sorted(took)
    print(f"  {name:44} p50 {statistics.median(ordered):7.0f} ms   p95 {ordered[int(ROUNDS * 0.95) - 1]:7.0f} ms   "
          f"first {took[0]:7.0f} ms")  # fmt: skip


def main() -> None:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--spans", type=int, default=10_000_000)
    options = parser.parse_args()
    headline(f"Questions about the last hour of one service, {options.spans:,} spans stored over {HOURS // 24} days")
    with tempfile.TemporaryDirectory(prefix="wk-bench-") as folder:
        db = open_database(None, Path(folder))
        Migrations(SCRIPTS).migrate(db.engine)
        clock = SystemClock()
        until = to_unix_nano(clock.now()) // MINUTE * MINUTE
        store = TelemetryStore.open(db, clock, TelemetrySettings(), ServerSettings(data=Path(folder)))
        fill(store, db, options.spans, until)
        with db.read() as session:
            print(f"  on disk: {parts_store.total_bytes(session) / 1e6:,.0f} MB\n")
        ask(store.telemetry(db), Range(until - HOUR, until), Range(until - 7 * 24 * HOUR, until), until)
        store.close()
        db.close()


def ask(telemetry: Telemetry, hour: Range, week: Range, now: int) -> None:
    """The questions of the service page, the lists, and a trace."""
    one = "shop-4"  # every other service only calls
    newest = TraceFilter(service=one)
    slowest = TraceFilter(service=one, order="slowest")
    failed = TraceFilter(service=one, failed=True)
    lines = LogFilter(service=one, text="customer 97")
    row = query_traces.requests(telemetry, hour, newest, 1, None)[0]
    measure("requests, errors, percentiles by minute", lambda: query_red.series(telemetry, one, hour, MINUTE), bool)
    measure("routes of the service", lambda: query_red.routes(telemetry, one, hour), bool)
    measure("all services, worst first", lambda: query_red.services(telemetry, hour, now, {}), lambda a: len(a) == 5)  # type: ignore[arg-type]
    measure("newest requests", lambda: query_traces.requests(telemetry, hour, newest, 50, None), bool)
    measure("slowest requests", lambda: query_traces.requests(telemetry, hour, slowest, 50, None), bool)
    measure(
        "failed requests", lambda: query_traces.requests(telemetry, hour, failed, 50, None), lambda a: a is not None
    )
    measure("log search by text", lambda: query_logs.search(telemetry, hour, lines, 50, None), bool)
    measure(
        "one trace, opened from a list", lambda: query_traces.trace(telemetry, row.trace_id, now, near=row.time), bool
    )
    print("\n  and beyond the hour:")
    measure("7 days of the service by hour", lambda: query_red.series(telemetry, one, week, HOUR), bool)
    measure("slowest requests of 7 days", lambda: query_traces.requests(telemetry, week, slowest, 50, None), bool)
    measure("one trace by its id alone", lambda: query_traces.trace(telemetry, row.trace_id, now), bool)
    old = query_traces.requests(telemetry, Range(week.since, week.since + HOUR), newest, 1, None)[0]
    measure("a trace of 7 days ago by its id alone", lambda: query_traces.trace(telemetry, old.trace_id, now), bool)
    rare = LogFilter(text="there is no such line")
    measure(
        "7 days of logs for what is not there", lambda: query_logs.search(telemetry, week, rare, 50, None) == [], bool
    )


if __name__ == "__main__":
    main()
