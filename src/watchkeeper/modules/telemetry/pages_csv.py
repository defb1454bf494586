"""Tables of telemetry's pages as CSV."""

# Annotations are kept as objects for FastAPI.
import csv
import io
from collections.abc import Iterable
from typing import Annotated

from fastapi import Path
from starlette.responses import Response

from watchkeeper.kernel.web.access import Actor, requires
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
    headers = {"Content-Disposition": 'attachment; filename="routes.csv"', "Cache-Control": "no-store"}
    return Response(csv_of(found), headers=headers, media_type="text/csv; charset=utf-8")


def csv_of(routes: Iterable[RouteRed]) -> str:
    """One row a route; no cell starts a formula when a spreadsheet opens it."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for one in routes:
        red = one.red
        numbers = [red.requests, round(one.rate, 4), red.errors, red.client_errors]
        percentiles = [ms(red.quantile(share)) for share in (0.5, 0.95, 0.99)]
        writer.writerow([_cell(one.method), _cell(one.route), *numbers, *percentiles, ms(red.duration_sum)])
    return text.getvalue()


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
