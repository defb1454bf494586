"""Pages about services: home, overview, routes and metrics."""

# Annotations are kept as objects for FastAPI.
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import Path, Query, Request
from starlette.responses import Response

from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.pages import NavItem, render
from watchkeeper.kernel.web.parts import database_part, part, parts_of
from watchkeeper.kernel.web.wire import page_router
from watchkeeper.modules.catalog import public as catalog
from watchkeeper.modules.telemetry import query_logs, query_metrics, query_red, query_traces
from watchkeeper.modules.telemetry.answers import SILENT_AFTER, Health, Red, health_of
from watchkeeper.modules.telemetry.model import DAY
from watchkeeper.modules.telemetry.pages_choice import Chosen, ranges
from watchkeeper.modules.telemetry.params import RECENT, AtNow, Moment, OptionalName, RecentSpan, Store
from watchkeeper.modules.telemetry.permissions import VIEW_TELEMETRY
from watchkeeper.modules.telemetry.query import Telemetry
from watchkeeper.modules.telemetry.query_logs import LogFilter
from watchkeeper.modules.telemetry.query_traces import TraceFilter

router = page_router()
Viewer = Annotated[Actor, requires(VIEW_TELEMETRY)]
Db = Annotated[Database, database_part()]
ServiceName = Annotated[str, Path(min_length=1, max_length=300)]
NAV = (
    NavItem("Home", "/", "home", order=10, permission=VIEW_TELEMETRY, key="h"),
    NavItem("Traces", "/traces", "traces", order=30, permission=VIEW_TELEMETRY, key="r"),
    NavItem("Logs", "/logs", "logs", order=40, permission=VIEW_TELEMETRY, key="l"),
)
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
    db: Db,
    server: Annotated[ServerSettings, part(ServerSettings)],
    since: Moment = None,
    until: Moment = None,
) -> Response:
    """Every service that serves requests, worst first."""
    seen = await db.ask(query_red.last_seen)
    found = await store.run(lambda t: query_red.services(t, span, at.now, seen))
    blocks = await _blocks(request).of_home(request)
    total = Red()
    for one in found:
        total.merge(one.red)
    quiet = _quiet(seen, {one.service for one in found}, at.now)
    return render(
        request,
        "telemetry/home.html",
        blocks=blocks,
        urgent=[one.urgent for one in blocks if one.urgent],
        services=found,
        quiet=quiet,
        silent=sum(silent for _, _, silent in quiet) + sum(one.health is Health.SILENT for one in found),
        total=total,
        badges=BADGES,
        span=span,
        ranges=ranges("/", since, {}, until=until),
        window=f"{since or RECENT} to {until}" if until else since or RECENT,
        until=until,
        since=since or RECENT,
        endpoint=server.base_url or str(request.base_url).rstrip("/"),
        unwell=[one for one in found if one.health in (Health.FAILING, Health.DEGRADED)],
    )


def _blocks(request: Request) -> catalog.Blocks:
    return parts_of(request).find(catalog.Blocks) or catalog.Blocks()


def _quiet(seen: Mapping[str, int], serving: set[str], now: int) -> list[tuple[str, int, bool]]:
    """(name, last seen, is silent) of services that served nothing in the range but sent something within a day.

    A service that died a while ago has no requests left to be judged by, and must not fall off the page for that.
    """
    others = [(name, at) for name, at in seen.items() if name not in serving]
    lately = [(name, at, now - at > SILENT_AFTER) for name, at in others if now - at < DAY]
    return sorted(lately, key=lambda one: (not one[2], one[0]))


@router.get("/services/{service:path}/routes")
async def routes(
    who: Viewer,
    request: Request,
    store: Store,
    service: ServiceName,
    span: RecentSpan,
    db: Db,
    since: Moment = None,
    until: Moment = None,
    environment: OptionalName = None,
) -> Response:
    """Every route of a service, failing ones first."""
    found = await store.run(lambda t: query_red.routes(t, service, span, environment=environment or None))
    return render(
        request,
        "telemetry/routes.html",
        **await Chosen(service, "Routes", since, until, environment or None).context(db),
        routes=found,
        total=sum(one.red.duration_sum for one in found),
    )


@router.get("/services/{service:path}/metrics")
async def metrics(
    who: Viewer,
    request: Request,
    store: Store,
    service: ServiceName,
    span: RecentSpan,
    db: Db,
    since: Moment = None,
    until: Moment = None,
    name: OptionalName = None,
    group_by: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """The metrics that a service sends, and one of them as a chart."""
    found = await store.run(lambda t: query_metrics.names(t, service, span))
    chosen = next((one for one in found if one.name == name), None)
    page = Chosen(service, "Metrics", since, until, None, {"name": name, "group_by": group_by})
    return render(
        request,
        "telemetry/metrics.html",
        **await page.context(db, by_environment=False),
        metrics=found,
        chosen=chosen,
        group_by=group_by,
        chart_src=f"/api/v1/telemetry/metrics/chart?{urlencode({'service': service, **page.asked()})}",
    )


@router.get("/services/{service:path}")
async def overview(
    who: Viewer,
    request: Request,
    store: Store,
    service: ServiceName,
    span: RecentSpan,
    db: Db,
    at: AtNow,
    since: Moment = None,
    until: Moment = None,
    environment: OptionalName = None,
    route: OptionalName = None,
) -> Response:
    """How a service does: traffic, errors, latency, its worst routes, slowest traces and newest errors."""
    environment, route = environment or None, route or None
    seen = await db.ask(query_red.last_seen)

    def ask(t: Telemetry) -> dict[str, Any]:
        points = query_red.series(t, service, span, span.step(), route=route, environment=environment)
        slow = TraceFilter(service=service, route=route, environment=environment, order="slowest")
        errors = LogFilter(service=service, environment=environment, severity=_ERROR)
        measured_points = [point for point in points if point.red is not None]
        total = query_red.total_of(points)
        newest = query_red.newest_spans(t, span, service).get(service)
        return {
            "total": total,
            "length": span.until - max(measured_points[0].time, span.since) if measured_points else 0,
            "newest": newest or max((point.time for point in measured_points), default=None),
            "badge": BADGES[health_of(total, max(newest or 0, seen.get(service, 0)), at.now)],
            "routes": query_red.routes(t, service, span, environment=environment)[:_FEW],
            "slowest": query_traces.requests(t, span, slow, _FEW, None),
            "errors": [row for row, _ in query_logs.search(t, span, errors, _FEW, None)],
        }

    found = await store.run(ask)
    page = Chosen(service, "Overview", since, until, environment, {"route": route})
    return render(
        request,
        "telemetry/service.html",
        blocks=await _blocks(request).of_service(request, service),
        **await page.context(db),
        **found,
        span=span,
        rate=found["total"].per_second(found["length"]) if found["length"] else None,
        charts=f"/api/v1/telemetry/charts/{quote(service, safe='')}",
        route=route,
    )
