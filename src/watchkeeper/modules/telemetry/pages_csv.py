"""Tables of telemetry's pages as CSV."""

# Annotations are kept as objects for FastAPI.
from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import Path
from starlette.responses import Response

from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.csv_table import csv_response, csv_text
from watchkeeper.kernel.web.wire import page_router
from watchkeeper.modules.telemetry import query_red
from watchkeeper.modules.telemetry.answers import RouteRed
from watchkeeper.modules.telemetry.params import OptionalName, RecentSpan, Store
from watchkeeper.modules.telemetry.permissions import VIEW_TELEMETRY
from watchkeeper.modules.telemetry.wire import ms

router = page_router()
_COLUMNS = ("method", "route", "requests", "requests per second", "failed", "refused", "p50 ms", "p95 ms", "p99 ms",
            "total ms")  # fmt: skip


@router.get("/services/{service:path}/routes.csv")
async def routes_csv(
    who: Annotated[Actor, requires(VIEW_TELEMETRY)],
    store: Store,
    service: Annotated[str, Path(min_length=1, max_length=300)],
    span: RecentSpan,
    environment: OptionalName = None,
) -> Response:
    """Every route of a service, failing ones first."""
    found = await store.run(lambda t: query_red.routes(t, service, span, environment=environment or None))
    return csv_response("routes.csv", csv_of(found))


def csv_of(routes: Iterable[RouteRed]) -> str:
    """One row a route."""
    return csv_text(_COLUMNS, (_row(one) for one in routes))


def _row(one: RouteRed) -> list[Any]:
    red = one.red
    numbers = [red.requests, round(one.rate, 4), red.errors, red.client_errors]
    percentiles = [ms(red.quantile(share)) for share in (0.5, 0.95, 0.99)]
    return [one.method, one.route, *numbers, *percentiles, ms(red.duration_sum)]
