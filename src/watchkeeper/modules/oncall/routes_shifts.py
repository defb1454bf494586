"""The API of standing in: overrides, swaps, links for calendars, and calendars that are read."""

# Annotations are kept as objects for FastAPI.
from datetime import timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from fastapi import Path, Query
from sqlalchemy.orm import Session
from starlette.responses import Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.idempotency import Answer, Once, once
from watchkeeper.kernel.web.parts import part
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.oncall import calendar_import, store
from watchkeeper.modules.oncall.calendar_links import CalendarLinks
from watchkeeper.modules.oncall.definition import Schedule
from watchkeeper.modules.oncall.people import Addresses
from watchkeeper.modules.oncall.permissions import TAKE_SHIFTS, USE_CALENDAR_LINKS
from watchkeeper.modules.oncall.routes import Changer, Db, NameInPath, Now, Viewer, require_own
from watchkeeper.modules.oncall.service import Definitions
from watchkeeper.modules.oncall.shifts import Shifts, Stretch
from watchkeeper.modules.oncall.wire import (
    CalendarImportOrder,
    CalendarImportView,
    CalendarLinkList,
    CalendarLinkMade,
    CalendarLinkOrder,
    CalendarLinkView,
    ImportedShiftView,
    OverrideList,
    OverrideOrder,
    OverrideView,
    PersonView,
    SwapList,
    SwapOrder,
    SwapView,
)

router = api_router("oncall", prefix="/api/v1/oncall")
Responder = Annotated[Actor, requires(TAKE_SHIFTS)]
LinkUser = Annotated[Actor, requires(USE_CALENDAR_LINKS)]
IdInPath = Annotated[str, Path(min_length=1, max_length=40)]
_IMPORTED = timedelta(days=90)


@router.get("/schedules/{name}/overrides")
async def list_overrides(who: Viewer, name: NameInPath, db: Db, clock: Now) -> OverrideList:
    """Overrides that are not over."""

    def read(session: Session) -> OverrideList:
        stored = Definitions(session, clock).schedule(name)
        found = store.kept_overrides(session, schedule_id=stored.id, since=clock.now())
        names = identity.names(session, {one for kept in found for one in (kept.who, kept.instead_of) if one})
        return OverrideList(items=[OverrideView.of(one, name, names) for one in found])

    return await db.ask(read)


@router.post("/schedules/{name}/overrides", status_code=201, response_model=OverrideView)
async def make_override(
    who: Responder, name: NameInPath, order: OverrideOrder, db: Db, clock: Now, once: Annotated[Once, once()]
) -> Response:
    """Stand in for others, or let somebody stand in. A responder may do the first, an operator both."""

    def make(session: Session) -> Answer:
        addresses = Addresses.read(session)
        made = Shifts(session, clock, "api").override(
            name,
            who=addresses.id_of(order.who) if order.who is not None else who.id,
            instead_of=addresses.id_of(order.instead_of) if order.instead_of is not None else None,
            stretch=Stretch(order.since, order.until),
            reason=order.reason,
            by=who,
        )
        names = identity.names(session, {one for one in (made.who, made.instead_of) if one})
        return Answer(OverrideView.of(made, name, names).model_dump(mode="json"))

    answer = await db.write(lambda session: once.run(session, lambda: make(session)))
    return answer.response()


@router.delete("/overrides/{override_id}", status_code=204)
async def end_override(who: Responder, override_id: IdInPath, db: Db, clock: Now) -> None:
    """Take an override back, or end it now if it has begun."""
    await db.write(lambda session: Shifts(session, clock, "api").end_override(override_id, by=who))


@router.get("/swaps")
async def list_swaps(
    who: Viewer,
    db: Db,
    clock: Now,
    state: Annotated[Literal["asked", "accepted", "declined", "withdrawn"] | None, Query()] = None,
) -> SwapList:
    """The newest swaps."""

    def read(session: Session) -> SwapList:
        schedules = {one.id: one.name for one in store.all_of(session, Schedule)}
        found = [one for one in store.all_swaps(session, state=state) if one.schedule_id in schedules]
        names = identity.names(session, {one for swap in found for one in (swap.asker, swap.other)})
        return SwapList(items=[SwapView.of(one, schedules[one.schedule_id], names) for one in found])

    return await db.ask(read)


@router.post("/schedules/{name}/swaps", status_code=201, response_model=SwapView)
async def ask_swap(
    who: Responder, name: NameInPath, order: SwapOrder, db: Db, clock: Now, once: Annotated[Once, once()]
) -> Response:
    """Ask somebody to take a stretch of yours; nothing changes until they accept."""

    def make(session: Session) -> Answer:
        made = Shifts(session, clock, "api").ask_swap(
            name,
            other=Addresses.read(session).id_of(order.other),
            gives=Stretch(order.gives.since, order.gives.until),
            takes=Stretch(order.takes.since, order.takes.until) if order.takes is not None else None,
            reason=order.reason,
            by=who,
        )
        names = identity.names(session, {made.asker, made.other})
        return Answer(SwapView.of(made, name, names).model_dump(mode="json"))

    answer = await db.write(lambda session: once.run(session, lambda: make(session)))
    return answer.response()


@router.post("/swaps/{swap_id}/accept", response_model=SwapView)
async def accept_swap(who: Responder, swap_id: IdInPath, db: Db, clock: Now) -> SwapView:
    """The asked one agrees: both overrides are made."""
    return await db.write(lambda session: _decide(session, clock, swap_id, who, accept=True))


@router.post("/swaps/{swap_id}/decline", response_model=SwapView)
async def decline_swap(who: Responder, swap_id: IdInPath, db: Db, clock: Now) -> SwapView:
    """The asked one says no, or the asker takes the question back."""
    return await db.write(lambda session: _decide(session, clock, swap_id, who, accept=False))


def _decide(session: Session, clock: Clock, swap_id: str, who: Actor, *, accept: bool) -> SwapView:
    verbs = Shifts(session, clock, "api")
    swap = verbs.accept_swap(swap_id, by=who) if accept else verbs.decline_swap(swap_id, by=who)
    stored = store.schedule_by_id(session, swap.schedule_id)
    name = stored.name if stored is not None else swap.schedule_id
    return SwapView.of(swap, name, identity.names(session, {swap.asker, swap.other}))


# --- calendars ---


@router.get("/calendar-links")
async def list_links(who: LinkUser, db: Db, clock: Now) -> CalendarLinkList:
    """Your links that work; their secrets are kept nowhere."""
    found = await db.ask(lambda session: store.links_of(session, who.id))
    return CalendarLinkList(items=[CalendarLinkView.of(one) for one in found])


@router.post("/calendar-links", status_code=201, response_model=CalendarLinkMade)
async def make_link(
    who: LinkUser,
    order: CalendarLinkOrder,
    db: Db,
    clock: Now,
    server: Annotated[ServerSettings, part(ServerSettings)],
    once: Annotated[Once, once()],
) -> Response:
    """Make a link by which a calendar program reads schedules in your name. People only."""

    def make(session: Session) -> Answer:
        made, secret = CalendarLinks(session, clock, "api").make(order.name, by=who)
        view = CalendarLinkView.of(made).model_dump(mode="json")
        address = f"{server.base_url or ''}/oncall/me.ics?token={secret}"
        return Answer({**view, "secret": secret, "address": address}, replay={**view, "secret": None, "address": None})

    answer = await db.write(lambda session: once.run(session, lambda: make(session)))
    return answer.response()


@router.delete("/calendar-links/{link_id}", status_code=204)
async def revoke_link(who: LinkUser, link_id: IdInPath, db: Db, clock: Now) -> None:
    """From now on the link reads nothing. One's own, or anybody's for an admin."""
    await db.write(lambda session: CalendarLinks(session, clock, "api").revoke(link_id, by=who))


@router.post("/schedules/{name}/import-calendar")
async def import_calendar(
    who: Changer, name: NameInPath, order: CalendarImportOrder, db: Db, clock: Now
) -> CalendarImportView:
    """Make overrides, or a temporary schedule, of a calendar's events: their attendee or summary says who."""
    since = order.since or clock.now().replace(microsecond=0)
    until = order.until or since + _IMPORTED
    before = await db.ask(lambda session: Definitions(session, clock).schedule(name))
    events = await calendar_import.read_apart(order.calendar, since, until, ZoneInfo(before.content.time_zone))

    def write(session: Session) -> CalendarImportView:
        stored = Definitions(session, clock).schedule(name, lock=not order.dry_run)
        require_own(session, who, stored.content)
        shifts, not_read = calendar_import.assigned(session, events)
        made = 0
        if not order.dry_run:
            made = calendar_import.make(session, clock, stored, shifts, as_temporary=order.as_temporary, by=who)
        names = identity.names(session, {one.who for one in shifts})
        views = [
            ImportedShiftView(who=PersonView(id=one.who, name=names[one.who]), since=one.since, until=one.until)
            for one in shifts
        ]
        return CalendarImportView(made=made, shifts=views, not_read=not_read)

    return await (db.ask(write) if order.dry_run else db.write(write))
