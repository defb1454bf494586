"""The API of telemetry."""

# Annotations are kept as objects for FastAPI.
from typing import Annotated

from fastapi import Path, Query

from watchkeeper.kernel.clock import from_unix_nano
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.paging import DEFAULT_LIMIT, Cursor, Limit, Page, decode_cursor, encode_cursor
from watchkeeper.kernel.web.parts import database_part
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.telemetry import query_logs, query_metrics, query_red, query_traces
from watchkeeper.modules.telemetry.answers import LogRow, SpanRow
from watchkeeper.modules.telemetry.params import AtNow, Logs, Name, OptionalName, Span, Step, Store, Traces
from watchkeeper.modules.telemetry.permissions import VIEW_TELEMETRY
from watchkeeper.modules.telemetry.query import Telemetry
from watchkeeper.modules.telemetry.query_logs import LogFilter
from watchkeeper.modules.telemetry.query_traces import Trace, TraceFilter
from watchkeeper.modules.telemetry.ranges import Range
from watchkeeper.modules.telemetry.wire import (
    Chart,
    ChartSeries,
    LogView,
    MetricNameView,
    MetricSeriesView,
    RedPointView,
    RedView,
    RequestView,
    RouteView,
    SeriesView,
    ServiceRedView,
    TraceView,
)

router = api_router("telemetry", prefix="/api/v1/telemetry")
_LEAST_SEVERE_FIRST = ("UNSET", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_TONES = {"INFO": "info", "WARN": "warning", "ERROR": "danger", "FATAL": "danger"}
Viewer = Annotated[Actor, requires(VIEW_TELEMETRY)]
Db = Annotated[Database, database_part()]
ServiceName = Annotated[str, Path(min_length=1, max_length=300)]
Near = Annotated[
    int | None,
    Query(ge=0, le=2**62, description="A time of one of its spans in unix nanoseconds; makes finding it quick."),
]


@router.get("/services")
async def services(who: Viewer, store: Store, db: Db, span: Span, at: AtNow) -> list[ServiceRedView]:
    """Every service that served requests in the range, worst first."""
    seen = await db.ask(query_red.last_seen)
    found = await store.run(lambda t: query_red.services(t, span, at.now, seen))
    return [ServiceRedView.of(one) for one in found]


@router.get("/services/{service:path}/red")
async def red(
    who: Viewer,
    store: Store,
    service: ServiceName,
    span: Span,
    step: Step = None,
    route: OptionalName = None,
    environment: OptionalName = None,
) -> SeriesView:
    """Requests, errors and durations of a service along the range."""
    width = span.step(step)
    points = await store.run(
        lambda t: query_red.series(t, service, span, width, route=route, environment=environment or None)
    )
    views = [
        RedPointView(time=from_unix_nano(point.time), red=RedView.of(point.red, point.length) if point.red else None)
        for point in points
    ]
    return SeriesView(service=service, step_seconds=width // 10**9, points=views)


@router.get("/services/{service:path}/routes")
async def routes(
    who: Viewer, store: Store, service: ServiceName, span: Span, environment: OptionalName = None
) -> list[RouteView]:
    """Each route and method of a service over the range: failing ones first, then those that take most time."""
    found = await store.run(lambda t: query_red.routes(t, service, span, environment=environment or None))
    return [RouteView.of(one) for one in found]


@router.get("/traces")
async def traces(
    who: Viewer, store: Store, span: Span, wanted: Traces, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[RequestView]:
    """Requests of a service, or the roots of all traces, newest or slowest first."""
    rows, following = await requests_page(store, span, wanted, limit, cursor)
    return Page[RequestView](items=[RequestView.of(row) for row in rows], next=following)


@router.get("/traces/{trace_id}")
async def trace(
    who: Viewer,
    store: Store,
    trace_id: Annotated[str, Path(pattern="^[0-9a-f]{32}$")],
    at: AtNow,
    near: Near = None,
) -> TraceView:
    """All spans of a trace as a tree, and the log lines that carry its id."""
    return TraceView.of(*await whole_trace(store, trace_id, at.now, near))


@router.get("/logs")
async def logs(
    who: Viewer, store: Store, span: Span, wanted: Logs, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[LogView]:
    """Log lines, newest first. Attributes are matched by `attr.<name>=<value>`."""
    rows, following = await logs_page(store, span, wanted, limit, cursor)
    return Page[LogView](items=[LogView.of(row) for row in rows], next=following)


@router.get("/logs/histogram")
async def log_histogram(who: Viewer, store: Store, span: Span, wanted: Logs, step: Step = None) -> Chart:
    """How many lines there were in each step, by severity."""
    width = span.step(step)
    found = await store.run(lambda t: query_logs.histogram(t, span, wanted, width))
    points = span.points(width)
    levels = [level for level in _LEAST_SEVERE_FIRST if _any(found, level)]
    return Chart(
        times=[point // 10**9 for point in points],
        series=[
            ChartSeries(
                label=level, values=[found.get(point, {}).get(level, 0) for point in points], tone=_TONES.get(level)
            )
            for level in levels
        ],
    )


@router.get("/metrics")
async def metrics(who: Viewer, store: Store, span: Span, service: Name) -> list[MetricNameView]:
    """The metrics that a service sends."""
    return [MetricNameView.of(one) for one in await store.run(lambda t: query_metrics.names(t, service, span))]


@router.get("/metrics/query")
async def metric_series(
    who: Viewer,
    store: Store,
    span: Span,
    service: Name,
    name: Name,
    step: Step = None,
    group_by: Annotated[str | None, Query(max_length=200, description="An attribute to split by.")] = None,
) -> MetricSeriesView:
    """A metric along the range: gauges as values, counters as rates, histograms as percentiles."""
    width = span.step(step)
    answer = await store.run(lambda t: query_metrics.query(t, service, name, span, width, group_by=group_by or None))
    return MetricSeriesView.of(answer)


@router.get("/metrics/chart", include_in_schema=False)
async def metric_chart(
    who: Viewer, store: Store, span: Span, service: Name, name: Name, group_by: OptionalName = None
) -> Chart:
    """The same as a chart draws it."""
    answer = await store.run(
        lambda t: query_metrics.query(t, service, name, span, span.step(), group_by=group_by or None)
    )
    return MetricSeriesView.of(answer).chart


async def whole_trace(store: Telemetry, trace_id: str, now: int, near: int | None) -> tuple[Trace, list[LogRow]]:
    """A trace and its log lines. Raises TraceNotFound."""
    found = await store.run(lambda t: query_traces.trace(t, trace_id, now, near=near))
    return found, await store.run(lambda t: query_logs.of_trace(t, trace_id, found.started, found.duration))


async def requests_page(
    store: Telemetry, span: Range, wanted: TraceFilter, limit: int, cursor: str | None
) -> tuple[list[SpanRow], str | None]:
    """One page of requests and the cursor of the next. Raises BadCursor."""
    after = decode_cursor(cursor, tuple[int, str]) if cursor else None
    newest = wanted.order == "newest"
    if after is not None and newest:
        span = Range(span.since, max(span.since + 1, min(span.until, after[0] + 1)))
    rows = await store.run(lambda t: query_traces.requests(t, span, wanted, limit + 1, after))
    items = rows[:limit]
    following = None
    if len(rows) > limit:
        following = encode_cursor((items[-1].time if newest else items[-1].duration, items[-1].span_id))
    return items, following


async def logs_page(
    store: Telemetry, span: Range, wanted: LogFilter, limit: int, cursor: str | None
) -> tuple[list[LogRow], str | None]:
    """One page of log lines and the cursor of the next. Raises BadCursor."""
    after = decode_cursor(cursor, tuple[int, int]) if cursor else None
    if after is not None:
        span = Range(span.since, max(span.since + 1, min(span.until, after[0] + 1)))
    found = await store.run(lambda t: query_logs.search(t, span, wanted, limit + 1, after))
    items = found[:limit]
    following = encode_cursor((items[-1][0].time, items[-1][1])) if len(found) > limit else None
    return [row for row, _ in items], following


def _any(found: dict[int, dict[str, int]], level: str) -> bool:
    return any(level in counts for counts in found.values())
