"""Schedules for calendar programs, which can't sign in: the secret in the address says who asks."""

# Annotations are kept as objects for FastAPI.
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Path, Query
from sqlalchemy.orm import Session
from starlette.responses import Response

from watchkeeper.kernel.errors import NotFound
from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.kernel.web.access import Actor, public
from watchkeeper.kernel.web.parts import part
from watchkeeper.kernel.web.wire import page_router
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.oncall import feed, store
from watchkeeper.modules.oncall.calendar_links import reader
from watchkeeper.modules.oncall.definition import Schedule
from watchkeeper.modules.oncall.errors import CalendarLinkNotFound
from watchkeeper.modules.oncall.feed import Shown
from watchkeeper.modules.oncall.model import Roster
from watchkeeper.modules.oncall.routes import Db, Now

router = page_router()
Caller = Annotated[Actor | None, public("calendar programs send no cookie: the secret in the address is the proof")]
Token = Annotated[str | None, Query(max_length=300)]
Server = Annotated[ServerSettings, part(ServerSettings)]


@router.get("/oncall/me.ics")
async def mine(who: Caller, db: Db, clock: Now, server: Server, token: Token = None) -> Response:
    """Everything that the link's person is on call for."""
    at = clock.now()

    def read(session: Session) -> bytes:
        person = _require(session, token)
        found: list[Shown] = []
        for one in store.all_of(session, Schedule):
            found += feed.shown(one.id, _roster(session, one), at, only=person)
        names = identity.names(session, {person})
        return feed.calendar(f"{names[person]} on call", found, names, at, _host(server))

    return _answer(await db.ask(read))


@router.get("/oncall/schedules/{schedule_id}.ics")
async def schedule(
    who: Caller,
    db: Db,
    clock: Now,
    server: Server,
    schedule_id: Annotated[str, Path(min_length=1, max_length=63)],
    token: Token = None,
) -> Response:
    """One schedule, by its id or name."""
    at = clock.now()

    def read(session: Session) -> bytes:
        _require(session, token)
        stored = store.schedule_by_id(session, schedule_id) or store.by_name(session, Schedule, schedule_id)
        if stored is None:
            raise _no()
        found = feed.shown(stored.id, _roster(session, stored), at)
        ids = {who for one in found for who in (one.span.who, *one.span.duty.also) if who is not None}
        title = f"On call: {stored.content.title or stored.name}"
        return feed.calendar(title, found, identity.names(session, ids), at, _host(server))

    return _answer(await db.ask(read))


def _roster(session: Session, one: store.Stored[Schedule]) -> Roster:
    return Roster(one.content, tuple(kept.meaning for kept in store.kept_overrides(session, schedule_id=one.id)))


def _require(session: Session, token: str | None) -> str:
    person = reader(session, token)
    if person is None:
        raise _no()
    return person


def _no() -> NotFound:
    # The same for a wrong secret as for a schedule that is not there: nothing can be found out by asking.
    return CalendarLinkNotFound("There is no such calendar.")


def _host(server: ServerSettings) -> str:
    return (urlsplit(server.base_url).hostname if server.base_url else None) or "watchkeeper"


def _answer(body: bytes) -> Response:
    return Response(body, media_type="text/calendar; charset=utf-8", headers={"Cache-Control": "private, no-cache"})
