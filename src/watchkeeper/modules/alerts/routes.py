"""The API of groups of alerts."""

# Annotations are kept as objects for FastAPI.
from collections.abc import Callable
from typing import Annotated

from fastapi import Path, Query
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock, parse_rfc3339
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.paging import DEFAULT_LIMIT, BadCursor, Cursor, Limit, Page, decode_cursor, page_of
from watchkeeper.kernel.web.parts import clock_part, database_part, part
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.alerts import public, store, store_details
from watchkeeper.modules.alerts.errors import GroupNotFound
from watchkeeper.modules.alerts.model import GroupState, Severity, Status
from watchkeeper.modules.alerts.permissions import ACT_ON_ALERTS, VIEW_ALERTS
from watchkeeper.modules.alerts.public import Alerting, GroupFilter
from watchkeeper.modules.alerts.service import Alerts
from watchkeeper.modules.alerts.wire import (
    AcknowledgeOrder,
    AlertView,
    GroupDetailView,
    GroupView,
    ResolveOrder,
    SnoozeOrder,
    UnacknowledgeOrder,
)
from watchkeeper.modules.catalog import public as catalog

router = api_router("alerts")

Viewer = Annotated[Actor, requires(VIEW_ALERTS)]
Responder = Annotated[Actor, requires(ACT_ON_ALERTS)]
Db = Annotated[Database, database_part()]
Now = Annotated[Clock, clock_part()]
TheAlerting = Annotated[Alerting, part(Alerting)]
GroupId = Annotated[str, Path(min_length=1, max_length=40)]
_SHOWN_ALERTS = 100


@router.get("/alerts")
async def list_alerts(
    who: Viewer,
    db: Db,
    status: Annotated[list[Status] | None, Query(description="Unset: all.")] = None,
    severity: Annotated[list[Severity] | None, Query(description="Unset: all.")] = None,
    service: Annotated[list[str] | None, Query(description="Only of these services.")] = None,
    environment: Annotated[list[str] | None, Query(description="Only of these environments.")] = None,
    suppressed: Annotated[bool | None, Query(description="Only those that page nobody, or only the others.")] = None,
    q: Annotated[str, Query(max_length=200, description="Words of title, service or family.")] = "",
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[GroupView]:
    """Groups: open ones first, the worst first, then the newest."""
    wanted = GroupFilter(
        statuses=tuple(status or ()),
        severities=tuple(severity or ()),
        services=tuple(service or ()),
        environments=tuple(environment or ()),
        suppressed=suppressed,
        words=q,
    )
    after = place_of(cursor)
    found = await db.ask(lambda session: store.list_groups(session, wanted, limit=limit + 1, after=after))
    page = page_of(found, limit, store.list_key)
    return Page[GroupView](items=[GroupView.of(one) for one in page.items], next=page.next)


@router.get("/alerts/{group_id}")
async def alert(who: Viewer, group_id: GroupId, db: Db) -> GroupDetailView:
    """A group with its alerts and what they said last."""

    def read(session: Session) -> GroupDetailView:
        group = public.group(session, group_id)
        if group is None:
            raise GroupNotFound(f"There is no alert {group_id}.")
        found = store.alerts_of(session, group_id, limit=_SHOWN_ALERTS)
        said = store_details.details_of(session, [one.id for one in found])
        shown = [AlertView.of(one, said.get(one.id, [])[: store_details.MOST_DETAILS]) for one in found]
        return GroupDetailView(**GroupView.of(group).model_dump(), alerts=shown)

    return await db.ask(read)


@router.post("/alerts/{group_id}/acknowledge")
async def acknowledge(
    who: Responder, group_id: GroupId, order: AcknowledgeOrder, db: Db, clock: Now, alerting: TheAlerting
) -> GroupView:
    """Say that you have it: nobody else is paged."""
    return await act(
        db,
        clock,
        alerting,
        lambda alerts: alerts.acknowledge(group_id, by=who.id, source="api", until=order.until),
    )


@router.post("/alerts/{group_id}/unacknowledge")
async def unacknowledge(
    who: Responder, group_id: GroupId, order: UnacknowledgeOrder, db: Db, clock: Now, alerting: TheAlerting
) -> GroupView:
    """Say that nobody has it any more: it pages again."""
    return await act(
        db,
        clock,
        alerting,
        lambda alerts: alerts.unacknowledge(group_id, by=who.id, source="api", reason=order.reason),
    )


@router.post("/alerts/{group_id}/snooze")
async def snooze(
    who: Responder, group_id: GroupId, order: SnoozeOrder, db: Db, clock: Now, alerting: TheAlerting
) -> GroupView:
    """Page nobody for it until then."""
    return await act(
        db,
        clock,
        alerting,
        lambda alerts: alerts.snooze(group_id, until=order.until, by=who.id, source="api", reason=order.reason),
    )


@router.post("/alerts/{group_id}/resolve")
async def resolve(
    who: Responder, group_id: GroupId, order: ResolveOrder, db: Db, clock: Now, alerting: TheAlerting
) -> GroupView:
    """Call it over. What still fires opens it again with its next word."""
    return await act(
        db,
        clock,
        alerting,
        lambda alerts: alerts.resolve(group_id, by=who.id, source="api", reason=order.reason),
    )


async def act(
    db: Database,
    clock: Clock,
    alerting: Alerting,
    verb: Callable[[Alerts], GroupState],
) -> GroupView:
    """Do it in one transaction. Who is called may be of any team: whose service it is does not matter."""
    found = await db.write(lambda session: verb(alerting.on(session, clock)))
    return GroupView.of(found)


def place_of(cursor: str | None) -> tuple[int, int, str, str] | None:
    """Where the list goes on. Raises BadCursor."""
    place = decode_cursor(cursor, tuple[int, int, str, str]) if cursor else None
    if place is not None:
        try:
            parse_rfc3339(place[2])
        except ValueError:
            complaint = Complaint("query.cursor", "the `next` of a page of the same list")
            raise BadCursor("The cursor can't be read. Start again without one.", complaints=[complaint]) from None
    return place


def require_own(session: Session, who: Actor, service: str | None) -> None:
    """Raises Forbidden for what belongs to a service of a team that the actor is not in."""
    found = catalog.service(session, service) if service is not None else None
    catalog.require_own(session, who, found.about.owner if found is not None else None)
