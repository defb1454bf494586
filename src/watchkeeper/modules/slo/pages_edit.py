"""Forms that define, change and delete an SLO."""

# Annotations are kept as objects for FastAPI.
from typing import Annotated

from fastapi import Form, Query, Request
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Complaint, Conflict, Invalid, Refusal
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.catalog import public as catalog
from watchkeeper.modules.slo import checks
from watchkeeper.modules.slo.definition import Definition
from watchkeeper.modules.slo.errors import SloInvalid
from watchkeeper.modules.slo.pages_form import KINDS, WINDOWS, SloForm, definition_of, errors_of, fits_fields
from watchkeeper.modules.slo.pages_slo import in_yaml
from watchkeeper.modules.slo.pages_words import address
from watchkeeper.modules.slo.routes import Changer, Db, NameInPath, Now, require_own
from watchkeeper.modules.slo.service import Slos
from watchkeeper.modules.slo.store import Stored

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


class WhyForm(PageForm):
    """A reason."""

    reason: str = Field(default="", max_length=500)


@router.get("/slos/new")
async def new(who: Changer, request: Request, db: Db, service: Annotated[str, Query(max_length=200)] = "") -> Response:
    """An empty form."""
    return await _form_page(request, db, SloForm(service=service, text=EXAMPLE), None)


@router.post("/slos/new")
async def define(who: Changer, request: Request, form: Annotated[SloForm, Form()], db: Db, clock: Now) -> Response:
    """Define an SLO, or say at the fields why not."""
    try:
        made = await db.write(lambda session: _put(session, clock, who, form, None))
    except (Invalid, Conflict) as refusal:
        return await _form_page(request, db, form, None, refusal)
    return RedirectResponse(address(made.name), status_code=303)


@router.get("/slos/{name}/edit")
async def edit(who: Changer, request: Request, name: NameInPath, db: Db, clock: Now) -> Response:
    """The form, filled in with what is there."""
    stored = await db.ask(lambda session: Slos(session, clock).slo(name))
    form = SloForm.of(stored.definition, stored.version, in_yaml(stored.definition))
    return await _form_page(request, db, form, stored)


@router.post("/slos/{name}/edit")
async def change(
    who: Changer, request: Request, name: NameInPath, form: Annotated[SloForm, Form()], db: Db, clock: Now
) -> Response:
    """Change an SLO, unless somebody else did since the form was opened."""
    before = await db.ask(lambda session: Slos(session, clock).slo(name))
    try:
        made = await db.write(lambda session: _put(session, clock, who, form, before))
    except (Invalid, Conflict) as refusal:
        return await _form_page(request, db, form, before, refusal)
    return RedirectResponse(address(made.name), status_code=303)


@router.post("/slos/{name}/delete")
async def delete(who: Changer, name: NameInPath, form: Annotated[WhyForm, Form()], db: Db, clock: Now) -> Response:
    """Delete an SLO, with the reason."""

    def write(session: Session) -> None:
        slos = Slos(session, clock)
        require_own(session, who, slos.slo(name).definition.service)
        if not form.reason:
            raise SloInvalid("Nothing was deleted.", complaints=[Complaint("reason", "a reason")])
        slos.remove(name, by=who.id, source="console", reason=form.reason)

    await db.write(write)
    return RedirectResponse("/slos", status_code=303)


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
    request: Request, db: Database, form: SloForm, before: Stored | None, refusal: Refusal | None = None
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
        warnings=_warnings(form, before),
    )


def _warnings(form: SloForm, before: Stored | None) -> list[str]:
    """What is allowed, and probably not meant; said while one can still change it."""
    try:
        definition: Definition = definition_of(form, before.definition if before is not None else None)
    except SloInvalid:
        return []
    return checks.warnings_about(definition)
