"""The API of status pages."""

# Annotations are kept as objects for FastAPI.
from typing import Annotated

from fastapi import Query, Response
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.idempotency import Answer, Once, once
from watchkeeper.kernel.web.parts import clock_part, database_part
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.status import snapshot, store, store_revisions, store_subscribers
from watchkeeper.modules.status.described import COMPONENT
from watchkeeper.modules.status.errors import ComponentNotFound, IncidentNotFound, StatusInvalid, UpdateNotFound
from watchkeeper.modules.status.exporting import export_files
from watchkeeper.modules.status.maintaining import Maintaining, Planned
from watchkeeper.modules.status.model import Review, Update
from watchkeeper.modules.status.permissions import DRAFT_UPDATES, MANAGE_STATUS, PUBLISH_UPDATES, VIEW_STATUS
from watchkeeper.modules.status.publishing import Draft, Edit, Publishing
from watchkeeper.modules.status.service import StatusPage
from watchkeeper.modules.status.wire import (
    ComponentBody,
    ComponentList,
    ComponentView,
    DiscardOrder,
    EditOrder,
    ExportView,
    MaintenanceList,
    MaintenanceView,
    NewMaintenance,
    NewUpdate,
    PageBody,
    PublishOrder,
    RevisionView,
    ShowWindow,
    StatusView,
    SubscriberCount,
    SubscriberCounts,
    UpdateHistory,
    UpdateList,
    UpdateView,
    WithdrawOrder,
    ids,
    ids_of,
)

router = api_router("status")
Viewer = Annotated[Actor, requires(VIEW_STATUS)]
Drafter = Annotated[Actor, requires(DRAFT_UPDATES)]
Publisher = Annotated[Actor, requires(PUBLISH_UPDATES)]
Manager = Annotated[Actor, requires(MANAGE_STATUS)]
Db = Annotated[Database, database_part()]
Now = Annotated[Clock, clock_part()]


@router.get("/status")
async def status(who: Viewer, db: Db, clock: Now) -> StatusView:
    """The page now, and how many drafts wait."""
    now = clock.now()
    return await db.ask(lambda session: StatusView.of(snapshot.take(session, now), len(store.drafts(session))))


@router.get("/status/page")
async def page(who: Viewer, db: Db) -> PageBody:
    """What the page is called."""
    found = await db.ask(snapshot.page_said)
    return PageBody(**vars(found))


@router.put("/status/page")
async def put_page(who: Manager, order: PageBody, db: Db, clock: Now) -> PageBody:
    """The page is called this from now on."""
    await db.write(lambda session: StatusPage(session, clock).put_page(order.parsed(), by=who.id, source="api"))
    return order


@router.get("/status/components")
async def components(who: Viewer, db: Db) -> ComponentList:
    """By name."""
    found = await db.ask(lambda session: store.all_described(session, COMPONENT))
    return ComponentList(items=[ComponentView.of(one) for one in found])


@router.get("/status/components/{name}")
async def component(who: Viewer, name: str, db: Db) -> ComponentView:
    """One component."""
    found = await db.ask(lambda session: store.one_described(session, COMPONENT, name))
    if found is None:
        raise ComponentNotFound(f"There is no component {name}.")
    return ComponentView.of(found)


@router.put("/status/components/{name}")
async def put_component(who: Manager, name: str, order: ComponentBody, db: Db, clock: Now) -> ComponentView:
    """A component is described so from now on; a new one is added."""
    made = await db.write(
        lambda session: StatusPage(session, clock).put_component(name, order.parsed(), by=who.id, source="api")
    )
    return ComponentView.of(made)


@router.delete("/status/components/{name}", status_code=204, response_class=Response)
async def remove_component(
    who: Manager, name: str, db: Db, clock: Now, reason: Annotated[str, Query(max_length=500)] = ""
) -> Response:
    """It is gone, with its history."""
    await db.write(
        lambda session: StatusPage(session, clock).remove_component(name, reason=reason, by=who.id, source="api")
    )
    return Response(status_code=204)


@router.get("/status/updates")
async def updates(
    who: Viewer, db: Db, review: Annotated[Review, Query(description="Drafts, what is public, or was.")] = Review.DRAFT
) -> UpdateList:
    """Drafts, the oldest first; or the last that were published, withdrawn or discarded."""

    def read(session: Session) -> UpdateList:
        found = store.drafts(session) if review is Review.DRAFT else store.recent_updates(session, review=review)
        return UpdateList(items=[view_of(session, one) for one in found])

    return await db.ask(read)


@router.post("/status/updates", status_code=201, response_model=UpdateView)
async def draft(who: Drafter, order: NewUpdate, db: Db, clock: Now, once: Annotated[Once, once()]) -> Response:
    """Write a draft; nobody outside sees it before it is published."""

    def make(session: Session) -> Answer:
        said = Draft(
            stage=order.status,
            body=order.body,
            components=ids_of(order.components, store.components(session)),
            happened_at=order.happened_at or clock.now(),
        )
        made = write_draft(session, clock, said, incident=order.incident, title=order.title, by=who.id, source="api")
        return Answer(view_of(session, made).model_dump(mode="json"))

    answer = await db.write(lambda session: once.run(session, lambda: make(session)))
    return answer.response()


@router.post("/status/updates/{update_id}/publish")
async def publish(who: Publisher, update_id: str, order: PublishOrder, db: Db, clock: Now) -> UpdateView:
    """Everybody sees it, and subscribers are told; publishing it again changes nothing."""

    def write(session: Session) -> UpdateView:
        done = Publishing(session, clock).publish(update_id, version=order.version, by=who.id, source="api")
        return view_of(session, done)

    return await db.write(write)


@router.patch("/status/updates/{update_id}")
async def edit(who: Publisher, update_id: str, order: EditOrder, db: Db, clock: Now) -> UpdateView:
    """Change a draft, or what is public already: that is shown as edited."""

    def write(session: Session) -> UpdateView:
        said = None if order.components is None else ids_of(order.components, store.components(session))
        change = Edit(body=order.body, stage=order.status, components=said)
        done = Publishing(session, clock).edit(update_id, change, version=order.version, by=who.id, source="api")
        return view_of(session, done)

    return await db.write(write)


@router.post("/status/updates/{update_id}/discard")
async def discard(who: Drafter, update_id: str, order: DiscardOrder, db: Db, clock: Now) -> UpdateView:
    """Nobody will see this draft."""

    def write(session: Session) -> UpdateView:
        done = Publishing(session, clock).discard(update_id, reason=order.reason, by=who.id, source="api")
        return view_of(session, done)

    return await db.write(write)


@router.get("/status/updates/{update_id}")
async def update(who: Viewer, update_id: str, db: Db) -> UpdateHistory:
    """An update, and what it said before it was edited."""

    def read(session: Session) -> UpdateHistory:
        found = store.one_update(session, update_id)
        if found is None:
            raise UpdateNotFound(f"The status page has no update {update_id}.")
        known = store.components(session)
        earlier = store_revisions.of_updates(session, [found.id]).get(found.id, [])
        return UpdateHistory(update=view_of(session, found), earlier=[RevisionView.of(one, known) for one in earlier])

    return await db.ask(read)


@router.post("/status/updates/{update_id}/withdraw")
async def withdraw_update(who: Publisher, update_id: str, order: WithdrawOrder, db: Db, clock: Now) -> UpdateView:
    """It is not public any more, and subscribers are told; withdrawing it again changes nothing."""

    def write(session: Session) -> UpdateView:
        publishing = Publishing(session, clock)
        done = publishing.withdraw_update(update_id, reason=order.reason, by=who.id, source="api")
        return view_of(session, done)

    return await db.write(write)


@router.post("/status/incidents/{incident_id}/withdraw")
async def withdraw(who: Publisher, incident_id: str, order: WithdrawOrder, db: Db, clock: Now) -> UpdateList:
    """All that is public of an incident of the page is not any more, and subscribers are told."""

    def write(session: Session) -> UpdateList:
        done = Publishing(session, clock).withdraw(incident_id, reason=order.reason, by=who.id, source="api")
        return UpdateList(items=[view_of(session, one) for one in done])

    return await db.write(write)


@router.get("/status/maintenances")
async def maintenances(who: Viewer, db: Db, clock: Now) -> MaintenanceList:
    """Planned work that is not over, the next first."""
    now = clock.now()

    def read(session: Session) -> MaintenanceList:
        known = store.components(session)
        found = store.maintenances_since(session, now)
        return MaintenanceList(items=[MaintenanceView.of(one, known, now) for one in found if one.over_at > now])

    return await db.ask(read)


@router.post("/status/maintenances", status_code=201, response_model=MaintenanceView)
async def schedule(
    who: Publisher, order: NewMaintenance, db: Db, clock: Now, once: Annotated[Once, once()]
) -> Response:
    """Announce work; subscribers are told."""

    def make(session: Session) -> Answer:
        known = store.components(session)
        said = Planned(title=order.title, body=order.body, components=ids(order.components, known))
        made = Maintaining(session, clock).schedule(
            said, starts_at=order.starts_at or clock.now(), ends_at=order.ends_at, by=who.id, source="api"
        )
        return Answer(MaintenanceView.of(made, known, clock.now()).model_dump(mode="json"))

    answer = await db.write(lambda session: once.run(session, lambda: make(session)))
    return answer.response()


@router.post("/status/maintenances/{maintenance_id}/end")
async def end_maintenance(who: Publisher, maintenance_id: str, db: Db, clock: Now) -> MaintenanceView:
    """It is over now; one that has not begun is cancelled."""

    def write(session: Session) -> MaintenanceView:
        ended = Maintaining(session, clock).end(maintenance_id, by=who.id, source="api")
        return MaintenanceView.of(ended, store.components(session), clock.now())

    return await db.write(write)


@router.put("/status/windows/{window_id}")
async def show_window(who: Publisher, window_id: str, order: ShowWindow, db: Db, clock: Now) -> MaintenanceList:
    """Show a maintenance window of alerts to the public; of a weekly one, each stretch a week ahead."""

    def write(session: Session) -> MaintenanceList:
        known = store.components(session)
        said = Planned(title=order.title, body=order.body, components=ids(order.components, known))
        made = Maintaining(session, clock).show_window(window_id, said, by=who.id, source="api")
        return MaintenanceList(items=[MaintenanceView.of(one, known, clock.now()) for one in made])

    return await db.write(write)


@router.get("/status/subscribers")
async def subscribers(who: Viewer, db: Db) -> SubscriberCounts:
    """How many there are."""
    found = await db.ask(store_subscribers.counts)
    items = [SubscriberCount(kind=kind, state=state, number=number) for (kind, state), number in sorted(found.items())]
    return SubscriberCounts(items=items)


@router.get("/status/export")
async def export(who: Viewer, db: Db, clock: Now) -> ExportView:
    """The page as files that can live elsewhere: HTML, feeds, JSON."""
    taken = await db.ask(lambda session: snapshot.take(session, clock.now()))
    return ExportView(at=taken.at, files=export_files(taken))


def write_draft(
    session: Session,
    clock: Clock,
    said: Draft,
    *,
    incident: str | None,
    title: str | None,
    by: str,
    source: str,
) -> Update:
    """Of an incident of the page, or of a new one with this title. Raises StatusInvalid or IncidentNotFound."""
    if (incident is None) == (title is None):
        raise StatusInvalid("Say either which incident of the page it is about, or the title of a new one.")
    publishing = Publishing(session, clock)
    incident_id = incident or publishing.open(title or "", started_at=said.happened_at).id
    return publishing.draft(incident_id, said, by=by, source=source)


def view_of(session: Session, one: Update) -> UpdateView:
    """With its incident."""
    incident = store.incident(session, one.incident)
    if incident is None:
        raise IncidentNotFound(f"The status page has no incident {one.incident}.")
    return UpdateView.of(one, incident, store.components(session))
