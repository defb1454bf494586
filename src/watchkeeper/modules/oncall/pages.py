"""On call now, for a phone at night first: who, until when, who is next; swaps that wait; links for calendars."""

# Annotations are kept as objects for FastAPI.
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Form, Path, Request
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import NavItem, render
from watchkeeper.kernel.web.parts import part
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.oncall import reading, store
from watchkeeper.modules.oncall.calendar_links import CalendarLinks
from watchkeeper.modules.oncall.definition import Schedule
from watchkeeper.modules.oncall.paging.mine import Paged, my_open
from watchkeeper.modules.oncall.permissions import CHANGE_ONCALL, TAKE_SHIFTS, VIEW_ONCALL
from watchkeeper.modules.oncall.reading import OnCallNow
from watchkeeper.modules.oncall.routes import Db, Now, Viewer, names_in
from watchkeeper.modules.oncall.routes_shifts import LinkUser, Responder
from watchkeeper.modules.oncall.shifts import Shifts
from watchkeeper.modules.oncall.store import Swap

router = page_router()
NAV = (NavItem("On call", "/oncall", "phone", order=15, permission=VIEW_ONCALL, key="n"),)
SECTIONS = (
    ("On call now", "/oncall"),
    ("Pages", "/oncall/pages"),
    ("Policies", "/oncall/policies"),
    ("Calendars", "/oncall/calendars"),
)
IdInPath = Annotated[str, Path(min_length=1, max_length=40)]


def sections(current: str) -> list[tuple[str, str, bool]]:
    """The tabs of all pages of on-call."""
    return [(label, href, label == current) for label, href in SECTIONS]


@dataclass(frozen=True)
class _Home:
    items: list[OnCallNow]
    names: dict[str, str]
    swaps: list[tuple[Swap, str]]
    paged: list[Paged]

    @property
    def worst_first(self) -> list[OnCallNow]:
        """Gaps that nobody declared stand at the top."""
        return sorted(self.items, key=lambda one: (one.span.duty.cover.value != "gap", one.schedule.name))


def _home(session: Session, who: Actor, at: datetime) -> _Home:
    items = reading.now(session, at)
    schedules = {one.id: one.name for one in store.all_of(session, Schedule)}
    swaps = [
        (one, schedules[one.schedule_id])
        for one in store.all_swaps(session, state="asked")
        if who.id in (one.asker, one.other) and one.schedule_id in schedules
    ]
    names = names_in(session, [span for one in items for span in (one.span, one.next) if span is not None])
    names |= identity.names(session, {one for swap, _ in swaps for one in (swap.asker, swap.other)})
    return _Home(items, names, swaps, my_open(session, who.id))


@router.get("/oncall")
async def on_call_now(who: Viewer, request: Request, db: Db, clock: Now) -> Response:
    """Who is on call now."""
    at = clock.now().replace(microsecond=0)
    found = await db.ask(lambda session: _home(session, who, at))
    return render(
        request,
        "oncall/now.html",
        tabs=sections("On call now"),
        found=found,
        names=found.names,
        mine=[one for one in found.items if one.span.who == who.id],
        may_change=who.may(CHANGE_ONCALL),
        may_take=who.may(TAKE_SHIFTS),
    )


@router.post("/oncall/swaps/{swap_id}/accept")
async def accept(who: Responder, swap_id: IdInPath, form: Annotated[PageForm, Form()], db: Db, clock: Now) -> Response:
    """Agree to a swap."""
    await db.write(lambda session: Shifts(session, clock, "console").accept_swap(swap_id, by=who))
    return RedirectResponse("/oncall", status_code=303)


@router.post("/oncall/swaps/{swap_id}/decline")
async def decline(who: Responder, swap_id: IdInPath, form: Annotated[PageForm, Form()], db: Db, clock: Now) -> Response:
    """Decline a swap, or take the question back."""
    await db.write(lambda session: Shifts(session, clock, "console").decline_swap(swap_id, by=who))
    return RedirectResponse("/oncall", status_code=303)


# --- calendars ---


class LinkForm(PageForm):
    """Where a link is used."""

    name: str = Field(min_length=1, max_length=100)


@router.get("/oncall/calendars")
async def calendars(who: LinkUser, request: Request, db: Db, clock: Now) -> Response:
    """One's links, and how to make one."""
    return await _calendars(who, request, db, clock, None)


@router.post("/oncall/calendars")
async def make_link(
    who: LinkUser,
    request: Request,
    form: Annotated[LinkForm, Form()],
    db: Db,
    clock: Now,
    server: Annotated[ServerSettings, part(ServerSettings)],
) -> Response:
    """Make a link and show its secret, this once."""
    _, secret = await db.write(lambda session: CalendarLinks(session, clock, "console").make(form.name, by=who))
    base = server.base_url or f"{request.url.scheme}://{request.url.netloc}"
    return await _calendars(who, request, db, clock, f"{base}/oncall/me.ics?token={secret}")


@router.post("/oncall/calendars/{link_id}/revoke")
async def revoke(who: LinkUser, link_id: IdInPath, form: Annotated[PageForm, Form()], db: Db, clock: Now) -> Response:
    """Revoke a link."""
    await db.write(lambda session: CalendarLinks(session, clock, "console").revoke(link_id, by=who))
    return RedirectResponse("/oncall/calendars", status_code=303)


async def _calendars(who: LinkUser, request: Request, db: Db, clock: Clock, made: str | None) -> Response:
    links, schedules = await db.ask(
        lambda session: (store.links_of(session, who.id), [one.content for one in store.all_of(session, Schedule)])
    )
    return render(
        request,
        "oncall/calendars.html",
        tabs=sections("Calendars"),
        links=links,
        made=made,
        token=made.partition("?")[2] if made else "",
        base=made.partition("/oncall/")[0] if made else "",
        schedules=schedules,
        is_person=who.kind == "person",
    )
