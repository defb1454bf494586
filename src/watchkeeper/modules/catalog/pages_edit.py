"""What forms of the catalog's pages do."""

# Annotations are kept as objects for FastAPI.
from typing import Annotated
from urllib.parse import quote

from fastapi import Form, Request
from pydantic import Field, ValidationError
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Invalid, PreconditionFailed, Refusal
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.etag import etag_of
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.catalog.model import Description, Service
from watchkeeper.modules.catalog.pages import about_page
from watchkeeper.modules.catalog.pages_form import AboutForm, complaints_of
from watchkeeper.modules.catalog.permissions import require_own
from watchkeeper.modules.catalog.readiness import ReadinessChecks
from watchkeeper.modules.catalog.routes import Checks, Db, Editor, Now, ServiceName
from watchkeeper.modules.catalog.service import Catalog, version_of

router = page_router()


class ArchiveForm(PageForm):
    reason: str = Field("", max_length=500)


@router.post("/services/{name:path}/about")
async def edit(
    who: Editor,
    request: Request,
    name: ServiceName,
    form: Annotated[AboutForm, Form()],
    db: Db,
    clock: Now,
    checks: Checks,
) -> Response:
    """Change what is said of a service; the version in the form guards against overwriting somebody else's change."""
    try:
        about = form.described().about()
    except ValidationError as error:
        service = await db.ask(lambda session: Catalog(session, clock).service(name))
        errors = complaints_of(error)
        return await about_page(
            request, db, service, checks, who, now=clock.monotonic(), form=form, errors=errors, status=422
        )
    try:
        await db.write(lambda session: _change(session, clock, name, form, about, by=who))
    except (Invalid, PreconditionFailed) as refusal:
        return await _again(request, db, clock, checks, who, name, form, refusal)
    return RedirectResponse(f"/services/{quote(name)}/about", status_code=303)


@router.post("/services/{name:path}/archive")
async def archive(who: Editor, name: ServiceName, form: Annotated[ArchiveForm, Form()], db: Db, clock: Now) -> Response:
    """Hide a service that no longer sends telemetry."""

    def run(session: Session) -> None:
        catalog = Catalog(session, clock)
        require_own(session, who, catalog.service(name, lock=True).about.owner)
        catalog.archive(name, by=who.id, source="console", reason=form.reason)

    await db.write(run)
    return RedirectResponse("/services", status_code=303)


def _change(session: Session, clock: Clock, name: str, form: AboutForm, about: Description, *, by: Actor) -> Service:
    catalog = Catalog(session, clock)
    service = catalog.service(name, lock=True)
    require_own(session, by, service.about.owner)
    if etag_of(version_of(service)) != form.version:
        raise PreconditionFailed(
            "Somebody else changed this service meanwhile. What you typed is still below; what it says now is above. "
            "Save again to put yours in its place."
        )
    return catalog.change(name, about, by=by.id, source="console", reason=form.reason)


async def _again(
    request: Request,
    db: Database,
    clock: Clock,
    checks: ReadinessChecks,
    who: Actor,
    name: str,
    form: AboutForm,
    refusal: Refusal,
) -> Response:
    """The page with what was typed, ready to be sent again against the version that is there now."""
    fresh = await db.ask(lambda session: Catalog(session, clock).service(name))
    form = form.model_copy(update={"version": etag_of(version_of(fresh))})
    errors = {one.where: one.expected for one in refusal.complaints} or {"": refusal.detail}
    return await about_page(
        request, db, fresh, checks, who, now=clock.monotonic(), form=form, errors=errors, status=refusal.status
    )
