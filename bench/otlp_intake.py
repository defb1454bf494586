"""Spans a second through OTLP/HTTP with gzip on one core, from sending to being counted by a query.

`python -m bench.otlp_intake [--spans 600000]`

The bare limit is measured in the same run and on the same core: decode the same bytes to rows and write Parquet,
without HTTP, gzip, log, database or rollups.
"""

from __future__ import annotations

import argparse
import gzip
import multiprocessing
import os
import random
import tempfile
import threading
import time
from pathlib import Path

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.support import Server, headline, running_server
from watchkeeper.modules.telemetry.model import HOUR, Signal
from watchkeeper.modules.telemetry.parts import PartFolder, write_batch
from watchkeeper.modules.telemetry.window import Window
from watchkeeper.modules.telemetry.wire_otlp import parse
from watchkeeper.modules.telemetry.wire_otlp_traces import decode_traces

SIZES = (512, 1024, 2048, 4096)
SENDERS = 4


def batch(rnd: random.Random, size: int, now: int) -> bytes:
    """A request as an SDK's batch processor sends it: eight attributes a span, a dozen routes."""
    request = ExportTraceServiceRequest()
    of_resource = request.resource_spans.add()
    for key, value in (("service.name", f"shop-{rnd.randrange(6)}"), ("deployment.environment.name", "bench")):
        pair = of_resource.resource.attributes.add()
        pair.key, pair.value.string_value = key, value
    of_scope = of_resource.scope_spans.add()
    of_scope.scope.name = "bench"
    for _ in range(size):
        span = of_scope.spans.add()
        span.trace_id, span.span_id, span.parent_span_id = rnd.randbytes(16), rnd.randbytes(8), rnd.randbytes(8)
        route = rnd.randrange(12)
        span.name, span.kind = f"GET /v1/things/{route}", rnd.choice((2, 2, 3, 1))
        span.start_time_unix_nano = now - rnd.randrange(30_000_000_000)
        span.end_time_unix_nano = span.start_time_unix_nano + int(rnd.lognormvariate(16, 1))
        texts = {
            "http.request.method": "GET",
            "http.route": f"/v1/things/{route}/{{id}}",
            "url.path": f"/v1/things/{route}/{rnd.randrange(10**6)}",
            "server.address": "10.0.0.7",
            "network.protocol.version": "1.1",
            "user_agent.original": "python-httpx/0.28",
        }
        for key, value in texts.items():
            pair = span.attributes.add()
            pair.key, pair.value.string_value = key, value
        for key, number in (("http.response.status_code", 200 if rnd.random() < 0.98 else 503), ("server.port", 8080)):
            pair = span.attributes.add()
            pair.key, pair.value.int_value = key, number
    return request.SerializeToString()


def make(spans: int) -> list[tuple[int, bytes]]:
    """(spans, body) of enough batches of mixed sizes."""
    rnd, now = random.Random(7), time.time_ns()
    found: list[tuple[int, bytes]] = []
    made = 0
    while made < spans:
        size = SIZES[len(found) % len(SIZES)]
        found.append((size, batch(rnd, size, now)))
        made += size
    return found


def bare(batches: list[tuple[int, bytes]], queue: multiprocessing.Queue[float]) -> None:
    """The limit: decode and Parquet, on one core."""
    os.sched_setaffinity(0, {0})
    with tempfile.TemporaryDirectory() as folder:
        place = PartFolder(Path(folder))
        window = Window.at(time.time_ns(), 7)
        started = time.monotonic()
        count = 0
        gathered = None
        for number, (_, body) in enumerate(batches):
            decoded = decode_traces(parse(Signal.TRACES, body), window)
            count += len(decoded.batch)
            if gathered is None:
                gathered = decoded.batch
            else:
                gathered.extend(decoded.batch)
            if len(gathered) >= 50_000 or number == len(batches) - 1:
                for hour, rows in gathered.by_hour().items():
                    write_batch(place, rows, f"part-{number}-{hour // HOUR}", hour)
                gathered = None
        queue.put(count / (time.monotonic() - started))


def through_http(server: Server, batches: list[tuple[int, bytes]]) -> tuple[float, float]:
    """(spans a second until all can be counted, seconds until the last acknowledgement)."""
    bodies = [gzip.compress(body, 6) for _, body in batches]
    work = iter(bodies)
    lock = threading.Lock()
    retried = [0]
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}

    def send() -> None:
        with httpx.Client(base_url=server.url, timeout=60) as client:
            while True:
                with lock:
                    body = next(work, None)
                if body is None:
                    return
                while (answer := client.post("/v1/traces", content=body, headers=headers)).status_code == 429:
                    retried[0] += 1
                    time.sleep(0.2)
                answer.raise_for_status()

    started = time.monotonic()
    threads = [threading.Thread(target=send) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    acknowledged = time.monotonic() - started
    total = sum(size for size, _ in batches)
    while stored(server) < total:
        time.sleep(0.05)
    seconds = time.monotonic() - started
    print(f"  answered 429 and sent again: {retried[0]}")
    return total / seconds, acknowledged


def stored(server: Server) -> int:
    """Spans that a query can see now, from the list of parts."""
    import sqlite3

    with sqlite3.connect(f"file:{server.data / 'watchkeeper.db'}?mode=ro", uri=True) as db:
        wanted = "SELECT coalesce(sum(rows), 0) FROM telemetry_parts WHERE dataset = 'spans' AND retired_at IS NULL"
        return int(db.execute(wanted).fetchone()[0])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--spans", type=int, default=600_000)
    options = parser.parse_args()
    headline("OTLP traces over HTTP with gzip, server on one core")
    batches = make(options.spans)
    total = sum(size for size, _ in batches)
    print(f"  {total:,} spans in {len(batches)} requests, {sum(len(b) for _, b in batches) / total:.0f} bytes a span")
    queue: multiprocessing.Queue[float] = multiprocessing.get_context("fork").Queue()
    process = multiprocessing.get_context("fork").Process(target=bare, args=(batches, queue))
    process.start()
    limit = queue.get()
    process.join()
    os.sched_setaffinity(0, set(range(1, os.cpu_count() or 2)))
    with running_server(cpus={0}, self_telemetry="false") as server:
        rate, acknowledged = through_http(server, batches)
        with server.client() as client:
            found = client.get("/api/v1/telemetry/services", params={"since": "1h"}).json()
        print(
            f"  counted by a query: {sum(one['red']['requests'] for one in found):,} requests in {len(found)} services"
        )
        print(f"  processor time of the server: {server.cpu_seconds():.1f} s")
        print(f"  resident memory afterwards: {server.resident_mb():.0f} MB")
    print(f"\n  acknowledged     {total / acknowledged:10,.0f} spans/s")
    print(f"  queryable        {rate:10,.0f} spans/s")
    print(f"  bare limit       {limit:10,.0f} spans/s (decode and Parquet)")
    print(f"  ratio            {rate / limit:10.2f}")


if __name__ == "__main__":
    main()
