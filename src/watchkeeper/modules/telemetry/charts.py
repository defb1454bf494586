"""Chart data for the console: the same numbers as the API's, in the shape that the charts draw."""

# Annotations are kept as objects for FastAPI.
from typing import Annotated

from fastapi import Path

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import from_unix_nano, to_unix_nano
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.journal import FactFilter, describe_fact
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.parts import database_part
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.telemetry import query_red
from watchkeeper.modules.telemetry.answers import RedPoint, settled_rates
from watchkeeper.modules.telemetry.model import SECOND
from watchkeeper.modules.telemetry.params import OptionalName, Span, Store
from watchkeeper.modules.telemetry.permissions import VIEW_TELEMETRY
from watchkeeper.modules.telemetry.ranges import Range
from watchkeeper.modules.telemetry.wire import Chart, ChartMark, ChartSeries, ms

router = api_router("telemetry", prefix="/api/v1/telemetry/charts")
Viewer = Annotated[Actor, requires(VIEW_TELEMETRY)]
Db = Annotated[Database, database_part()]
ServiceName = Annotated[str, Path(min_length=1, max_length=300)]
_MOST_MARKS = 20
# Discovery is no change of the service.
_NOT_MARKED = ("catalog.service_discovered", "catalog.environment_discovered")


@router.get("/{service:path}/traffic")
async def traffic(
    who: Viewer, store: Store, db: Db, service: ServiceName, span: Span, route: OptionalName = None,
    environment: OptionalName = None,
) -> Chart:  # fmt: skip
    """Requests a second."""
    step = span.step()
    points = await store.run(lambda t: query_red.series(t, service, span, step, route=route, environment=environment))
    values = [None if rate is None else round(rate, 3) for _, rate in settled_rates(points)]
    return await _chart(db, service, span, points, [ChartSeries(label="requests", values=values, unit="req/s")])


@router.get("/{service:path}/errors")
async def errors(
    who: Viewer, store: Store, db: Db, service: ServiceName, span: Span, route: OptionalName = None,
    environment: OptionalName = None,
) -> Chart:  # fmt: skip
    """Failed requests in percent of all."""
    step = span.step()
    points = await store.run(lambda t: query_red.series(t, service, span, step, route=route, environment=environment))
    failed = [None if p.red is None or not p.red.requests else 100 * p.red.errors / p.red.requests for p in points]
    refused = [
        None if p.red is None or not p.red.requests else 100 * p.red.client_errors / p.red.requests for p in points
    ]
    series = [
        ChartSeries(label="5xx and failed", values=failed, unit="%", tone="danger"),
        ChartSeries(label="4xx", values=refused, unit="%"),
    ]
    return await _chart(db, service, span, points, series)


@router.get("/{service:path}/latency")
async def latency(
    who: Viewer, store: Store, db: Db, service: ServiceName, span: Span, route: OptionalName = None,
    environment: OptionalName = None,
) -> Chart:  # fmt: skip
    """Durations in milliseconds at the 50th, 95th and 99th percentile."""
    step = span.step()
    points = await store.run(lambda t: query_red.series(t, service, span, step, route=route, environment=environment))
    series = [
        ChartSeries(
            label=f"p{share * 100:.0f}",
            values=[None if p.red is None else ms(p.red.quantile(share)) for p in points],
            unit="ms",
        )
        for share in (0.5, 0.95, 0.99)
    ]
    return await _chart(db, service, span, points, series)


async def _chart(db: Database, service: str, span: Range, points: list[RedPoint], series: list[ChartSeries]) -> Chart:
    wanted = FactFilter(services=(service,), since=from_unix_nano(span.since), until=from_unix_nano(span.until))
    facts = await db.ask(lambda session: journal.read_facts(session, wanted, limit=_MOST_MARKS))
    marks = [
        ChartMark(at=to_unix_nano(fact.at) // SECOND, label=describe_fact(fact), href=f"/timeline?service={service}")
        for fact in facts
        if fact.kind not in _NOT_MARKED
    ]
    return Chart(times=[point.time // SECOND for point in points], series=series, marks=marks)
