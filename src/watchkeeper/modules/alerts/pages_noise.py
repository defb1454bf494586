"""Pages of silences and of maintenance."""

# Annotations are kept as objects for FastAPI.
from datetime import UTC, datetime, time, timedelta
from typing import Annotated

from fastapi import Form, Query, Request
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Complaint, Conflict, Forbidden, Invalid, NotFound, Refusal
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.alerts import store_noise
from watchkeeper.modules.alerts.errors import AlertInvalid
from watchkeeper.modules.alerts.matching import Matcher, parse_matcher
from watchkeeper.modules.alerts.model import GroupState
from watchkeeper.modules.alerts.noise import weekly_of
from watchkeeper.modules.alerts.pages import ReasonForm, sections
from watchkeeper.modules.alerts.permissions import PLAN_MAINTENANCE, SILENCE_ALERTS
from watchkeeper.modules.alerts.public import Alerting
from watchkeeper.modules.alerts.quiet import DAYS, Silence, Window, words_of
from watchkeeper.modules.alerts.routes import Db, Now, TheAlerting, Viewer, require_own
from watchkeeper.modules.alerts.routes_noise import Planner, Silencer, noise_on
from watchkeeper.modules.catalog import public as catalog
from watchkeeper.modules.identity import public as identity

router = page_router()
LENGTHS = (("30", "30 minutes"), ("120", "2 hours"), ("480", "8 hours"), ("1440", "1 day"), ("10080", "1 week"))
_SHOWN_OVER = 20


class SilenceForm(PageForm):
    """Matchers, one a line, and for how long."""

    matchers: str = Field(default="", max_length=20_000)
    minutes: str = Field(default="120", max_length=6)
    ends_at: str = Field(default="", max_length=40)
    reason: str = Field(default="", max_length=500)
    look: str = Field(default="", max_length=10)


class MaintenanceForm(PageForm):
    """A window once, or every week."""

    services: str = Field(default="", max_length=20_000)
    environments: str = Field(default="", max_length=4_000)
    starts_at: str = Field(default="", max_length=40)
    ends_at: str = Field(default="", max_length=40)
    days: list[str] = Field(default_factory=list, max_length=7)
    at: str = Field(default="", max_length=5)
    time_zone: str = Field(default="UTC", max_length=64)
    minutes: str = Field(default="60", max_length=6)
    reason: str = Field(default="", max_length=500)


@router.get("/alerts/silences")
async def silences(
    who: Viewer, request: Request, db: Db, clock: Now, matchers: Annotated[str, Query(max_length=5_000)] = ""
) -> Response:
    """Those that are not over, the form for another, and the last that ended."""
    return await _silences_page(request, who, db, clock, SilenceForm(matchers=matchers))


@router.post("/alerts/silences")
async def silence(
    who: Silencer, request: Request, form: Annotated[SilenceForm, Form()], db: Db, clock: Now, alerting: TheAlerting
) -> Response:
    """Show what the matchers fit now, or save the silence."""
    try:
        if form.look:
            matchers = _matchers(form.matchers)
            found = await db.ask(lambda session: noise_on(session, clock, alerting).preview(matchers))
            return await _silences_page(request, who, db, clock, form, preview=found)
        await db.write(lambda session: _silence(session, form, who, clock, alerting))
    except Invalid as refusal:
        return await _silences_page(request, who, db, clock, form, refusal)
    return RedirectResponse("/alerts/silences", status_code=303)


@router.post("/alerts/silences/{silence_id}/end")
async def end_silence(
    who: Silencer,
    request: Request,
    silence_id: str,
    form: Annotated[ReasonForm, Form()],
    db: Db,
    clock: Now,
    alerting: TheAlerting,
) -> Response:
    """It is over now."""

    def write(session: Session) -> None:
        noise_on(session, clock, alerting).end_silence(silence_id, reason=form.reason, by=who.id, source="console")

    try:
        await db.write(write)
    except (Conflict, NotFound) as refusal:
        return await _silences_page(request, who, db, clock, SilenceForm(), refusal)
    return RedirectResponse("/alerts/silences", status_code=303)


@router.get("/alerts/maintenance")
async def maintenance(
    who: Viewer, request: Request, db: Db, clock: Now, service: Annotated[str, Query(max_length=200)] = ""
) -> Response:
    """Windows that are not over, the form for another, and the last that ended."""
    return await _maintenance_page(request, who, db, clock, MaintenanceForm(services=service))


@router.post("/alerts/maintenance")
async def plan(
    who: Planner, request: Request, form: Annotated[MaintenanceForm, Form()], db: Db, clock: Now, alerting: TheAlerting
) -> Response:
    """Plan work once or every week."""
    try:
        await db.write(lambda session: _plan(session, form, who, clock, alerting))
    except (Invalid, Forbidden) as refusal:
        return await _maintenance_page(request, who, db, clock, form, refusal)
    return RedirectResponse("/alerts/maintenance", status_code=303)


@router.post("/alerts/maintenance/{window_id}/end")
async def end_window(
    who: Planner,
    request: Request,
    window_id: str,
    form: Annotated[ReasonForm, Form()],
    db: Db,
    clock: Now,
    alerting: TheAlerting,
) -> Response:
    """It is over for good now."""

    def write(session: Session) -> None:
        noise_on(session, clock, alerting).end_window(window_id, reason=form.reason, by=who.id, source="console")

    try:
        await db.write(write)
    except (Conflict, NotFound) as refusal:
        return await _maintenance_page(request, who, db, clock, MaintenanceForm(), refusal)
    return RedirectResponse("/alerts/maintenance", status_code=303)


def _silence(session: Session, form: SilenceForm, who: Actor, clock: Clock, alerting: Alerting) -> None:
    ends = instant(form.ends_at, "ends_at") or clock.now() + timedelta(minutes=_number(form.minutes, "minutes"))
    noise_on(session, clock, alerting).silence(
        _matchers(form.matchers), ends_at=ends, reason=form.reason, by=who.id, source="console"
    )


def _plan(session: Session, form: MaintenanceForm, who: Actor, clock: Clock, alerting: Alerting) -> None:
    services, weekly = _names(form.services), None
    for service in services:
        require_own(session, who, service)
    if form.days:
        length = timedelta(minutes=_number(form.minutes, "minutes"))
        days = [DAYS.index(day) if day in DAYS else -1 for day in form.days]
        weekly = weekly_of(days, _time(form.at), form.time_zone.strip(), length)
    noise_on(session, clock, alerting).plan(
        services=services,
        environments=_names(form.environments),
        starts_at=instant(form.starts_at, "starts_at"),
        ends_at=instant(form.ends_at, "ends_at"),
        weekly=weekly,
        reason=form.reason,
        by=who.id,
        source="console",
    )


async def _silences_page(
    request: Request,
    who: Actor,
    db: Database,
    clock: Clock,
    form: SilenceForm,
    refusal: Refusal | None = None,
    preview: list[tuple[GroupState, int]] | None = None,
) -> Response:
    now = clock.now()

    def read(session: Session) -> tuple[list[Silence], list[Silence], dict[str, str]]:
        found = store_noise.silences_after(session, now)
        over = store_noise.silences_before(session, now, limit=_SHOWN_OVER)
        people = {one.created_by for one in found + over} | {one.ended_by for one in over if one.ended_by}
        return found, over, identity.names(session, people)

    found, over, names = await db.ask(read)
    return render(
        request,
        "alerts/silences.html",
        status=refusal.status if refusal else 200,
        tabs=sections("Silences"),
        found=found,
        over=over,
        names=names,
        form=form,
        refusal=refusal,
        preview=preview,
        lengths=LENGTHS,
        may_silence=who.may(SILENCE_ALERTS),
    )


async def _maintenance_page(
    request: Request, who: Actor, db: Database, clock: Clock, form: MaintenanceForm, refusal: Refusal | None = None
) -> Response:
    now = clock.now()

    def read(session: Session) -> tuple[list[Window], list[Window], dict[str, str], list[str]]:
        found = store_noise.windows_after(session, now)
        over = store_noise.windows_before(session, now, limit=_SHOWN_OVER)
        people = {one.created_by for one in found + over} | {one.ended_by for one in over if one.ended_by}
        return found, over, identity.names(session, people), [one.name for one in catalog.services(session)]

    found, over, names, services = await db.ask(read)
    return render(
        request,
        "alerts/maintenance.html",
        status=refusal.status if refusal else 200,
        tabs=sections("Maintenance"),
        found=[(one, one.next_stretch(now), words_of(one)) for one in found],
        over=[(one, words_of(one)) for one in over],
        names=names,
        services=services,
        days=DAYS,
        form=form,
        refusal=refusal,
        may_plan=who.may(PLAN_MAINTENANCE),
    )


def instant(text: str, where: str) -> datetime | None:
    """Of a field; without a zone it is UTC. Raises AlertInvalid."""
    if not text.strip():
        return None
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        complaint = Complaint(where, "a date and a time such as 2026-11-30T09:00")
        raise AlertInvalid("The time can't be read.", complaints=[complaint]) from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _matchers(text: str) -> list[Matcher]:
    return [parse_matcher(line) for line in text.splitlines() if line.strip()]


def _names(text: str) -> list[str]:
    return list(dict.fromkeys(text.replace(",", " ").split()))


def _number(text: str, where: str) -> int:
    if not text.strip().isdecimal():
        raise AlertInvalid("That is no number.", complaints=[Complaint(where, "a number of minutes")])
    return int(text)


def _time(text: str) -> time:
    try:
        return time.fromisoformat(text.strip())
    except ValueError:
        raise AlertInvalid("The time can't be read.", complaints=[Complaint("at", "such as 03:00")]) from None
