"""The page of measures."""

# Annotations are kept as objects for FastAPI.
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query, Request
from starlette.responses import Response

from watchkeeper.kernel.clock import rfc3339
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.wire import page_router
from watchkeeper.modules.incidents.measures import FORMULA
from watchkeeper.modules.incidents.pages import sections
from watchkeeper.modules.incidents.routes import Db, Now, TheIncidenting, Viewer
from watchkeeper.modules.incidents.routes_measures import read
from watchkeeper.modules.incidents.words import SEVERITY_KINDS

router = page_router()
_DAYS = (30, 90, 365)


@router.get("/incidents/measures")
async def measures(
    who: Viewer,
    request: Request,
    db: Db,
    clock: Now,
    incidenting: TheIncidenting,
    days: Annotated[int, Query(ge=1, le=1_000)] = 90,
) -> Response:
    """How incidents went: by severity, by service, month by month and week by week."""
    until = clock.now()
    since = until - timedelta(days=days)
    found = await db.ask(lambda session: read(session, incidenting, since, until))
    asked = urlencode({"since": rfc3339(since), "until": rfc3339(until)})
    return render(
        request,
        "incidents/measures.html",
        tabs=sections("Measures"),
        found=found,
        days=days,
        choices=_DAYS,
        csv=f"/api/v1/incidents/measures.csv?{asked}",
        formula=FORMULA,
        kinds=SEVERITY_KINDS,
        # Newest first: what it is now comes before what it was. Weeks without an incident are in the picture alone.
        weeks=[one for one in reversed(found.weeks) if one.incidents],
        counts=[float(one.incidents) for one in found.weeks],
        resolve=[one.resolve.median.total_seconds() if one.resolve.median is not None else None for one in found.weeks],
    )
