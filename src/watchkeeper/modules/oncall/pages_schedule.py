"""The page of one schedule: now, the next 14 days, overrides and swaps, and what its author should know."""

# Annotations are kept as objects for FastAPI.
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Form, Request
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Complaint, Refusal
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.oncall import reading, store
from watchkeeper.modules.oncall.definition import Schedule
from watchkeeper.modules.oncall.errors import NotYourShift, OverrideInvalid, SwapInvalid
from watchkeeper.modules.oncall.local_time import instant_of
from watchkeeper.modules.oncall.model import Cover, Roster, Span, merged, spans
from watchkeeper.modules.oncall.pages import IdInPath, sections
from watchkeeper.modules.oncall.people import people_in
from watchkeeper.modules.oncall.permissions import CHANGE_ONCALL, TAKE_SHIFTS
from watchkeeper.modules.oncall.reading import OnCallNow
from watchkeeper.modules.oncall.routes import Db, NameInPath, Now, Viewer, names_in
from watchkeeper.modules.oncall.routes_shifts import Responder
from watchkeeper.modules.oncall.service import Definitions, advice
from watchkeeper.modules.oncall.shifts import Shifts, Stretch
from watchkeeper.modules.oncall.store import KeptOverride, Stored
from watchkeeper.modules.oncall.words import clock_of

router = page_router()
_DAYS = 14
_COLOURS = 6
_MIDNIGHT = clock_of("00:00")


@dataclass(frozen=True)
class Piece:
    """A part of a day's bar, in thousandths of the day."""

    x: int
    width: int
    look: str
    title: str


@dataclass(frozen=True)
class Day:
    """One local day of a preview."""

    label: str
    pieces: tuple[Piece, ...]
    who: tuple[str, ...]
    gap: bool
    double: bool


@dataclass(frozen=True)
class About:
    """Everything that the page shows."""

    stored: Stored[Schedule]
    now: OnCallNow
    days: list[Day]
    spans: list[Span]
    overrides: list[KeptOverride]
    advice: list[str]
    names: dict[str, str]
    staff: list[tuple[str, str]]


def days_of(roster: Roster, at: datetime, names: dict[str, str]) -> list[Day]:
    """The 14 days from this one on, each from its midnight to the next: 23, 24 or 25 hours."""
    order = {who: number % _COLOURS for number, who in enumerate(people_in(roster.schedule))}
    first = at.astimezone(roster.zone).date()
    found = []
    for number in range(_DAYS):
        day = first + timedelta(days=number)
        since, until = (instant_of(one, _MIDNIGHT, roster.zone) for one in (day, day + timedelta(days=1)))
        if since >= until:
            continue  # a day that never was
        parts = merged(spans(roster, since, until))
        found.append(
            Day(
                label=f"{day:%a} {day.day} {day:%b}",
                pieces=tuple(_piece(one, since, until, order, names, roster.zone) for one in parts),
                who=tuple(dict.fromkeys(_called(one, names) for one in parts)),
                gap=any(one.duty.cover is Cover.GAP for one in parts),
                double=any(one.duty.also for one in parts),
            )
        )
    return found


def _piece(
    one: Span, since: datetime, until: datetime, order: dict[str, int], names: dict[str, str], zone: ZoneInfo
) -> Piece:
    begins, width = ((edge / (until - since) * 1000) for edge in (one.since - since, one.length))
    look = {Cover.GAP: "gap", Cover.DECLARED_GAP: "declared"}.get(one.duty.cover, f"p{order.get(one.who or '', 0)}")
    hours = " to ".join(edge.astimezone(zone).strftime("%H:%M") for edge in (one.since, one.until))
    also = f", double cover with {', '.join(names.get(who, who) for who in one.duty.also)}" if one.duty.also else ""
    return Piece(round(begins), max(1, round(width)), look, f"{hours} {_called(one, names)}{also}")


def _called(one: Span, names: dict[str, str]) -> str:
    if one.who is not None:
        return names.get(one.who, one.who)
    return "nobody, as declared" if one.duty.cover is Cover.DECLARED_GAP else "nobody"


def _about(session: Session, clock: Clock, name: str) -> About:
    stored = Definitions(session, clock).schedule(name)
    at = clock.now().replace(microsecond=0)
    until = at + timedelta(days=_DAYS + 1)
    kept = store.kept_overrides(session, schedule_id=stored.id, since=at - timedelta(days=1))
    roster = Roster(stored.content, tuple(one.meaning for one in kept))
    found = merged(spans(roster, at, until))
    ahead = [one for one in kept if one.until > at]
    now = reading.now_of(roster, at)
    names = names_in(session, [*found, now.span, *([now.next] if now.next else [])])
    involved = {*people_in(stored.content), *(who for one in kept for who in (one.who, one.instead_of) if who)}
    names |= identity.names(session, involved)
    staff = [(one.id, one.name) for one in identity.staff(session) if one.active and one.responds]
    said = advice(session, stored.content, clock)
    return About(stored, now, days_of(roster, at, names), found, ahead, said, names, staff)


@router.get("/oncall/schedules/{name}")
async def schedule(who: Viewer, request: Request, name: NameInPath, db: Db, clock: Now) -> Response:
    """One schedule."""
    return await _page(request, who, db, clock, name)


async def _page(
    request: Request, who: Actor, db: Database, clock: Clock, name: str, refusal: Refusal | None = None
) -> Response:
    found = await db.ask(lambda session: _about(session, clock, name))
    zone = ZoneInfo(found.stored.content.time_zone)
    start = clock.now().astimezone(zone).replace(second=0, microsecond=0, tzinfo=None)
    return render(
        request,
        "oncall/schedule.html",
        status=refusal.status if refusal else 200,
        tabs=sections(""),
        found=found,
        schedule=found.stored.content,
        names=found.names,
        refusal=refusal,
        may_change=who.may(CHANGE_ONCALL),
        may_take=who.may(TAKE_SHIFTS) and who.kind == "person",
        me=who.id,
        since=start.isoformat("T", "minutes"),
        until=(start + timedelta(hours=12)).isoformat("T", "minutes"),
    )


class OverrideForm(PageForm):
    """Times are local ones of the schedule's zone."""

    who: str = Field(default="", max_length=40)
    instead_of: str = Field(default="", max_length=40)
    since: str = Field(max_length=20)
    until: str = Field(max_length=20)
    reason: str = Field(default="", max_length=500)


class SwapForm(PageForm):
    """Times are local ones of the schedule's zone; without the second pair nothing is asked in return."""

    other: str = Field(max_length=40)
    gives_since: str = Field(max_length=20)
    gives_until: str = Field(max_length=20)
    takes_since: str = Field(default="", max_length=20)
    takes_until: str = Field(default="", max_length=20)
    reason: str = Field(default="", max_length=500)


@router.post("/oncall/schedules/{name}/overrides")
async def override(
    who: Responder, request: Request, name: NameInPath, form: Annotated[OverrideForm, Form()], db: Db, clock: Now
) -> Response:
    """Take over, or let somebody stand in."""

    def write(session: Session) -> None:
        zone = ZoneInfo(Definitions(session, clock).schedule(name).content.time_zone)
        Shifts(session, clock, "console").override(
            name,
            who=form.who or who.id,
            instead_of=form.instead_of or None,
            stretch=Stretch(local(form.since, zone, "since"), local(form.until, zone, "until")),
            reason=form.reason,
            by=who,
        )

    return await _done(request, who, db, clock, name, write)


@router.post("/oncall/overrides/{override_id}/end")
async def end_override(
    who: Responder, override_id: IdInPath, form: Annotated[PageForm, Form()], db: Db, clock: Now
) -> Response:
    """End an override, or take it back."""

    def write(session: Session) -> str:
        found = store.override(session, override_id)
        Shifts(session, clock, "console").end_override(override_id, by=who)
        stored = store.schedule_by_id(session, found.schedule_id) if found is not None else None
        return f"/oncall/schedules/{stored.name}" if stored is not None else "/oncall"

    return RedirectResponse(await db.write(write), status_code=303)


@router.post("/oncall/schedules/{name}/swaps")
async def swap(
    who: Responder, request: Request, name: NameInPath, form: Annotated[SwapForm, Form()], db: Db, clock: Now
) -> Response:
    """Ask somebody for a swap."""

    def write(session: Session) -> None:
        zone = ZoneInfo(Definitions(session, clock).schedule(name).content.time_zone)
        takes = None
        if form.takes_since or form.takes_until:
            takes = Stretch(local(form.takes_since, zone, "takes"), local(form.takes_until, zone, "takes"))
        gives = Stretch(local(form.gives_since, zone, "gives"), local(form.gives_until, zone, "gives"))
        verbs = Shifts(session, clock, "console")
        verbs.ask_swap(name, other=form.other, gives=gives, takes=takes, reason=form.reason, by=who)

    return await _done(request, who, db, clock, name, write)


async def _done(
    request: Request, who: Actor, db: Database, clock: Clock, name: str, write: Callable[[Session], None]
) -> Response:
    try:
        await db.write(write)
    except (OverrideInvalid, SwapInvalid, NotYourShift) as refusal:
        return await _page(request, who, db, clock, name, refusal)
    return RedirectResponse(f"/oncall/schedules/{name}", status_code=303)


def local(said: str, zone: ZoneInfo, where: str) -> datetime:
    """What a field for a local date and time says, as an instant. Raises OverrideInvalid."""
    try:
        found = datetime.fromisoformat(said)
        if not 1970 < found.year < 2999:
            raise ValueError(said)
    except ValueError:
        complaint = Complaint(where, "a date and a time, such as 2026-12-24T18:00")
        raise OverrideInvalid("The time is not valid.", complaints=[complaint]) from None
    return (found if found.tzinfo is not None else found.replace(tzinfo=zone)).astimezone(UTC).replace(microsecond=0)
