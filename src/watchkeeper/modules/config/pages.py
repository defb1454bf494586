"""Pages of runtime configuration: the list with its CSV, the environments, and what wants clearing up."""

# Annotations are kept as objects for FastAPI.
from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from watchkeeper.kernel.web.csv_table import csv_response
from watchkeeper.kernel.web.pages import NavItem, render
from watchkeeper.kernel.web.wire import page_router
from watchkeeper.modules.config import store
from watchkeeper.modules.config.pages_list import LAYERS, SHOW, SORT, Listing, Wanted, as_csv, listing
from watchkeeper.modules.config.pages_own import as_they_are
from watchkeeper.modules.config.pages_shared import InAddress, Place, place
from watchkeeper.modules.config.permissions import CHANGE_CONFIG, VIEW_CONFIG
from watchkeeper.modules.config.routes import Db, Now, Settings, Viewer
from watchkeeper.modules.config.stale import stale
from watchkeeper.modules.identity import public as identity

router = page_router()
NAV = (NavItem("Configuration", "/config", "settings", order=30, permission=VIEW_CONFIG, key="c"),)
WHY_STALE = {
    "expired": ("danger", "expired"),
    "settled": ("info", "settled"),
    "unasked": ("warning", "nobody asks"),
    "deprecated": ("warning", "deprecated, still read"),
}


def _wanted(
    q: Annotated[str, Query(max_length=200)] = "",
    group: Annotated[str, Query(max_length=200)] = "",
    show: Annotated[str, Query(max_length=20)] = "",
    sort: Annotated[str, Query(max_length=20)] = "",
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> Wanted:
    return Wanted(q.strip(), group, show, sort, page)


Filter = Annotated[Wanted, Depends(_wanted)]


@router.get("/config")
async def parameters(
    who: Viewer, request: Request, db: Db, clock: Now, settings: Settings, wanted: Filter, environment: InAddress = ""
) -> Response:
    """Every parameter with its value in one environment."""

    def read(session: Session) -> tuple[Place, Listing, dict[str, str]]:
        here = place(session, clock, environment or settings.default_environment)
        found = listing(session, here.name, wanted, now=clock.now())
        return here, found, identity.names(session, {row.last.by for row in found.rows if row.last})

    here, found, names = await db.ask(read)
    found = replace(found, rows=tuple(as_they_are(request, who, found.rows)))
    return render(
        request,
        "config/parameters.html",
        place=here,
        listing=found,
        wanted=wanted,
        names=names,
        show=SHOW,
        sort=SORT,
        layers=LAYERS,
        may_change=who.may(CHANGE_CONFIG),
    )


@router.get("/config.csv")
async def parameters_csv(
    who: Viewer, db: Db, clock: Now, settings: Settings, wanted: Filter, environment: InAddress = ""
) -> Response:
    """The list as CSV, all of its pages."""

    def read(session: Session) -> tuple[str, str]:
        here = place(session, clock, environment or settings.default_environment)
        found = listing(session, here.name, wanted, now=clock.now(), most=None)
        names = identity.names(session, {row.last.by for row in found.rows if row.last})
        return here.name, as_csv(found.rows, names)

    name, text = await db.ask(read)
    return csv_response(f"config-{name}.csv", text)


@router.get("/config/stale")
async def to_clear_up(
    who: Viewer, request: Request, db: Db, clock: Now, settings: Settings, environment: InAddress = ""
) -> Response:
    """Flags that are done or expired, deprecated parameters that are still read."""

    def read(session: Session) -> tuple[Place, list[tuple[object, object]]]:
        here = place(session, clock, environment or settings.default_environment)
        found = stale(session, now=clock.now())
        known = store.parameters_of(session, [one.key for one in found])
        return here, [(one, known.get(one.key)) for one in found]

    here, found = await db.ask(read)
    return render(request, "config/stale.html", place=here, found=found, words=WHY_STALE)
