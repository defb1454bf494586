"""The timeline's page, live."""

# Annotations are kept as objects for FastAPI.
from collections.abc import AsyncIterator, Iterable
from datetime import date
from itertools import groupby
from typing import Annotated, Any

from fastapi import Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from watchkeeper.app.timeline.api import (
    BEGINNING,
    STREAM_SECONDS,
    VIEW_TIMELINE,
    Db,
    Now,
    TheTail,
    Viewer,
    read_one,
    read_page,
    resume_after,
)
from watchkeeper.app.timeline.filters import Wanted, query_of
from watchkeeper.app.timeline.marks import mark_of
from watchkeeper.app.timeline.views import FactView, icon_of
from watchkeeper.kernel import journal
from watchkeeper.kernel.journal import FactFilter, event_kinds
from watchkeeper.kernel.web.pages import NavItem, render, render_fragment
from watchkeeper.kernel.web.paging import Cursor
from watchkeeper.kernel.web.sse import ServerSentEvent, event_stream
from watchkeeper.kernel.web.wire import page_router
from watchkeeper.modules.catalog import public as catalog
from watchkeeper.modules.identity import public as identity

pages = page_router()
NAV = (NavItem("Timeline", "/timeline", "timeline", order=50, permission=VIEW_TIMELINE, key="t"),)
RANGES = (
    ("", "any time"),
    ("1h", "last hour"),
    ("6h", "last 6 h"),
    ("24h", "last day"),
    ("7d", "last 7 days"),
    ("30d", "last 30 days"),
)
_ON_A_PAGE = 60
_MACHINES = ("local", "system:telemetry", "system:worker")


@pages.get("/timeline")
async def timeline(
    who: Viewer,
    request: Request,
    db: Db,
    clock: Now,
    wanted: Wanted,
    cursor: Cursor = None,
    until: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """What happened, newest first."""
    # One snapshot: what the page shows and what the stream brings meet without a gap and without a repetition.
    newest, page, offered = await db.ask(
        lambda session: (_newest(session), read_page(session, wanted, _ON_A_PAGE, cursor), choices(session, wanted))
    )
    live = not until and cursor is None
    return render(
        request,
        "app/timeline.html",
        days=_by_day(FactView.of(told) for told in page.items),
        today=clock.now().date(),
        icon_of=icon_of,
        following=page.next,
        query=query_of(request),
        asked={name: request.query_params.get(name, "") for name in ("service", "kind", "actor", "since", "until")},
        head=newest,
        live=live,
        ranges=RANGES,
        **offered,
    )


@pages.get("/timeline/stream")
async def stream(who: Viewer, request: Request, db: Db, wanted: Wanted, tail: TheTail) -> Response:
    """The same rows as they happen, for the page."""
    after = await resume_after(request, db, tail)

    async def events() -> AsyncIterator[ServerSentEvent]:
        async for told in tail.follow(wanted, after, seconds=STREAM_SECONDS):
            view = FactView.of(told)
            yield ServerSentEvent(render_fragment(request, "app/fact.html", fact=view, icon_of=icon_of), id=view.id)

    return event_stream(request, events())


@pages.get("/timeline/{fact_id}")
async def fact(who: Viewer, request: Request, db: Db, fact_id: str) -> Response:
    """One fact, at an address that can be pasted into a chat."""
    view = FactView.of(await read_one(db, fact_id))
    return render(request, "app/timeline_fact.html", fact=view, icon_of=icon_of)


def _newest(session: Session) -> str:
    facts = journal.read_facts(session, FactFilter(), limit=1)
    return mark_of(facts[0]) if facts else BEGINNING


def choices(session: Session, wanted: FactFilter) -> dict[str, Any]:
    """What the filters offer, and what was chosen even if it is not among them."""
    people = {one.id: one.name for one in identity.people(session)}
    machines = identity.names(session, [*_MACHINES, *(one for one in wanted.actors if one not in people)])
    services = {one.name for one in catalog.services(session)} | set(wanted.services)
    kinds = sorted({*event_kinds(), *(kind for kind in wanted.kinds if not kind.endswith("."))})
    return {
        "actors": [*people.items(), *machines.items()],
        "services": sorted(services),
        "kinds": [(area, list(found)) for area, found in groupby(kinds, lambda kind: kind.partition(".")[0])],
    }


def _by_day(facts: Iterable[FactView]) -> list[tuple[date, list[FactView]]]:
    return [(day, list(found)) for day, found in groupby(facts, lambda fact: fact.at.date())]
