"""The API of what is written on incidents: updates, notes, files, links."""

# Annotations are kept as objects for FastAPI.
from typing import Annotated

from fastapi import Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from watchkeeper.kernel.errors import TooLarge
from watchkeeper.kernel.web.idempotency import Answer, Once, once
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.incidents import public, store_records
from watchkeeper.modules.incidents.errors import EntryNotFound
from watchkeeper.modules.incidents.routes import (
    Db,
    EntryId,
    IncidentId,
    Now,
    Responder,
    TheIncidenting,
    Viewer,
    found_in,
)
from watchkeeper.modules.incidents.wire import (
    EntryView,
    LinkOrder,
    LinkView,
    NoteOrder,
    PinOrder,
    UpdateOrder,
    UpdateView,
)

router = api_router("incidents")
# Nobody's browser shows or runs what was added: it is saved.
_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox",
    "Cache-Control": "private, no-store",
}


@router.get("/incidents/{incident_id}/updates")
async def list_updates(who: Viewer, incident_id: IncidentId, db: Db) -> list[UpdateView]:
    """What was told about it, oldest first."""

    def read(session: Session) -> list[UpdateView]:
        return [UpdateView.of(one) for one in public.updates(session, found_in(session, incident_id).id)]

    return await db.ask(read)


@router.post("/incidents/{incident_id}/updates", status_code=201, response_model=UpdateView)
async def post_update(
    who: Responder,
    incident_id: IncidentId,
    order: UpdateOrder,
    db: Db,
    clock: Now,
    incidenting: TheIncidenting,
    once: Annotated[Once, once()],
) -> Response:
    """Tell how it is. The same update, by its `key` or by what it says within five minutes, is published once."""

    def make(session: Session) -> Answer:
        posted = incidenting.on(session, clock).post_update(
            incident_id,
            order.text,
            public=order.public,
            status=order.status,
            key=order.key,
            reason=order.reason,
            by=who.id,
            source="api",
        )
        return Answer(UpdateView.of(posted).model_dump(mode="json"))

    return (await db.write(lambda session: once.run(session, lambda: make(session)))).response()


@router.post("/incidents/{incident_id}/notes", status_code=201, response_model=EntryView)
async def add_note(
    who: Responder,
    incident_id: IncidentId,
    order: NoteOrder,
    db: Db,
    clock: Now,
    incidenting: TheIncidenting,
    once: Annotated[Once, once()],
) -> Response:
    """Write a note or a decision onto its record."""

    def make(session: Session) -> Answer:
        verbs = incidenting.on(session, clock)
        if order.kind == "decision":
            made = verbs.decide(incident_id, order.text, by=who.id, source="api")
        else:
            made = verbs.note(incident_id, order.text, pinned=order.pinned, by=who.id, source="api")
        return Answer(EntryView.of(made).model_dump(mode="json"))

    return (await db.write(lambda session: once.run(session, lambda: make(session)))).response()


@router.put("/incidents/{incident_id}/entries/{entry_id}/pinned")
async def pin_entry(
    who: Responder,
    incident_id: IncidentId,
    entry_id: EntryId,
    order: PinOrder,
    db: Db,
    clock: Now,
    incidenting: TheIncidenting,
) -> EntryView:
    """Have an entry at the top of its record, or not."""

    def write(session: Session) -> EntryView:
        verbs = incidenting.on(session, clock)
        return EntryView.of(verbs.pin(incident_id, entry_id, pinned=order.pinned, by=who.id, source="api"))

    return await db.write(write)


@router.post("/incidents/{incident_id}/links", status_code=201)
async def add_link(
    who: Responder, incident_id: IncidentId, order: LinkOrder, db: Db, clock: Now, incidenting: TheIncidenting
) -> list[LinkView]:
    """Tie something to it; answers all its links. Harmless when it is tied already."""

    def write(session: Session) -> list[LinkView]:
        verbs = incidenting.on(session, clock)
        one = verbs.link(incident_id, order.kind, order.target, label=order.label, by=who.id, source="api")
        return [LinkView.of(link) for link in public.links(session, one.id)]

    return await db.write(write)


@router.post(
    "/incidents/{incident_id}/files",
    status_code=201,
    response_model=EntryView,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def add_file(
    request: Request,
    who: Responder,
    incident_id: IncidentId,
    file_name: Annotated[str, Query(min_length=1, max_length=200, description="Its end says what it is.")],
    db: Db,
    clock: Now,
    incidenting: TheIncidenting,
    text: Annotated[str, Query(max_length=2_000)] = "",
) -> EntryView:
    """Keep a small file with it; the body is its content."""
    largest = incidenting.settings.attachment_bytes
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > largest:
            raise TooLarge(f"The file is larger than the {largest:,} bytes that are taken.")

    def write(session: Session) -> EntryView:
        verbs = incidenting.on(session, clock)
        made = verbs.attach(incident_id, file_name, bytes(content), text=text, by=who.id, source="api")
        return EntryView.of(made)

    return await db.write(write)


@router.get("/incidents/{incident_id}/files/{entry_id}", response_class=Response)
async def get_file(who: Viewer, incident_id: IncidentId, entry_id: EntryId, db: Db) -> Response:
    """The content of a file, to be saved."""
    return await db.ask(lambda session: file_of(session, incident_id, entry_id))


def file_of(session: Session, incident_id: str, entry_id: str) -> Response:
    """As something to be saved, whatever is in it. Raises EntryNotFound."""
    entry = store_records.entry(session, found_in(session, incident_id).id, entry_id)
    content = store_records.content_of(session, entry_id) if entry is not None else None
    if entry is None or content is None:
        raise EntryNotFound("This incident has no such file.")
    headers = {"Content-Disposition": f'attachment; filename="{entry.file_name}"', **_SAFE}
    return Response(content, headers=headers, media_type=entry.media_type)
