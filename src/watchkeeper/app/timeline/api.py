"""The timeline as API and as live stream."""

# Annotations are kept as objects for FastAPI.
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated

from fastapi import Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from watchkeeper.app.timeline.filters import Wanted
from watchkeeper.app.timeline.marks import fact_of
from watchkeeper.app.timeline.tail import Tail, Told, read_told
from watchkeeper.app.timeline.views import FactView
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.journal import FactFilter
from watchkeeper.kernel.web.access import Actor, Permission, Scope, requires
from watchkeeper.kernel.web.paging import DEFAULT_LIMIT, Cursor, Limit, Page, decode_cursor, page_of
from watchkeeper.kernel.web.parts import clock_part, database_part, part
from watchkeeper.kernel.web.sse import ServerSentEvent, event_stream, last_event_id
from watchkeeper.kernel.web.wire import api_router

VIEW_TIMELINE = Permission("timeline.view", Scope.READ)
# A stream ends after a while and the client comes back with Last-Event-ID: by then it may have been signed out.
STREAM_SECONDS = 300.0
BEGINNING = "beginning"  # a Last-Event-ID that is before every fact
router = api_router("timeline")

Viewer = Annotated[Actor, requires(VIEW_TIMELINE)]
Db = Annotated[Database, database_part()]
Now = Annotated[Clock, clock_part()]
TheTail = Annotated[Tail, part(Tail)]


@router.get("/timeline")
async def timeline(
    who: Viewer, db: Db, wanted: Wanted, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[FactView]:
    """What happened, newest first."""
    page = await db.ask(lambda session: read_page(session, wanted, limit, cursor))
    return Page[FactView](items=[FactView.of(told) for told in page.items], next=page.next)


@router.get("/timeline/stream", response_class=Response, responses={200: {"content": {"text/event-stream": {}}}})
async def stream(who: Viewer, request: Request, db: Db, wanted: Wanted, tail: TheTail) -> Response:
    """What happens from now on as server-sent events, each a fact in JSON; with Last-Event-ID, from that fact on."""
    after = await resume_after(request, db, tail)

    async def events() -> AsyncIterator[ServerSentEvent]:
        async for told in tail.follow(wanted, after, seconds=STREAM_SECONDS):
            view = FactView.of(told)
            yield ServerSentEvent(view.model_dump_json(), id=view.id)

    return event_stream(request, events())


@router.get("/timeline/{fact_id}")
async def show_fact(who: Viewer, db: Db, fact_id: str) -> FactView:
    """One fact."""
    return FactView.of(await read_one(db, fact_id))


def read_page(session: Session, wanted: FactFilter, limit: int, cursor: str | None) -> Page[Told]:
    """One page of facts, newest first. Raises BadCursor."""
    before = decode_cursor(cursor, int) if cursor else None
    found = read_told(session, replace(wanted, before_seq=before), limit=limit + 1, newest_first=True)
    return page_of(found, limit, lambda told: told.fact.seq)


async def read_one(db: Database, fact_id: str) -> Told:
    """Raises FactNotFound."""

    def read(session: Session) -> Told:
        seq = fact_of(session, fact_id).seq
        return read_told(session, FactFilter(after_seq=seq - 1), limit=1, newest_first=False)[0]

    return await db.ask(read)


async def resume_after(request: Request, db: Database, tail: Tail) -> int:
    """The seq after which a stream goes on: that of Last-Event-ID, else the newest. Raises FactNotFound."""
    resumed = last_event_id(request)
    if not resumed:
        return await tail.head()
    if resumed == BEGINNING:
        return 0
    return await db.ask(lambda session: fact_of(session, resumed).seq)
