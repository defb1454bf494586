"""Pages of what is left out of budgets, and of what is given back to them."""

# Annotations are kept as objects for FastAPI.
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, get_args

from fastapi import Form, Query, Request
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Complaint, Conflict, Invalid, NotFound, Refusal
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.wire import page_router
from watchkeeper.modules.catalog import public as catalog
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.slo import pages_words as say
from watchkeeper.modules.slo import store
from watchkeeper.modules.slo.definition import ExclusionKind
from watchkeeper.modules.slo.errors import OwnAdjustment, RecordInvalid
from watchkeeper.modules.slo.model import Adjustment, Exclusion
from watchkeeper.modules.slo.pages import sections
from watchkeeper.modules.slo.pages_form import WhyForm, reason_of
from watchkeeper.modules.slo.permissions import CHANGE_SLOS, DECIDE_ADJUSTMENTS, RECORD_EXCLUSIONS
from watchkeeper.modules.slo.records import Records
from watchkeeper.modules.slo.routes import Db, Now, Viewer, require_own
from watchkeeper.modules.slo.routes_records import Decider, Proposer, Responder
from watchkeeper.modules.slo.service import Slos

router = page_router()
_SHOWN = timedelta(days=400)
_MOST = 200


class ExclusionForm(WhyForm):
    """A stretch whose events do not count."""

    kind: str = Field(default="maintenance", max_length=30)
    service: str = Field(default="", max_length=300)
    slos: str = Field(default="", max_length=10_000)
    since: str = Field(default="", max_length=40)
    until: str = Field(default="", max_length=40)


class AdjustmentForm(WhyForm):
    """Bad events that are to be given back."""

    slo: str = Field(default="", max_length=63)
    objective: str = Field(default="", max_length=63)
    events: str = Field(default="", max_length=30)
    at: str = Field(default="", max_length=40)
    incident: str = Field(default="", max_length=64)


@router.get("/slos/exclusions")
async def exclusions(
    who: Viewer, request: Request, db: Db, clock: Now, service: Annotated[str, Query(max_length=200)] = ""
) -> Response:
    """What was left out, and the form that records more."""
    return await _exclusions_page(request, who, db, clock, ExclusionForm(service=service))


@router.post("/slos/exclusions")
async def exclude(
    who: Responder, request: Request, form: Annotated[ExclusionForm, Form()], db: Db, clock: Now
) -> Response:
    """Record a stretch whose events do not count."""

    def write(session: Session) -> None:
        now = clock.now()
        slos = tuple(form.slos.replace(",", " ").split())
        kind, since = _kind(form.kind), instant(form.since, "since") or now
        until, reason = instant(form.until, "until"), reason_of(form)
        require_own(session, who, form.service or None)
        for name in slos:
            require_own(session, who, Slos(session, clock).slo(name).definition.service)
        Records(session, clock).exclude(
            kind,
            service=form.service or None,
            slos=slos,
            since=since,
            until=until,
            reason=reason,
            by=who.id,
            source="console",
        )

    try:
        await db.write(write)
    except (Invalid, NotFound) as refusal:
        return await _exclusions_page(request, who, db, clock, form, refusal)
    return RedirectResponse("/slos/exclusions", status_code=303)


@router.post("/slos/exclusions/{exclusion_id}/end")
async def end_exclusion(who: Responder, request: Request, exclusion_id: str, db: Db, clock: Now) -> Response:
    """End one that runs: events count again from now on."""

    def write(session: Session) -> None:
        _require_own_exclusion(session, clock, who, exclusion_id)
        Records(session, clock).end_exclusion(exclusion_id, by=who.id, source="console")

    return await _exclusions_after(request, who, db, clock, write)


@router.post("/slos/exclusions/{exclusion_id}/withdraw")
async def withdraw_exclusion(
    who: Responder, request: Request, exclusion_id: str, form: Annotated[WhyForm, Form()], db: Db, clock: Now
) -> Response:
    """Let its events count after all."""

    def write(session: Session) -> None:
        _require_own_exclusion(session, clock, who, exclusion_id)
        Records(session, clock).withdraw_exclusion(exclusion_id, reason=reason_of(form), by=who.id, source="console")

    return await _exclusions_after(request, who, db, clock, write)


@router.get("/slos/adjustments")
async def adjustments(
    who: Viewer,
    request: Request,
    db: Db,
    clock: Now,
    slo: Annotated[str, Query(max_length=63)] = "",
    objective: Annotated[str, Query(max_length=63)] = "",
) -> Response:
    """What waits for a second person, what was decided, and the form that proposes more."""
    return await _adjustments_page(request, who, db, AdjustmentForm(slo=slo, objective=objective))


@router.post("/slos/adjustments")
async def propose(
    who: Proposer, request: Request, form: Annotated[AdjustmentForm, Form()], db: Db, clock: Now
) -> Response:
    """Ask for bad events to be given back; a second person decides."""

    def write(session: Session) -> None:
        stored = Slos(session, clock).slo(form.slo)
        require_own(session, who, stored.definition.service)
        Records(session, clock).propose_adjustment(
            form.slo,
            form.objective or stored.definition.objectives[0].name,
            events=_number(form.events),
            at=instant(form.at, "at") or clock.now(),
            reason=reason_of(form),
            incident=form.incident or None,
            by=who.id,
            source="console",
        )

    try:
        await db.write(write)
    except (Invalid, NotFound) as refusal:
        return await _adjustments_page(request, who, db, form, refusal)
    return RedirectResponse("/slos/adjustments", status_code=303)


@router.post("/slos/adjustments/{adjustment_id}/approve")
async def approve(who: Decider, request: Request, adjustment_id: str, db: Db, clock: Now) -> Response:
    """Give the events back; not by whoever proposed it."""
    return await _decide(request, who, db, clock, adjustment_id, "approved")


@router.post("/slos/adjustments/{adjustment_id}/reject")
async def reject(who: Decider, request: Request, adjustment_id: str, db: Db, clock: Now) -> Response:
    """Say no."""
    return await _decide(request, who, db, clock, adjustment_id, "rejected")


def instant(text: str, where: str) -> datetime | None:
    """Of a field; without a zone it is UTC. Raises RecordInvalid."""
    if not text.strip():
        return None
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        complaint = Complaint(where, "a date and a time such as 2026-11-30T09:00")
        raise RecordInvalid("The time can't be read.", complaints=[complaint]) from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


async def _decide(
    request: Request,
    who: Actor,
    db: Database,
    clock: Clock,
    adjustment_id: str,
    decision: Literal["approved", "rejected"],
) -> Response:
    def write(session: Session) -> None:
        kept = store.adjustment(session, adjustment_id)
        stored = store.by_name(session, kept.slo) if kept is not None else None
        require_own(session, who, stored.definition.service if stored is not None else None)
        Records(session, clock).decide_adjustment(adjustment_id, decision, by=who.id, source="console")

    try:
        await db.write(write)
    except (Conflict, OwnAdjustment) as refusal:
        return await _adjustments_page(request, who, db, AdjustmentForm(), refusal)
    return RedirectResponse("/slos/adjustments", status_code=303)


def _require_own_exclusion(session: Session, clock: Clock, who: Actor, exclusion_id: str) -> None:
    kept = store.exclusion(session, exclusion_id)
    if kept is None:
        return
    require_own(session, who, kept.service)
    for name in kept.slos:
        stored = store.by_name(session, name)
        require_own(session, who, stored.definition.service if stored is not None else None)


async def _exclusions_after(
    request: Request, who: Actor, db: Database, clock: Clock, write: Callable[[Session], None]
) -> Response:
    try:
        await db.write(write)
    except (Invalid, Conflict) as refusal:
        return await _exclusions_page(request, who, db, clock, ExclusionForm(), refusal)
    return RedirectResponse("/slos/exclusions", status_code=303)


async def _exclusions_page(
    request: Request, who: Actor, db: Database, clock: Clock, form: ExclusionForm, refusal: Refusal | None = None
) -> Response:
    now = clock.now()

    def read(session: Session) -> tuple[list[Exclusion], dict[str, str], list[str]]:
        found = store.all_exclusions(session, since=now - _SHOWN)[:_MOST]
        names = identity.names(session, {one.created_by for one in found})
        return found, names, [one.name for one in catalog.services(session)]

    found, names, services = await db.ask(read)
    return render(
        request,
        "slo/exclusions.html",
        status=refusal.status if refusal else 200,
        tabs=sections("Exclusions"),
        found=[(one, _state(one, now)) for one in found],
        names=names,
        services=services,
        kinds=tuple(say.EXCLUSION_WORDS.items()),
        words=say.EXCLUSION_WORDS,
        form=form,
        refusal=refusal,
        errors=_errors(refusal),
        may_record=who.may(RECORD_EXCLUSIONS),
    )


async def _adjustments_page(
    request: Request, who: Actor, db: Database, form: AdjustmentForm, refusal: Refusal | None = None
) -> Response:
    def read(session: Session) -> tuple[list[Adjustment], dict[str, str], list[str]]:
        found = store.all_adjustments(session)[:_MOST]
        people = {by for one in found for by in (one.proposed_by, one.decided_by) if by}
        return found, identity.names(session, people), [one.name for one in store.all_definitions(session)]

    found, names, slos = await db.ask(read)
    return render(
        request,
        "slo/adjustments.html",
        status=refusal.status if refusal else 200,
        tabs=sections("Adjustments"),
        waiting=[one for one in found if one.state == "waiting"],
        decided=[one for one in found if one.state != "waiting"],
        names=names,
        slos=slos,
        form=form,
        refusal=refusal,
        errors=_errors(refusal),
        say=say,
        who=who,
        may_propose=who.may(CHANGE_SLOS),
        may_decide=who.may(DECIDE_ADJUSTMENTS),
    )


def _state(one: Exclusion, now: datetime) -> str:
    if one.withdrawn_at is not None:
        return "withdrawn"
    if one.since > now:
        return "planned"
    return "runs" if one.until is None or one.until > now else "over"


def _errors(refusal: Refusal | None) -> dict[str, Any]:
    return {one.where: one.expected for one in refusal.complaints} if refusal is not None else {}


def _kind(text: str) -> ExclusionKind:
    for kind in get_args(ExclusionKind):
        if text == kind:
            found: ExclusionKind = kind
            return found
    raise RecordInvalid("The exclusion is not valid.", complaints=[Complaint("kind", "one of those that are listed")])


def _number(text: str) -> float:
    try:
        return float(text.replace(",", "").strip())
    except ValueError:
        complaint = Complaint("events", "a number of bad events above 0")
        raise RecordInvalid("The adjustment is not valid.", complaints=[complaint]) from None
