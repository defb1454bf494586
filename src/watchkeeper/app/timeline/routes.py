"""The timeline as API, live stream and page."""

# Annotations are kept as objects for FastAPI.
import hmac
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session
from starlette.responses import Response

from watchkeeper.app.timeline.tail import Tail
from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock, from_unix_nano
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.journal import Fact, FactFilter, describe_fact
from watchkeeper.kernel.web.access import Actor, Permission, Scope, requires
from watchkeeper.kernel.web.csrf import Csrf
from watchkeeper.kernel.web.pages import NavItem, render, render_fragment
from watchkeeper.kernel.web.paging import DEFAULT_LIMIT, BadCursor, Cursor, Limit, Page, decode_cursor, page_of
from watchkeeper.kernel.web.parts import clock_part, database_part, part
from watchkeeper.kernel.web.sse import ServerSentEvent, event_stream, last_event_id
from watchkeeper.kernel.web.wire import api_router, page_router
from watchkeeper.modules.identity.public import names
from watchkeeper.modules.telemetry.ranges import instant_of

VIEW_TIMELINE = Permission("timeline.view", Scope.READ)
router = api_router("timeline")
pages = page_router()
NAV = (NavItem("Timeline", "/timeline", "timeline", order=50, permission=VIEW_TIMELINE, key="t"),)

Viewer = Annotated[Actor, requires(VIEW_TIMELINE)]
Db = Annotated[Database, database_part()]
Now = Annotated[Clock, clock_part()]
Secret = Annotated[Csrf, part(Csrf)]
Text = Annotated[str, Query(max_length=300)]
Moment = Annotated[str, Query(max_length=40, description="RFC 3339, or a time back from now such as 6h.")]
_ICONS = {"catalog": "services", "identity": "user", "work": "warning", "telemetry": "chart"}
_PAGE = 60


class FactView(BaseModel):
    """Something that happened."""

    id: str = Field(description="Opaque; where a stream can be resumed.")
    at: datetime
    kind: str
    sentence: str
    service: str | None
    actor: str
    actor_name: str
    source: str
    subject_type: str | None
    subject_id: str | None
    data: dict[str, Any]
    trace_id: str | None


@dataclass(frozen=True)
class Marks:
    """Opaque ids of facts: seq is sequential, and public ids never are."""

    csrf: Csrf

    def of(self, seq: int) -> str:
        """The id of a fact: its seq, hidden under a keystream that only this installation has."""
        body = seq.to_bytes(8, "big")
        tag = self._mac(b"tag" + body)[:8]
        return (bytes(a ^ b for a, b in zip(body, self._mac(b"pad" + tag)[:8], strict=True)) + tag).hex()

    def seq(self, mark: str) -> int:
        """The seq of an id of ours. Raises BadCursor."""
        try:
            raw = bytes.fromhex(mark)
        except ValueError:
            raw = b""
        body = bytes(a ^ b for a, b in zip(raw[:8], self._mac(b"pad" + raw[8:])[:8], strict=False))
        if len(raw) != 16 or not hmac.compare_digest(self._mac(b"tag" + body)[:8], raw[8:]):
            raise BadCursor("This is no id of a fact here.")
        return int.from_bytes(body, "big")

    def _mac(self, text: bytes) -> bytes:
        return hmac.new(self.csrf.token("timeline").encode(), text, sha256).digest()


@dataclass(frozen=True)
class _Read:
    fact: Fact
    name: str


def _filter(service: str, kind: str, actor: str, since: str, until: str, clock: Clock) -> FactFilter:
    now = clock.now()
    return FactFilter(
        services=tuple(one for one in service.split(",") if one),
        kinds=tuple(one for one in kind.split(",") if one),
        actors=tuple(one for one in actor.split(",") if one),
        since=from_unix_nano(instant_of(since, now, "query.since")) if since else None,
        until=from_unix_nano(instant_of(until, now, "query.until")) if until else None,
    )


@router.get("/timeline")
async def timeline(
    who: Viewer,
    db: Db,
    clock: Now,
    csrf: Secret,
    service: Text = "",
    kind: Text = "",
    actor: Text = "",
    since: Moment = "",
    until: Moment = "",
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[FactView]:
    """What happened, newest first. `kind` ending in a dot is a prefix; several values are separated by commas."""
    wanted = _filter(service, kind, actor, since, until, clock)
    page = await _page(db, wanted, limit, cursor, Marks(csrf))
    views = [_view(one.fact, one.name, Marks(csrf)) for one in page.items]
    return Page[FactView](items=views, next=page.next)


@router.get("/timeline/stream")
async def stream(
    who: Viewer,
    request: Request,
    db: Db,
    clock: Now,
    csrf: Secret,
    tail: Annotated[Tail, part(Tail)],
    service: Text = "",
    kind: Text = "",
    actor: Text = "",
    as_html: Annotated[bool, Query(alias="html", description="Rendered rows for the console instead of JSON.")] = False,
) -> Response:
    """What happens from now on, or since Last-Event-ID, as server-sent events."""
    marks = Marks(csrf)
    wanted = _filter(service, kind, actor, "", "", clock)
    resumed = last_event_id(request)
    after = marks.seq(resumed) if resumed else await tail.head()

    async def events() -> AsyncIterator[ServerSentEvent]:
        async for fact in tail.follow(wanted, after):
            called = await db.ask(partial(names, ids=[fact.actor]))
            view = _view(fact, called[fact.actor], marks)
            data = _row(request, view) if as_html else view.model_dump_json()
            yield ServerSentEvent(data, id=view.id)

    return event_stream(request, events())


@pages.get("/timeline")
async def timeline_page(
    who: Viewer,
    request: Request,
    db: Db,
    clock: Now,
    csrf: Secret,
    tail: Annotated[Tail, part(Tail)],
    service: Text = "",
    kind: Text = "",
    actor: Text = "",
    since: Moment = "",
    until: Moment = "",
    cursor: Cursor = None,
) -> Response:
    """The timeline, live."""
    marks = Marks(csrf)
    head = await tail.head()
    wanted = _filter(service, kind, actor, since, until, clock)
    page = await _page(db, wanted, _PAGE, cursor, marks)
    views = [_view(one.fact, one.name, marks) for one in page.items]
    asked = {k: v for k, v in request.query_params.items() if k != "cursor" and v}
    return render(
        request,
        "app/timeline.html",
        facts=views,
        icons=_ICONS,
        following=page.next,
        asked=asked,
        kinds=sorted(journal.event_kinds()),
        head=marks.of(head),
        live=not until and cursor is None,
    )


async def _page(db: Database, wanted: FactFilter, limit: int, cursor: str | None, marks: Marks) -> Page[_Read]:
    before = marks.seq(decode_cursor(cursor, str)) if cursor else None

    def read(session: Session) -> list[_Read]:
        query = FactFilter(**{**vars(wanted), "before_seq": before})
        facts = journal.read_facts(session, query, limit=limit + 1)
        called = names(session, {fact.actor for fact in facts})
        return [_Read(fact, called[fact.actor]) for fact in facts]

    return page_of(await db.ask(read), limit, lambda one: marks.of(one.fact.seq))


def _view(fact: Fact, actor_name: str, marks: Marks) -> FactView:
    return FactView(
        id=marks.of(fact.seq),
        at=fact.at,
        kind=fact.kind,
        sentence=describe_fact(fact),
        service=fact.service,
        actor=fact.actor,
        actor_name=actor_name,
        source=fact.source,
        subject_type=fact.subject_type,
        subject_id=fact.subject_id,
        data=dict(fact.data),
        trace_id=fact.trace_id,
    )


def _row(request: Request, view: FactView) -> str:
    return render_fragment(request, "app/fact.html", fact=view, icons=_ICONS)
