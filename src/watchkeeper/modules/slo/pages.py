"""Pages of all objectives: the list worst first, the dashboard for whoever is on call, the screen on the wall."""

# Annotations are kept as objects for FastAPI.
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from watchkeeper.kernel.web.csv_table import csv_response
from watchkeeper.kernel.web.pages import NavItem, render
from watchkeeper.kernel.web.wire import page_router
from watchkeeper.modules.slo import reading, store
from watchkeeper.modules.slo.model import Figures, Status
from watchkeeper.modules.slo.pages_board import Board, board
from watchkeeper.modules.slo.pages_csv import as_csv
from watchkeeper.modules.slo.pages_words import EXCLUSION_WORDS, STATUS, Row, title
from watchkeeper.modules.slo.permissions import CHANGE_SLOS, VIEW_SLOS
from watchkeeper.modules.slo.routes import Db, Now, TheEngine, Viewer

router = page_router()
NAV = (NavItem("Objectives", "/slos", "chart", order=25, permission=VIEW_SLOS, key="o"),)
SECTIONS = (
    ("Objectives", "/slos"),
    ("On call", "/slos/dashboard"),
    ("Exclusions", "/slos/exclusions"),
    ("Adjustments", "/slos/adjustments"),
    ("Policies", "/slos/policies"),
    ("Data sources", "/slos/data-sources"),
    ("Reports", "/slos/reports"),
)
_ON_A_PAGE = 100
_OLD = timedelta(minutes=2)  # the engine looks every 15 s


@dataclass(frozen=True)
class Wanted:
    """Which objectives somebody wants to see."""

    q: str = ""
    service: str = ""
    status: str = ""
    sort: str = ""
    all: str = ""

    def fits(self, one: Figures) -> bool:
        """Names and services are searched, whatever their case."""
        if self.service and one.definition.service != self.service:
            return False
        if self.status and one.status.value != self.status:
            return False
        said = one.definition
        text = f"{said.name} {said.display_name} {one.objective.name} {said.service} {' '.join(said.tags)}".casefold()
        return all(word in text for word in self.q.casefold().split())

    def query(self, **changes: str) -> str:
        """The same question with something else, as it stands in an address."""
        said = {**vars(self), **changes}
        return urlencode({name: value for name, value in said.items() if value})

    def sorted(self, found: Sequence[Figures]) -> list[Figures]:
        """`found`, which is worst first, in the order that is wanted."""
        key = _KEYS.get(self.sort)
        return list(found) if key is None else sorted(found, key=key)


SORTS = {"": "worst first", "burn": "fastest burn", "left": "least budget left", "name": "name", "service": "service"}
_KEYS: Mapping[str, Callable[[Figures], Any]] = {
    "burn": lambda one: -one.burn,
    # What counted nothing has no budget to be short of.
    "left": lambda one: (one.counts.total <= 0, one.budget.remaining - one.budget.overspent),
    "name": lambda one: title(one.definition, one.objective).casefold(),
    "service": lambda one: (one.definition.service, title(one.definition, one.objective).casefold()),
}


@dataclass(frozen=True)
class Listing:
    """One page of the list; `counts` are of all that fit but for their status."""

    rows: tuple[Row, ...]
    fitting: int
    all: int
    counts: tuple[tuple[Status, int], ...]
    services: tuple[str, ...]
    page: int
    pages: int


def listing(found: Sequence[Figures], wanted: Wanted, page: int = 1, on_a_page: int = _ON_A_PAGE) -> Listing:
    """What of `found`, which is worst first, the page shows."""
    of_any_status = [one for one in found if Wanted(wanted.q, wanted.service).fits(one)]
    fitting = wanted.sorted([one for one in of_any_status if wanted.status in ("", one.status.value)])
    on_a_page = max(1, len(fitting)) if wanted.all else on_a_page
    counted = Counter(one.status for one in of_any_status)
    pages = max(1, -(-len(fitting) // on_a_page))
    page = min(page, pages)
    shown = fitting[(page - 1) * on_a_page : page * on_a_page]
    return Listing(
        rows=tuple(Row.of(one) for one in shown),
        fitting=len(fitting),
        all=len(found),
        counts=tuple((status, counted[status]) for status in STATUS if counted[status]),
        services=tuple(sorted({one.definition.service for one in found})),
        page=page,
        pages=pages,
    )


def _wanted(
    q: Annotated[str, Query(max_length=200)] = "",
    service: Annotated[str, Query(max_length=200)] = "",
    status: Annotated[str, Query(max_length=20)] = "",
    sort: Annotated[str, Query(max_length=20)] = "",
    everything: Annotated[str, Query(alias="all", max_length=3)] = "",
) -> Wanted:
    return Wanted(q.strip(), service, status, sort if sort in SORTS else "", "yes" if everything else "")


Asked = Annotated[Wanted, Depends(_wanted)]


@router.get("/slos.csv")
async def slos_csv(who: Viewer, db: Db, clock: Now, engine: TheEngine, wanted: Asked) -> Response:
    """The list as CSV: numbers as they are computed, not as pages round them."""
    found = await db.ask(lambda session: reading.all_figures(session, engine, clock.now()))
    return csv_response("slos.csv", as_csv(one for one in wanted.sorted(found) if wanted.fits(one)))


@router.get("/slos")
async def slos(
    who: Viewer,
    request: Request,
    db: Db,
    clock: Now,
    engine: TheEngine,
    wanted: Asked,
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> Response:
    """Every objective, worst first."""
    found = await db.ask(lambda session: reading.all_figures(session, engine, clock.now()))
    return render(
        request,
        "slo/list.html",
        tabs=sections("Objectives"),
        wanted=wanted,
        listing=listing(found, wanted, page),
        words=STATUS,
        sorts=SORTS,
        looked_at=engine.looked_at,
        is_old=is_old(engine.looked_at, clock.now()),
        may_change=who.may(CHANGE_SLOS),
    )


@router.get("/slos/dashboard")
async def dashboard(who: Viewer, request: Request, db: Db, clock: Now, engine: TheEngine) -> Response:
    """What needs attention now, for a phone in the night."""
    return await _board(request, db, clock.now(), engine, "slo/dashboard.html")


@router.get("/slos/tv")
async def tv(who: Viewer, request: Request, db: Db, clock: Now, engine: TheEngine) -> Response:
    """The same for a screen on the wall."""
    return await _board(request, db, clock.now(), engine, "slo/tv.html")


async def _board(request: Request, db: Db, now: datetime, engine: TheEngine, template: str) -> Response:
    def read(session: Session) -> Board:
        running = store.all_exclusions(session, since=now, until=now + timedelta(seconds=1), withdrawn=False)
        return board(session, engine, reading.all_figures(session, engine, now), running)

    return render(
        request,
        template,
        tabs=sections("On call"),
        board=await db.ask(read),
        exclusion_words=EXCLUSION_WORDS,
        looked_at=engine.looked_at,
        is_old=is_old(engine.looked_at, now),
    )


def sections(current: str) -> list[tuple[str, str, bool]]:
    """The tabs of these pages."""
    return [(label, href, label == current) for label, href in SECTIONS]


def is_old(looked_at: datetime | None, now: datetime) -> bool:
    """Whether the engine has not looked for so long that its numbers are no longer those of now."""
    return looked_at is None or now - looked_at > _OLD
