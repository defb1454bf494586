"""Pages of what the status page is made of, and of planned work."""

# Annotations are kept as objects for FastAPI.
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Form, Request
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Complaint, Conflict, Invalid, NotFound, Refusal
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.alerts import public as alerts
from watchkeeper.modules.catalog import public as catalog
from watchkeeper.modules.status import snapshot, store, store_subscribers
from watchkeeper.modules.status.described import COMPONENT
from watchkeeper.modules.status.errors import StatusInvalid
from watchkeeper.modules.status.maintaining import Maintaining, Planned
from watchkeeper.modules.status.model import ComponentSaid, PageSaid
from watchkeeper.modules.status.pages import tabs
from watchkeeper.modules.status.permissions import MANAGE_STATUS, PUBLISH_UPDATES
from watchkeeper.modules.status.routes import Db, Manager, Now, Publisher, Viewer
from watchkeeper.modules.status.service import StatusPage
from watchkeeper.modules.status.wire import ids

router = page_router()


class ComponentForm(PageForm):
    """A component."""

    name: str = Field(default="", max_length=100)
    title: str = Field(default="", max_length=200)
    group: str = Field(default="", max_length=200)
    order: str = Field(default="0", max_length=10)
    description: str = Field(default="", max_length=2_000)
    services: str = Field(default="", max_length=20_000)
    slos: str = Field(default="", max_length=20_000)
    remove: str = Field(default="", max_length=10)


class PageSaidForm(PageForm):
    """What the page is called."""

    title: str = Field(default="", max_length=200)
    url: str = Field(default="", max_length=600)
    support_url: str = Field(default="", max_length=600)
    slo_drafts: str = Field(default="", max_length=10)


class MaintenanceForm(PageForm):
    """Planned work, or what is shown of a window of alerts."""

    title: str = Field(default="", max_length=300)
    body: str = Field(default="", max_length=20_000)
    components: list[str] = Field(default_factory=list, max_length=200)
    starts_at: str = Field(default="", max_length=40)
    ends_at: str = Field(default="", max_length=40)
    window: str = Field(default="", max_length=40)


class EmptyForm(PageForm):
    """A button."""


@router.get("/status-page/components")
async def components(who: Viewer, request: Request, db: Db) -> Response:
    """Each with its form, and one for another."""
    return await _components(request, who, db)


@router.post("/status-page/components")
async def put_component(
    who: Manager, request: Request, form: Annotated[ComponentForm, Form()], db: Db, clock: Now
) -> Response:
    """Add, change or remove one."""

    def write(session: Session) -> None:
        page, name = StatusPage(session, clock), form.name.strip()
        if form.remove:
            page.remove_component(name, reason="", by=who.id, source="console")
            return
        said = ComponentSaid(
            title=form.title,
            group=form.group,
            order=_number(form.order),
            description=form.description,
            services=_names(form.services),
            slos=_names(form.slos),
        )
        page.put_component(name, said, by=who.id, source="console")

    return await _do(db, write, "/status-page/components", lambda refusal: _components(request, who, db, form, refusal))


@router.post("/status-page/page")
async def put_page(
    who: Manager, request: Request, form: Annotated[PageSaidForm, Form()], db: Db, clock: Now
) -> Response:
    """The page is called this from now on."""
    said = PageSaid(title=form.title, url=form.url, support_url=form.support_url, slo_drafts=bool(form.slo_drafts))

    def write(session: Session) -> None:
        StatusPage(session, clock).put_page(said, by=who.id, source="console")

    return await _do(db, write, "/status-page/components", lambda refusal: _components(request, who, db, None, refusal))


@router.get("/status-page/maintenance")
async def maintenance(who: Viewer, request: Request, db: Db, clock: Now) -> Response:
    """Planned work, windows of alerts that could be shown, and the form for more."""
    return await _maintenance(request, who, db, clock)


@router.post("/status-page/maintenance")
async def schedule(
    who: Publisher, request: Request, form: Annotated[MaintenanceForm, Form()], db: Db, clock: Now
) -> Response:
    """Announce work, or show a window of alerts."""

    def write(session: Session) -> None:
        verbs = Maintaining(session, clock)
        said = Planned(
            title=form.title,
            body=form.body.replace("\r\n", "\n"),
            components=ids(form.components, store.components(session)),
        )
        if form.window:
            verbs.show_window(form.window, said, by=who.id, source="console")
            return
        ends_at = _instant(form.ends_at, "ends_at")
        if ends_at is None:
            complaint = Complaint("ends_at", "a date and a time")
            raise StatusInvalid("Say when it ends.", complaints=[complaint])
        starts_at = _instant(form.starts_at, "starts_at") or clock.now()
        verbs.schedule(said, starts_at=starts_at, ends_at=ends_at, by=who.id, source="console")

    shown: Callable[[Refusal], Any] = lambda refusal: _maintenance(request, who, db, clock, form, refusal)  # noqa: E731
    return await _do(db, write, "/status-page/maintenance", shown)


@router.post("/status-page/maintenance/{maintenance_id}/end")
async def end(
    who: Publisher, request: Request, maintenance_id: str, form: Annotated[EmptyForm, Form()], db: Db, clock: Now
) -> Response:
    """It is over now, or cancelled."""

    def write(session: Session) -> None:
        Maintaining(session, clock).end(maintenance_id, by=who.id, source="console")

    shown: Callable[[Refusal], Any] = lambda refusal: _maintenance(request, who, db, clock, None, refusal)  # noqa: E731
    return await _do(db, write, "/status-page/maintenance", shown)


async def _do(db: Database, write: Callable[[Session], None], then: str, again: Callable[[Refusal], Any]) -> Response:
    try:
        await db.write(write)
    except (Invalid, Conflict, NotFound) as refusal:
        response: Response = await again(refusal)
        return response
    return RedirectResponse(then, status_code=303)


async def _components(
    request: Request, who: Actor, db: Database, form: ComponentForm | None = None, refusal: Refusal | None = None
) -> Response:
    def read(session: Session) -> dict[str, Any]:
        return {
            "page": snapshot.page_said(session),
            "found": store.all_described(session, COMPONENT),
            "services": [one.name for one in catalog.services(session)],
            "counts": store_subscribers.counts(session),
        }

    found = await db.ask(read)
    return render(
        request,
        "status/components.html",
        status=refusal.status if refusal else 200,
        tabs=tabs("Components"),
        form=form or ComponentForm(),
        refusal=refusal,
        may_manage=who.may(MANAGE_STATUS),
        **found,
    )


async def _maintenance(
    request: Request,
    who: Actor,
    db: Database,
    clock: Clock,
    form: MaintenanceForm | None = None,
    refusal: Refusal | None = None,
) -> Response:
    now = clock.now()

    def read(session: Session) -> dict[str, Any]:
        shown = {row.window for row in store.shown_windows(session)}
        windows = alerts.maintenance_windows(session, now)
        return {
            "found": [one for one in store.maintenances_since(session, now) if one.over_at > now],
            "components": store.components(session),
            "windows": [
                (one, one.next_stretch(now)) for one in windows if one.id not in shown and one.next_stretch(now)
            ],
        }

    found = await db.ask(read)
    return render(
        request,
        "status/maintenance.html",
        status=refusal.status if refusal else 200,
        tabs=tabs("Maintenance"),
        form=form or MaintenanceForm(),
        refusal=refusal,
        may_publish=who.may(PUBLISH_UPDATES),
        **found,
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.replace(",", " ").split()))


def _number(text: str) -> int:
    try:
        return int(text.strip() or "0")
    except ValueError:
        raise StatusInvalid("That is no number.", complaints=[Complaint("order", "a whole number")]) from None


def _instant(text: str, where: str) -> datetime | None:
    """Of a field; without a zone it is UTC."""
    if not text.strip():
        return None
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        complaint = Complaint(where, "a date and a time such as 2026-11-30T09:00")
        raise StatusInvalid("The time can't be read.", complaints=[complaint]) from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
