"""Forms that define, change and delete an SLO."""

# Annotations are kept as objects for FastAPI.
import contextlib
from typing import Annotated

from fastapi import Form, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Complaint, Conflict, Invalid, Refusal
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.parts import parts_of
from watchkeeper.kernel.web.wire import page_router
from watchkeeper.modules.catalog import public as catalog
from watchkeeper.modules.slo import suggest
from watchkeeper.modules.slo.errors import SloInvalid
from watchkeeper.modules.slo.pages_form import (
    KINDS,
    WINDOWS,
    SloForm,
    WhyForm,
    definition_of,
    errors_of,
    fits_fields,
    reason_of,
)
from watchkeeper.modules.slo.pages_preview import ERRORS, Preview, measured_lately, preview_of
from watchkeeper.modules.slo.pages_told import in_yaml
from watchkeeper.modules.slo.pages_words import address
from watchkeeper.modules.slo.permissions import CHANGE_SLOS
from watchkeeper.modules.slo.routes import Changer, Db, NameInPath, Now, Viewer, require_own
from watchkeeper.modules.slo.service import Slos
from watchkeeper.modules.slo.store import Stored
from watchkeeper.modules.slo.suggest import Measured, Suggestion
from watchkeeper.modules.telemetry.public import QueryTooSlow, Telemetry
from watchkeeper_client.rules import duration_text

router = page_router()
# What stands at these addresses is no SLO.
TAKEN = frozenset({"new", "dashboard", "tv", "exclusions", "adjustments", "policies", "data-sources", "reports"})
EXAMPLE = """\
name: checkout-latency
service: gateway
indicator:
  kind: latency
  service: gateway
  routes: [/checkout]
objectives:
  - {name: quick, target: 0.95, threshold: 300ms}
  - {name: bearable, target: 0.999, threshold: 2s}
window: {rolling: 30d}
"""


@router.get("/slos/new")
async def new(
    who: Viewer,
    request: Request,
    db: Db,
    clock: Now,
    service: Annotated[str, Query(max_length=200)] = "",
    take: Annotated[str, Query(max_length=63, description="One of the suggestions for the service.")] = "",
) -> Response:
    """An empty form, or one that is filled in with what the service's last weeks would have met."""
    found = await _suggestions(request, clock, service) if service else []
    taken = next((one.definition for one in found or () if one.definition.name == take), None)
    form = SloForm(service=service, text=EXAMPLE) if taken is None else SloForm.of(taken, 0, in_yaml(taken))
    return await _form_page(request, db, who, form, None, suggested=found)


@router.post("/slos/new")
async def define(who: Changer, request: Request, form: Annotated[SloForm, Form()], db: Db, clock: Now) -> Response:
    """Define an SLO, show what it would be, or say at the fields why it can't be."""
    try:
        made = await _write_or_look(db, clock, who, form, None)
    except (Invalid, Conflict) as refusal:
        return await _form_page(request, db, who, form, None, refusal)
    if form.look:
        return await _form_page(request, db, who, form, None, preview=await _preview(request, clock, made, None))
    return RedirectResponse(address(made.name), status_code=303)


@router.get("/slos/{name}/edit")
async def edit(who: Viewer, request: Request, name: NameInPath, db: Db, clock: Now) -> Response:
    """The form, filled in with what is there."""
    stored = await db.ask(lambda session: Slos(session, clock).slo(name))
    form = SloForm.of(stored.definition, stored.version, in_yaml(stored.definition))
    return await _form_page(request, db, who, form, stored)


@router.post("/slos/{name}/edit")
async def change(
    who: Changer, request: Request, name: NameInPath, form: Annotated[SloForm, Form()], db: Db, clock: Now
) -> Response:
    """Change an SLO, unless somebody else did since the form was opened; or show what would change."""
    before = await db.ask(lambda session: Slos(session, clock).slo(name))
    try:
        made = await _write_or_look(db, clock, who, form, before)
    except (Invalid, Conflict) as refusal:
        return await _form_page(request, db, who, form, before, refusal)
    if form.look:
        return await _form_page(request, db, who, form, before, preview=await _preview(request, clock, made, before))
    return RedirectResponse(address(made.name), status_code=303)


@router.post("/slos/{name}/delete")
async def delete(who: Changer, name: NameInPath, form: Annotated[WhyForm, Form()], db: Db, clock: Now) -> Response:
    """Delete an SLO, with the reason."""

    def write(session: Session) -> None:
        slos = Slos(session, clock)
        require_own(session, who, slos.slo(name).definition.service)
        slos.remove(name, by=who.id, source="console", reason=reason_of(form))

    await db.write(write)
    return RedirectResponse("/slos", status_code=303)


class _Seen(Exception):
    """Carries what would be stored out of the transaction, which keeps nothing of it."""

    def __init__(self, stored: Stored) -> None:
        super().__init__()
        self.stored = stored


async def _write_or_look(db: Database, clock: Clock, who: Actor, form: SloForm, before: Stored | None) -> Stored:
    """Raises what the verb raises, also when it is only looked at."""

    def write(session: Session) -> Stored:
        made = _put(session, clock, who, form, before)
        if form.look:
            raise _Seen(made)
        return made

    try:
        return await db.write(write)
    except _Seen as seen:
        return seen.stored


async def _suggestions(request: Request, clock: Clock, service: str) -> list[Suggestion] | None:
    """None where the telemetry took too long to say."""
    telemetry = parts_of(request).find(Telemetry)
    if telemetry is None:
        return []
    try:
        return await telemetry.run(lambda store: suggest.suggest(store, service, clock.now()))
    except QueryTooSlow:
        return None


async def _preview(request: Request, clock: Clock, made: Stored, before: Stored | None) -> Preview:
    telemetry = parts_of(request).find(Telemetry)
    lately: dict[str, Measured] = {}
    if telemetry is not None:
        # Without the last weeks the rest of it can still be looked at.
        with contextlib.suppress(QueryTooSlow):
            lately = await telemetry.run(lambda store: measured_lately(store, made.definition, clock.now()))
    return preview_of(made.definition, lately, before.definition if before is not None else None)


def _put(session: Session, clock: Clock, who: Actor, form: SloForm, before: Stored | None) -> Stored:
    definition = definition_of(form, before.definition if before is not None else None)
    if before is None and definition.name in TAKEN:
        taken = Complaint("name", f"another name: {address(definition.name)} is a page of its own")
        raise SloInvalid("The SLO is not valid.", complaints=[taken])
    if before is not None and definition.name != before.name:
        kept = Complaint("name", f"{before.name}: an SLO keeps its name")
        raise SloInvalid("The SLO is not valid.", complaints=[kept])
    require_own(session, who, definition.service)
    if before is not None:
        require_own(session, who, before.definition.service)
    return Slos(session, clock).put(
        definition,
        by=who.id,
        source="console",
        if_version=form.version if before is not None else None,
        only_new=before is None,
    )


async def _form_page(
    request: Request,
    db: Database,
    who: Actor,
    form: SloForm,
    before: Stored | None,
    refusal: Refusal | None = None,
    *,
    preview: Preview | None = None,
    suggested: list[Suggestion] | None = None,
) -> Response:
    services = await db.ask(lambda session: [one.name for one in catalog.services(session)])
    windows = WINDOWS if form.window in dict(WINDOWS) else (*WINDOWS, (form.window, form.window))
    return render(
        request,
        "slo/edit.html",
        status=refusal.status if refusal else 200,
        form=form,
        before=before,
        refusal=refusal,
        errors=errors_of(refusal.complaints) if refusal and form.way == "fields" else {},
        only_text=before is not None and not fits_fields(before.definition),
        services=services,
        kinds=KINDS,
        windows=windows,
        preview=preview,
        share_names=[name for name, _ in ERRORS],
        suggested=suggested,
        may_change=who.may(CHANGE_SLOS),
        duration_text=duration_text,
        is_empty=before is None and refusal is None and preview is None,
    )
