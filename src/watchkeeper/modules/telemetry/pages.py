"""Pages about services: home, overview, routes and metrics."""

# Annotations are kept as objects for FastAPI.
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import Path, Query, Request
from starlette.responses import Response

from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.pages import NavItem, render
from watchkeeper.kernel.web.parts import part
from watchkeeper.kernel.web.wire import page_router
from watchkeeper.modules.catalog.public import service_tabs
from watchkeeper.modules.telemetry import query_logs, query_metrics, query_red, query_traces
from watchkeeper.modules.telemetry.answers import Health, Red, measured
from watchkeeper.modules.telemetry.params import RECENT, AtNow, Moment, OptionalName, RecentSpan, Store
from watchkeeper.modules.telemetry.permissions import VIEW_TELEMETRY
from watchkeeper.modules.telemetry.query_logs import LogFilter
from watchkeeper.modules.telemetry.query_traces import TraceFilter

router = page_router()
Viewer = Annotated[Actor, requires(VIEW_TELEMETRY)]
ServiceName = Annotated[str, Path(min_length=1, max_length=300)]
NAV = (
    NavItem("Home", "/", "home", order=10, permission=VIEW_TELEMETRY, key="h"),
    NavItem("Traces", "/traces", "traces", order=30, permission=VIEW_TELEMETRY, key="r"),
    NavItem("Logs", "/logs", "logs", order=40, permission=VIEW_TELEMETRY, key="l"),
)
RANGES = ("15m", "1h", "6h", "24h", "7d")
BADGES = {
    Health.OK: ("ok", "OK"),
    Health.DEGRADED: ("warning", "Degraded"),
    Health.FAILING: ("danger", "Failing"),
    Health.SILENT: ("muted", "Silent"),
}
_FEW = 8
_ERROR = 17


@router.get("/")
async def home(
    who: Viewer,
    request: Request,
    store: Store,
    span: RecentSpan,
    at: AtNow,
    server: Annotated[ServerSettings, part(ServerSettings)],
    since: Moment = None,
) -> Response:
    """Every service that serves requests, worst first."""
    found = await store.run(lambda t: query_red.services(t, span, at.now))
    total = Red()
    for one in found:
        total.requests += one.red.requests
        total.errors += one.red.errors
    return render(
        request,
        "telemetry/home.html",
        services=found,
        rates={one.service: one.red.per_second(measured(one.first, span.until, span.length)) for one in found},
        total=total,
        badges=BADGES,
        span=span,
        ranges=_ranges("/", since, {}),
        since=since or RECENT,
        endpoint=server.base_url or str(request.base_url).rstrip("/"),
        unwell=[one for one in found if one.health in (Health.FAILING, Health.DEGRADED)],
    )


@router.get("/services/{service:path}/routes")
async def routes(
    who: Viewer, request: Request, store: Store, service: ServiceName, span: RecentSpan, since: Moment = None
) -> Response:
    """Every route of a service, failing ones first."""
    found = await store.run(lambda t: query_red.routes(t, service, span))
    return render(
        request,
        "telemetry/routes.html",
        **_of_service(service, "Routes", f"/services/{quote(service)}/routes", since),
        routes=found,
        span=span,
        total=sum(one.red.duration_sum for one in found),
    )


@router.get("/services/{service:path}/metrics")
async def metrics(
    who: Viewer,
    request: Request,
    store: Store,
    service: ServiceName,
    span: RecentSpan,
    since: Moment = None,
    name: OptionalName = None,
    group_by: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """The metrics that a service sends, and one of them as a chart."""
    found = await store.run(lambda t: query_metrics.names(t, service, span))
    chosen = next((one for one in found if one.name == name), None)
    asked = {"service": service, "name": name or "", "since": since or RECENT, "group_by": group_by or ""}
    return render(
        request,
        "telemetry/metrics.html",
        **_of_service(service, "Metrics", f"/services/{quote(service)}/metrics", since, name=name),
        metrics=found,
        chosen=chosen,
        group_by=group_by,
        chart_src=f"/api/v1/telemetry/metrics/chart?{urlencode(asked)}",
    )


@router.get("/services/{service:path}")
async def overview(
    who: Viewer,
    request: Request,
    store: Store,
    service: ServiceName,
    span: RecentSpan,
    at: AtNow,
    since: Moment = None,
    until: Moment = None,
    environment: OptionalName = None,
    route: OptionalName = None,
) -> Response:
    """How a service does: traffic, errors, latency, its worst routes, slowest traces and newest errors."""
    environment, route = environment or None, route or None

    def ask(t: Any) -> dict[str, Any]:
        series = query_red.series(t, service, span, span.step(), route=route, environment=environment)
        total = Red()
        for point in series:
            _add(total, point.red)
        slow = TraceFilter(service=service, route=route, environment=environment, order="slowest")
        errors = LogFilter(service=service, environment=environment, severity=_ERROR)
        return {
            "total": total,
            "first": min((point.time for point in series if point.red), default=None),
            "newest": max((point.time for point in series if point.red), default=None),
            "routes": query_red.routes(t, service, span, environment=environment)[:_FEW],
            "slowest": query_traces.requests(t, span, slow, _FEW, None),
            "errors": [row for row, _ in query_logs.search(t, span, errors, _FEW, None)],
        }

    found = await store.run(ask)
    asked = {"since": since or RECENT} | {
        k: v for k, v in (("until", until), ("environment", environment), ("route", route)) if v
    }
    return render(
        request,
        "telemetry/service.html",
        **_of_service(service, "Overview", f"/services/{quote(service)}", since, environment=environment, route=route),
        **found,
        span=span,
        rate=found["total"].per_second(measured(found["first"], span.until, span.length)),
        query=urlencode(asked),
        charts=f"/api/v1/telemetry/charts/{quote(service, safe='')}",
        route=route,
        environment=environment,
        until=until,
        live=until is None,
    )


def _of_service(service: str, tab: str, href: str, since: str | None, **kept: str | None) -> dict[str, Any]:
    return {
        "service": service,
        "tab_items": service_tabs(service, tab),
        "since": since or RECENT,
        "ranges": _ranges(href, since, {k: v for k, v in kept.items() if v}),
    }


def _ranges(href: str, since: str | None, kept: dict[str, str]) -> list[tuple[str, str, bool]]:
    """(label, address, is current) of the time ranges one click away."""
    return [(text, f"{href}?{urlencode({**kept, 'since': text})}", text == (since or RECENT)) for text in RANGES]


def _add(total: Red, red: Red | None) -> None:
    if red is None:
        return
    total.requests += red.requests
    total.errors += red.errors
    total.client_errors += red.client_errors
    total.duration_sum += red.duration_sum
    total.duration_max = max(total.duration_max, red.duration_max)
    for bucket, count in red.buckets.items():
        total.buckets[bucket] = total.buckets.get(bucket, 0) + count
