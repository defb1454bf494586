"""Telemetry as senders make it, and a store to put it in."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from watchkeeper.kernel.clock import ManualClock, to_unix_nano
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.modules.telemetry.model import Signal
from watchkeeper.modules.telemetry.settings import TelemetrySettings
from watchkeeper.modules.telemetry.wiring import TelemetryStore

MS = 1_000_000


def resource(target: Any, service: str | None, **attributes: str) -> None:
    found = {"service.name": service, "deployment.environment.name": "demo", **attributes}
    for key, value in found.items():
        if value is not None:
            pair = target.resource.attributes.add()
            pair.key, pair.value.string_value = key, value


def attribute(target: Any, key: str, value: Any) -> None:
    pair = target.attributes.add()
    pair.key = key
    kind = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value"}[type(value)]
    setattr(pair.value, kind, value)


def spans(
    at: int,
    *,
    service: str | None = "duet-gateway",
    count: int = 1,
    duration: int = 20 * MS,
    kind: int = 2,
    status_code: int = 200,
    route: str = "/v1/offers",
    seed: int = 1,
    **attributes: Any,
) -> ExportTraceServiceRequest:
    """`count` spans, a millisecond apart, each a trace of its own."""
    rnd = random.Random(seed)
    request = ExportTraceServiceRequest()
    of_resource = request.resource_spans.add()
    resource(of_resource, service)
    of_scope = of_resource.scope_spans.add()
    for number in range(count):
        span = of_scope.spans.add()
        span.trace_id, span.span_id = rnd.randbytes(16), rnd.randbytes(8)
        span.name, span.kind = f"GET {route}", kind
        span.start_time_unix_nano = at + number * MS
        span.end_time_unix_nano = span.start_time_unix_nano + duration
        for key, value in {
            "http.request.method": "GET",
            "http.route": route,
            "http.response.status_code": status_code,
            **attributes,
        }.items():
            attribute(span, key, value)
    return request


def logs(
    at: int, *bodies: str, service: str = "duet-gateway", severity: int = 9, trace_id: bytes = b"", **attributes: Any
) -> ExportLogsServiceRequest:
    """One line a body, a millisecond apart."""
    request = ExportLogsServiceRequest()
    of_resource = request.resource_logs.add()
    resource(of_resource, service)
    of_scope = of_resource.scope_logs.add()
    for number, body in enumerate(bodies):
        record = of_scope.log_records.add()
        record.time_unix_nano = at + number * MS
        record.severity_number = severity
        record.body.string_value = body
        record.trace_id = trace_id
        for key, value in attributes.items():
            attribute(record, key, value)
    return request


def counter(
    points: list[tuple[int, float]], *, name: str = "duet.offers", start: int = 1, cumulative: bool = True
) -> Any:
    """A monotonic sum with these (time, value) points."""
    request = ExportMetricsServiceRequest()
    of_resource = request.resource_metrics.add()
    resource(of_resource, "duet-gateway")
    metric = of_resource.scope_metrics.add().metrics.add()
    metric.name, metric.unit = name, "1"
    metric.sum.is_monotonic = True
    metric.sum.aggregation_temporality = 2 if cumulative else 1
    for time, value in points:
        point = metric.sum.data_points.add()
        point.time_unix_nano, point.start_time_unix_nano, point.as_double = time, start, value
    return request


def histogram(
    time: int, buckets: list[int], bounds: list[float], *, name: str, start: int = 1, **attributes: Any
) -> Any:
    """One cumulative histogram point."""
    request = ExportMetricsServiceRequest()
    of_resource = request.resource_metrics.add()
    resource(of_resource, "duet-gateway")
    metric = of_resource.scope_metrics.add().metrics.add()
    metric.name, metric.unit = name, "s"
    metric.histogram.aggregation_temporality = 2
    point = metric.histogram.data_points.add()
    point.time_unix_nano, point.start_time_unix_nano = time, start
    point.bucket_counts.extend(buckets)
    point.explicit_bounds.extend(bounds)
    point.count, point.sum = sum(buckets), 1.0
    for key, value in attributes.items():
        attribute(point, key.replace("__", "."), value)
    return request


@contextmanager
def store_on(database: Database, clock: ManualClock, data: Path, **settings: Any) -> Iterator[TelemetryStore]:
    """A store that flushes only when it is told to."""
    seen: list[frozenset[tuple[str, str, str | None]]] = []
    options = {"min_free_mb": 0, **settings}
    store = TelemetryStore.open(
        database,
        clock,
        TelemetrySettings(**options),
        ServerSettings(data=data),
        on_seen=lambda _session, found, _at: seen.append(found),
    )
    try:
        yield store
    finally:
        store.close()


def send(store: TelemetryStore, request: Any) -> None:
    """Take a request in, as the server's own telemetry comes in."""
    kinds = {
        ExportTraceServiceRequest: Signal.TRACES,
        ExportLogsServiceRequest: Signal.LOGS,
        ExportMetricsServiceRequest: Signal.METRICS,
    }
    store.intake.accept_own(kinds[type(request)], request.SerializeToString())


def now_of(clock: ManualClock) -> int:
    return to_unix_nano(clock.now())
