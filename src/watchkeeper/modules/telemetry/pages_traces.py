"""Pages of traces and logs."""

# Annotations are kept as objects for FastAPI.
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Path, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.paging import Cursor
from watchkeeper.kernel.web.parts import database_part
from watchkeeper.kernel.web.wire import page_router
from watchkeeper.modules.catalog.public import service_tabs, services
from watchkeeper.modules.telemetry.model import SECOND
from watchkeeper.modules.telemetry.params import SEVERITIES, AtNow, Logs, Moment, Severity, Span, Store, Traces
from watchkeeper.modules.telemetry.permissions import VIEW_TELEMETRY
from watchkeeper.modules.telemetry.routes import Near, logs_page, requests_page, whole_trace

router = page_router()
Viewer = Annotated[Actor, requires(VIEW_TELEMETRY)]
Db = Annotated[Database, database_part()]
_PAGE = 50
# Senders collect spans for some seconds, each service for itself.
_STILL_ARRIVING = 15 * SECOND


@router.get("/traces")
async def traces(
    who: Viewer,
    request: Request,
    store: Store,
    db: Db,
    span: Span,
    wanted: Traces,
    since: Moment = None,
    cursor: Cursor = None,
) -> Response:
    """Requests of a service, or the roots of all traces."""
    rows, following = await requests_page(store, span, wanted, _PAGE, cursor)
    names = await db.ask(lambda session: [one.name for one in services(session)])
    asked = {key: value for key, value in request.query_params.items() if key != "cursor" and value}
    return render(
        request,
        "telemetry/traces.html",
        rows=rows,
        following=following,
        wanted=wanted,
        since=since or "1h",
        asked=asked,
        services=names,
        here=f"/traces?{urlencode(asked)}",
        longest=max((row.duration for row in rows), default=1) or 1,
        tab_items=service_tabs(wanted.service, "Traces") if wanted.service else [],
    )


@router.get("/traces/{trace_id}")
async def trace(
    who: Viewer,
    request: Request,
    store: Store,
    trace_id: Annotated[str, Path(pattern="^[0-9a-f]{32}$")],
    at: AtNow,
    near: Near = None,
) -> Response:
    """One trace as a waterfall, with the log lines written during it."""
    found, lines = await whole_trace(store, trace_id, at.now, near)
    tones = {name: f"series-{number % 6 + 1}" for number, name in enumerate(found.services)}
    # Thousands of spans take half a second to write, in which the loop has others to answer.
    return await run_in_threadpool(
        render,
        request,
        "telemetry/trace.html",
        trace=found,
        tones=tones,
        lines=lines,
        ticks=[found.duration * quarter // 4 for quarter in range(5)],
        failed=sum(span.failed for span in found.spans),
        fresh=at.now - found.started - found.duration < _STILL_ARRIVING,
    )


@router.get("/logs")
async def logs(
    who: Viewer,
    request: Request,
    store: Store,
    db: Db,
    span: Span,
    wanted: Logs,
    since: Moment = None,
    severity: Severity = None,
    cursor: Cursor = None,
) -> Response:
    """Log lines, newest first."""
    rows, following = await logs_page(store, span, wanted, _PAGE, cursor)
    names = await db.ask(lambda session: [one.name for one in services(session)])
    asked = {key: value for key, value in request.query_params.items() if key != "cursor" and value}
    return render(
        request,
        "telemetry/logs.html",
        rows=rows,
        following=following,
        wanted=wanted,
        severity=severity,
        severities=list(SEVERITIES),
        since=since or "1h",
        asked=asked,
        services=names,
        here=f"/logs?{urlencode(asked)}",
        histogram=f"/api/v1/telemetry/logs/histogram?{urlencode({'since': '1h', **asked})}",
        without={key: _without(asked, f"attr.{key}") for key in wanted.attributes},
        without_trace=_without(asked, "trace_id"),
        tab_items=service_tabs(wanted.service, "Logs") if wanted.service else [],
    )


def _without(asked: dict[str, str], key: str) -> str:
    return "/logs?" + urlencode({name: value for name, value in asked.items() if name != key})
