"""The API of incidents."""

# Annotations are kept as objects for FastAPI.
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Path, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse, Response

from watchkeeper.kernel.clock import Clock, parse_rfc3339
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.etag import check_match, etag_of, with_etag
from watchkeeper.kernel.web.idempotency import Answer, Once, once
from watchkeeper.kernel.web.paging import DEFAULT_LIMIT, BadCursor, Cursor, Limit, Page, decode_cursor, page_of
from watchkeeper.kernel.web.parts import clock_part, database_part, part
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.incidents import public, store
from watchkeeper.modules.incidents.errors import IncidentNotFound
from watchkeeper.modules.incidents.linking import pages_of
from watchkeeper.modules.incidents.model import Incident, Role, Severity, Status
from watchkeeper.modules.incidents.permissions import ACT_ON_INCIDENTS, VIEW_INCIDENTS
from watchkeeper.modules.incidents.public import Incidenting
from watchkeeper.modules.incidents.service import Incidents
from watchkeeper.modules.incidents.store import IncidentFilter
from watchkeeper.modules.incidents.wire import (
    AcknowledgeOrder,
    DescribeOrder,
    EntryView,
    IncidentDetailView,
    IncidentView,
    LinkView,
    MergeOrder,
    OpenOrder,
    PageView,
    ReasonOrder,
    ResponderView,
    RoleOrder,
    SeverityOrder,
    SplitOrder,
    StatusOrder,
    UpdateView,
    values_of,
)

router = api_router("incidents")

Viewer = Annotated[Actor, requires(VIEW_INCIDENTS)]
Responder = Annotated[Actor, requires(ACT_ON_INCIDENTS)]
Db = Annotated[Database, database_part()]
Now = Annotated[Clock, clock_part()]
TheIncidenting = Annotated[Incidenting, part(Incidenting)]
IncidentId = Annotated[str, Path(min_length=1, max_length=80, description="Its id, or its name.")]
EntryId = Annotated[str, Path(min_length=1, max_length=40)]
Verb = Callable[[Incidents], Incident]


@router.get("/incidents")
async def list_incidents(
    who: Viewer,
    db: Db,
    clock: Now,
    incidenting: TheIncidenting,
    status: Annotated[list[Status] | None, Query(description="Unset: all.")] = None,
    severity: Annotated[list[Severity] | None, Query(description="Unset: all.")] = None,
    service: Annotated[list[str] | None, Query(description="Only those that affect these.")] = None,
    is_open: Annotated[bool | None, Query(alias="open", description="Only open ones, or only the others.")] = None,
    drill: Annotated[bool | None, Query(description="Only drills, or only what is real. Unset: all.")] = None,
    q: Annotated[str, Query(max_length=200, description="Words of title, name or summary.")] = "",
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[IncidentView]:
    """Open ones first, the worst first, then the newest."""
    wanted = IncidentFilter(
        statuses=tuple(status or ()),
        severities=tuple(severity or ()),
        services=tuple(service or ()),
        open=is_open,
        drills=drill,
        words=q,
    )
    after, now = place_of(cursor), clock.now()
    found = await db.ask(lambda session: store.listed(session, wanted, limit=limit + 1, after=after))
    page = page_of(found, limit, store.list_key)
    return Page[IncidentView](items=[_view(one, incidenting, now) for one in page.items], next=page.next)


@router.post("/incidents", status_code=201, response_model=IncidentView)
async def open_incident(
    who: Responder, order: OpenOrder, db: Db, clock: Now, incidenting: TheIncidenting, once: Annotated[Once, once()]
) -> Response:
    """Declare one. If one of its alert groups has an open incident already, that one is answered with 200."""

    def make(session: Session) -> Answer:
        said = {
            name: getattr(order, name) for name in type(order).model_fields if name not in ("title", "alert_groups")
        }
        at = clock.now()
        verbs = incidenting.on(session, clock)
        made = verbs.open(order.title, groups=order.alert_groups, by=who.id, source="api", **said)
        shown = _view(made, incidenting, at).model_dump(mode="json")
        return Answer(shown, 201 if made.opened_at >= at else 200, {"ETag": tag_of(made)})

    return (await db.write(lambda session: once.run(session, lambda: make(session)))).response()


@router.get("/incidents/{incident_id}", response_model=IncidentDetailView)
async def get_incident(
    who: Viewer, incident_id: IncidentId, db: Db, clock: Now, incidenting: TheIncidenting
) -> Response:
    """One with its record, its links, and who worked on it."""

    def read(session: Session) -> Response:
        one = found_in(session, incident_id)
        shown = IncidentDetailView(
            **values_of(one),
            clocks=_view(one, incidenting, clock.now()).clocks,
            entries=[EntryView.of(entry) for entry in public.entries(session, one.id)],
            updates=[UpdateView.of(update) for update in public.updates(session, one.id)],
            links=[LinkView.of(link) for link in public.links(session, one.id)],
            responders=[ResponderView.of(each) for each in public.responders(session, one.id)],
            pages=[PageView.of(page) for page in pages_of(session, one)],
        )
        return with_etag(JSONResponse(shown.model_dump(mode="json")), tag_of(one))

    return await db.ask(read)


@router.patch("/incidents/{incident_id}", response_model=IncidentView)
async def describe_incident(
    request: Request,
    who: Responder,
    incident_id: IncidentId,
    order: DescribeOrder,
    db: Db,
    clock: Now,
    incidenting: TheIncidenting,
) -> Response:
    """Change what is said of it; with `If-Match`, only if nobody else did meanwhile."""

    def verb(verbs: Incidents) -> Incident:
        return verbs.describe(incident_id, order.changes(), by=who.id, source="api")

    return await act(request, db, clock, incidenting, incident_id, verb)


@router.post("/incidents/{incident_id}/acknowledge", response_model=IncidentView)
async def acknowledge_incident(
    request: Request,
    who: Responder,
    incident_id: IncidentId,
    order: AcknowledgeOrder,
    db: Db,
    clock: Now,
    incidenting: TheIncidenting,
) -> Response:
    """Say that you have it."""

    def verb(verbs: Incidents) -> Incident:
        return verbs.acknowledge(incident_id, by=who.id, source="api", alerts_too=order.alerts_too)

    return await act(request, db, clock, incidenting, incident_id, verb)


@router.put("/incidents/{incident_id}/severity", response_model=IncidentView)
async def change_severity(
    request: Request,
    who: Responder,
    incident_id: IncidentId,
    order: SeverityOrder,
    db: Db,
    clock: Now,
    incidenting: TheIncidenting,
) -> Response:
    """Say how bad it is. When it is worse, its clocks begin anew and more people are called."""

    def verb(verbs: Incidents) -> Incident:
        return verbs.change_severity(incident_id, order.severity, reason=order.reason, by=who.id, source="api")

    return await act(request, db, clock, incidenting, incident_id, verb)


@router.put("/incidents/{incident_id}/status", response_model=IncidentView)
async def change_status(
    request: Request,
    who: Responder,
    incident_id: IncidentId,
    order: StatusOrder,
    db: Db,
    clock: Now,
    incidenting: TheIncidenting,
) -> Response:
    """Say how far it is."""

    def verb(verbs: Incidents) -> Incident:
        return verbs.change_status(incident_id, order.status, reason=order.reason, by=who.id, source="api")

    return await act(request, db, clock, incidenting, incident_id, verb)


@router.put("/incidents/{incident_id}/roles/{role}", response_model=IncidentView)
async def assign_role(
    request: Request,
    who: Responder,
    incident_id: IncidentId,
    role: Role,
    order: RoleOrder,
    db: Db,
    clock: Now,
    incidenting: TheIncidenting,
) -> Response:
    """Give a role to somebody. What somebody else has is only taken over with `hand_over`; 409 without."""
    person = who.id if order.person == "me" else order.person

    def verb(verbs: Incidents) -> Incident:
        return verbs.assign(incident_id, role, person, hand_over=order.hand_over, by=who.id, source="api")

    return await act(request, db, clock, incidenting, incident_id, verb)


@router.post("/incidents/{incident_id}/merge", response_model=IncidentView)
async def merge_incident(
    request: Request,
    who: Responder,
    incident_id: IncidentId,
    order: MergeOrder,
    db: Db,
    clock: Now,
    incidenting: TheIncidenting,
) -> Response:
    """Have it go on in another one, which is answered."""

    def verb(verbs: Incidents) -> Incident:
        return verbs.merge(incident_id, order.into, by=who.id, source="api")

    return await act(request, db, clock, incidenting, incident_id, verb)


@router.post("/incidents/{incident_id}/split", status_code=201, response_model=IncidentView)
async def split_incident(
    who: Responder,
    incident_id: IncidentId,
    order: SplitOrder,
    db: Db,
    clock: Now,
    incidenting: TheIncidenting,
    once: Annotated[Once, once()],
) -> Response:
    """Have a part of it go on as an incident of its own, which is answered."""

    def make(session: Session) -> Answer:
        said = {"links": order.links, "severity": order.severity, "services": order.services}
        verbs = incidenting.on(session, clock)
        made = verbs.split(incident_id, order.title, by=who.id, source="api", **said)  # type: ignore[arg-type]
        return Answer(_view(made, incidenting, clock.now()).model_dump(mode="json"), headers={"ETag": tag_of(made)})

    return (await db.write(lambda session: once.run(session, lambda: make(session)))).response()


@router.post("/incidents/{incident_id}/resolve", response_model=IncidentView)
async def resolve_incident(
    request: Request,
    who: Responder,
    incident_id: IncidentId,
    order: ReasonOrder,
    db: Db,
    clock: Now,
    incidenting: TheIncidenting,
) -> Response:
    """Call it over. While critical alerts of it are open, only with a reason; 409 without."""

    def verb(verbs: Incidents) -> Incident:
        return verbs.resolve(incident_id, reason=order.reason, by=who.id, source="api")

    return await act(request, db, clock, incidenting, incident_id, verb)


@router.post("/incidents/{incident_id}/reopen", response_model=IncidentView)
async def reopen_incident(
    request: Request,
    who: Responder,
    incident_id: IncidentId,
    order: ReasonOrder,
    db: Db,
    clock: Now,
    incidenting: TheIncidenting,
) -> Response:
    """It is not over."""

    def verb(verbs: Incidents) -> Incident:
        return verbs.reopen(incident_id, reason=order.reason, by=who.id, source="api")

    return await act(request, db, clock, incidenting, incident_id, verb)


async def act(
    request: Request, db: Database, clock: Clock, incidenting: Incidenting, incident_id: str, verb: Verb
) -> Response:
    """Do it in one transaction, if `If-Match` names no other version."""

    def write(session: Session) -> Incident:
        verbs = incidenting.on(session, clock)
        if "if-match" in request.headers:
            check_match(request, tag_of(verbs.looked_at(incident_id)))
        return verb(verbs)

    found = await db.write(write)
    shown: Any = _view(found, incidenting, clock.now()).model_dump(mode="json")
    return with_etag(JSONResponse(shown), tag_of(found))


def found_in(session: Session, incident_id: str) -> Incident:
    """Raises IncidentNotFound."""
    one = public.incident(session, incident_id)
    if one is None:
        raise IncidentNotFound(f"There is no incident {incident_id[:100]}.")
    return one


def tag_of(one: Incident) -> str:
    """The version that `If-Match` names."""
    return etag_of([one.id, one.version])


def place_of(cursor: str | None) -> tuple[int, str, str, str] | None:
    """Where the list goes on. Raises BadCursor."""
    place = decode_cursor(cursor, tuple[int, str, str, str]) if cursor else None
    if place is not None:
        try:
            parse_rfc3339(place[2])
        except ValueError:
            complaint = Complaint("query.cursor", "the `next` of a page of the same list")
            raise BadCursor("The cursor can't be read. Start again without one.", complaints=[complaint]) from None
    return place


def _view(one: Incident, incidenting: Incidenting, now: Any) -> IncidentView:
    return IncidentView.of(one, incidenting.clocks_of(one, now), now)
