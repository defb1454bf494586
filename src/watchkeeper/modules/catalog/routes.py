"""The API of the catalog."""

# Annotations are kept as objects for FastAPI.
from collections.abc import Callable
from typing import Annotated

from fastapi import Path, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse, Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.etag import etag_of, not_modified, require_match, with_etag
from watchkeeper.kernel.web.idempotency import Answer, Once, once
from watchkeeper.kernel.web.paging import DEFAULT_LIMIT, Cursor, Limit, Page, decode_cursor, page_of
from watchkeeper.kernel.web.parts import clock_part, database_part, part
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.catalog import store
from watchkeeper.modules.catalog.model import Description, Service
from watchkeeper.modules.catalog.permissions import EDIT_CATALOG, VIEW_CATALOG, require_own
from watchkeeper.modules.catalog.readiness import ReadinessChecks
from watchkeeper.modules.catalog.service import Catalog, version_of
from watchkeeper.modules.catalog.wire import NewService, ScorecardView, ServiceEdit, ServiceView

router = api_router("catalog")

Viewer = Annotated[Actor, requires(VIEW_CATALOG)]
Editor = Annotated[Actor, requires(EDIT_CATALOG)]
Db = Annotated[Database, database_part()]
Now = Annotated[Clock, clock_part()]
Checks = Annotated[ReadinessChecks, part(ReadinessChecks)]
# A path: `service.name` may hold slashes.
ServiceName = Annotated[str, Path(min_length=1, max_length=300)]


@router.get("/services")
async def list_services(
    who: Viewer,
    db: Db,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    owner: Annotated[str | None, Query(max_length=200, description="Only this owner's.")] = None,
    tier: Annotated[int | None, Query(ge=1, le=4, description="Only this tier.")] = None,
) -> Page[ServiceView]:
    """Services by name."""
    after = decode_cursor(cursor, str) if cursor else None
    found = await db.ask(
        lambda session: store.page_of_services(session, after, limit + 1, owner=owner or None, tier=tier)
    )
    page = page_of(found, limit, lambda service: service.name)
    return Page[ServiceView](items=[ServiceView.of(service) for service in page.items], next=page.next)


@router.post("/services", status_code=201, response_model=ServiceView)
async def add_service(who: Editor, order: NewService, db: Db, clock: Now, once: Annotated[Once, once()]) -> Response:
    """Add a service by hand, before it sends telemetry."""

    def declare(session: Session) -> Answer:
        catalog = Catalog(session, clock)
        # A new one may be anybody's; one that was archived still is its team's.
        before = store.by_name(session, order.name, lock=True)
        require_own(session, who, before.about.owner if before else None)
        service = catalog.declare(order.name, order.about(), by=who.id, source="api", reason=order.reason)
        return Answer(ServiceView.of(service).model_dump(mode="json"), headers={"ETag": etag_of(version_of(service))})

    return (await db.write(lambda session: once.run(session, lambda: declare(session)))).response()


@router.get("/services/{name:path}/readiness")
async def readiness(who: Viewer, name: ServiceName, db: Db, clock: Now, checks: Checks) -> ScorecardView:
    """What a service still lacks before it can be called ready for production."""
    service = await db.ask(lambda session: Catalog(session, clock).service(name))
    return ScorecardView.of(await checks.scorecard(service, clock.monotonic()))


@router.get("/services/{name:path}", response_model=ServiceView)
async def show_service(who: Viewer, request: Request, name: ServiceName, db: Db, clock: Now) -> Response:
    """A service. Its ETag, which a change is bound to, is of what people edit: `last_seen` moves on without it."""
    service = await db.ask(lambda session: Catalog(session, clock).service(name))
    return not_modified(request, etag_of(version_of(service))) or _answer(service)


@router.put("/services/{name:path}", response_model=ServiceView)
async def replace_service(
    who: Editor, request: Request, name: ServiceName, order: ServiceEdit, db: Db, clock: Now
) -> Response:
    """Replace what is said of a service: fields left out become empty. Needs `If-Match` with the ETag that was read."""
    return await _change(who, request, name, order, db, clock, lambda _: order.about())


@router.patch("/services/{name:path}", response_model=ServiceView)
async def change_service(
    who: Editor, request: Request, name: ServiceName, order: ServiceEdit, db: Db, clock: Now
) -> Response:
    """Change the given fields; null empties one. Needs `If-Match` with the ETag that was read."""
    return await _change(who, request, name, order, db, clock, order.onto)


@router.delete("/services/{name:path}", status_code=204)
async def archive_service(
    who: Editor,
    name: ServiceName,
    db: Db,
    clock: Now,
    reason: Annotated[str, Query(max_length=500, description="Why; kept on the timeline.")] = "",
) -> Response:
    """Hide a service that no longer sends telemetry. Its facts and telemetry stay; new telemetry brings it back."""

    def archive(session: Session) -> None:
        catalog = Catalog(session, clock)
        require_own(session, who, catalog.service(name, lock=True).about.owner)
        catalog.archive(name, by=who.id, source="api", reason=reason)

    await db.write(archive)
    return Response(status_code=204)


async def _change(
    who: Actor,
    request: Request,
    name: str,
    order: ServiceEdit,
    db: Database,
    clock: Clock,
    wanted: Callable[[Description], Description],
) -> Response:
    def change(session: Session) -> Service:
        catalog = Catalog(session, clock)
        service = catalog.service(name, lock=True)
        require_own(session, who, service.about.owner)
        require_match(request, etag_of(version_of(service)))
        return catalog.change(name, wanted(service.about), by=who.id, source="api", reason=order.reason)

    return _answer(await db.write(change))


def _answer(service: Service) -> Response:
    response = JSONResponse(ServiceView.of(service).model_dump(mode="json"))
    return with_etag(response, etag_of(version_of(service)))
