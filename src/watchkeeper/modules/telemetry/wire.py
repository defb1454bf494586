"""Our JSON of telemetry. Times are RFC 3339 in UTC, durations milliseconds, shares 0..1."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from watchkeeper.kernel.clock import from_unix_nano
from watchkeeper.modules.telemetry.answers import Health, LogRow, Red, RouteRed, ServiceRed, SpanRow
from watchkeeper.modules.telemetry.model import SECOND
from watchkeeper.modules.telemetry.query_metrics import MetricAnswer, MetricName
from watchkeeper.modules.telemetry.query_traces import Span, Trace

_MS = 1_000_000


def ms(nanoseconds: float | None) -> float | None:
    """Milliseconds, to the microsecond."""
    return None if nanoseconds is None else round(nanoseconds / _MS, 3)


class RedView(BaseModel):
    """Requests, errors and durations. Percentiles come from buckets and are at most 10 % off."""

    requests: int
    requests_per_second: float = Field(description="Over the time that was measured: from the service's first data on.")
    errors: int = Field(description="Requests answered with 5xx, or whose span failed without a status code.")
    client_errors: int = Field(description="Requests answered with 4xx.")
    error_share: float | None = Field(description="Failed of all requests, 0 to 1; null without requests.")
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    max_ms: float | None

    @classmethod
    def of(cls, red: Red, length: int) -> RedView:
        return cls(
            requests=red.requests,
            requests_per_second=round(red.per_second(length), 4),
            errors=red.errors,
            client_errors=red.client_errors,
            error_share=red.error_share,
            p50_ms=ms(red.quantile(0.5)),
            p95_ms=ms(red.quantile(0.95)),
            p99_ms=ms(red.quantile(0.99)),
            max_ms=ms(red.duration_max) if red.requests else None,
        )


class ServiceRedView(BaseModel):
    """A service over the range asked for."""

    service: str
    health: Health = Field(
        description="By the share of failed requests: `failing` from 5 %, `degraded` from 1 %; `silent` when nothing "
        "at all came from it for 5 minutes."
    )
    newest: datetime = Field(description="When anything last came from it.")
    red: RedView

    @classmethod
    def of(cls, found: ServiceRed) -> ServiceRedView:
        red = RedView.of(found.red, found.length)
        return cls(service=found.service, health=found.health, newest=from_unix_nano(found.newest), red=red)


class RedPointView(BaseModel):
    """One step. `red` is null where nothing was measured, which is not the same as no requests."""

    time: datetime
    red: RedView | None


class SeriesView(BaseModel):
    """A service along the range."""

    service: str
    step_seconds: int
    points: list[RedPointView]


class RouteView(BaseModel):
    """A route of a service; empty where requests named none."""

    route: str
    method: str
    red: RedView

    @classmethod
    def of(cls, found: RouteRed) -> RouteView:
        return cls(route=found.route, method=found.method, red=RedView.of(found.red, found.length))


class RequestView(BaseModel):
    """A request: the span that a service or a trace begins with."""

    time: datetime
    duration_ms: float
    trace_id: str
    span_id: str
    service: str
    name: str
    kind: str
    status: str
    route: str | None
    method: str | None
    status_code: int | None

    @classmethod
    def of(cls, row: SpanRow) -> RequestView:
        values = dict(vars(row))
        values["duration_ms"] = values.pop("duration") / _MS
        return cls(**{**values, "time": from_unix_nano(row.time)})


class SpanView(BaseModel):
    """A span of a trace with its place in the tree."""

    time: datetime
    duration_ms: float
    span_id: str
    parent_span_id: str | None
    service: str
    environment: str
    version: str | None
    name: str
    kind: str
    status: str
    status_message: str | None
    status_code: int | None
    depth: int
    on_critical_path: bool
    attributes: dict[str, Any]
    events: list[Any]
    links: list[Any]

    @classmethod
    def of(cls, span: Span) -> SpanView:
        data = span.data
        taken = {name: data[name] for name in cls.model_fields if name in data}
        taken |= {"time": from_unix_nano(data["time"]), "duration_ms": data["duration"] / _MS}
        return cls(**taken, depth=span.depth, on_critical_path=span.on_critical_path)


class LogView(BaseModel):
    """A log line."""

    time: datetime
    service: str
    environment: str
    severity: int = Field(description="OpenTelemetry severity number, 1 to 24; 0 where the sender gave none.")
    severity_text: str | None
    body: str
    trace_id: str | None
    span_id: str | None
    scope: str | None
    attributes: dict[str, Any]
    resource: dict[str, Any]

    @classmethod
    def of(cls, row: LogRow) -> LogView:
        return cls(**{**vars(row), "time": from_unix_nano(row.time)})


class TraceView(BaseModel):
    """A whole trace, in the order to draw it, with its log lines by time (at most 100)."""

    trace_id: str
    started: datetime
    duration_ms: float
    services: list[str]
    cut: bool = Field(description="Whether it has more than 5,000 spans, of which the first are here.")
    spans: list[SpanView]
    logs: list[LogView]

    @classmethod
    def of(cls, trace: Trace, lines: Sequence[LogRow]) -> TraceView:
        return cls(
            trace_id=trace.trace_id,
            started=from_unix_nano(trace.started),
            duration_ms=trace.duration / _MS,
            services=list(trace.services),
            cut=trace.cut,
            spans=[SpanView.of(span) for span in trace.spans],
            logs=[LogView.of(line) for line in lines],
        )


class MetricNameView(BaseModel):
    """A metric that a service sends."""

    name: str
    type: str
    unit: str | None
    series: int = Field(description="Different sets of attributes in the range.")
    newest: datetime

    @classmethod
    def of(cls, found: MetricName) -> MetricNameView:
        return cls(**{**vars(found), "newest": from_unix_nano(found.newest)})


class ChartSeries(BaseModel):
    """One line of a chart."""

    label: str
    values: list[float | None]
    unit: str = ""
    tone: str | None = Field(
        default=None, description="ok, warning, danger or info, where a colour has to mean something."
    )


class ChartMark(BaseModel):
    """Something that happened, on a chart."""

    at: int
    label: str
    href: str


class Chart(BaseModel):
    """What a chart draws: unix seconds, and a value or null for each."""

    times: list[int]
    series: list[ChartSeries]
    marks: list[ChartMark] = Field(default_factory=list)


class MetricSeriesView(BaseModel):
    """A metric along the range."""

    name: str
    unit: str | None
    shows: str = Field(description="`value`, `rate a second` or `percentiles`.")
    cut: bool
    chart: Chart

    @classmethod
    def of(cls, answer: MetricAnswer) -> MetricSeriesView:
        series = [ChartSeries(label=one.label, values=list(one.values)) for one in answer.series]
        times = [time // SECOND for time in answer.times]
        return cls(
            name=answer.name,
            unit=answer.unit,
            shows=answer.shows,
            cut=answer.cut,
            chart=Chart(times=times, series=series),
        )
