"""The API of segments."""

# Annotations are kept as objects for FastAPI.
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
from watchkeeper.kernel.web.parts import part
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.subjects import store, store_segments
from watchkeeper.modules.subjects.model import Segment, built_in_condition
from watchkeeper.modules.subjects.permissions import EDIT_SEGMENTS, VIEW_SEGMENTS
from watchkeeper.modules.subjects.routes import Db, Now
from watchkeeper.modules.subjects.segments import Segments, SegmentUses, condition_from, version_of
from watchkeeper.modules.subjects.tally import Tally, tally
from watchkeeper.modules.subjects.wire_segments import (
    MembersEdit,
    NewSegment,
    OneSegmentView,
    Previewed,
    PreviewView,
    SegmentEdit,
    SegmentView,
)

router = api_router("segments")

Viewer = Annotated[Actor, requires(VIEW_SEGMENTS)]
Editor = Annotated[Actor, requires(EDIT_SEGMENTS)]
Uses = Annotated[SegmentUses, part(SegmentUses)]
Name = Annotated[str, Path(min_length=1, max_length=64)]


@router.get("/segments")
async def list_segments(who: Viewer, db: Db, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[SegmentView]:
    """Segments that people and files made, by name. `all_users` and `country_NO` and the like are there besides."""
    after = decode_cursor(cursor, str) if cursor else None
    found, counts = await db.ask(
        lambda session: (
            store_segments.page_of_segments(session, after, limit + 1),
            store_segments.member_counts(session),
        )
    )
    page = page_of(found, limit, lambda one: one.name)
    items = [SegmentView.of(one, counts.get(one.name, 0)) for one in page.items]
    return Page[SegmentView](items=items, next=page.next)


@router.post("/segments", status_code=201, response_model=SegmentView)
async def make_segment(who: Editor, order: NewSegment, db: Db, clock: Now, once: Annotated[Once, once()]) -> Response:
    """Make a segment. One that nobody is in is refused unless `allow_empty` says that this is meant."""
    definition = order.definition()
    await db.ask(lambda session: Segments(session, clock).require_somebody(definition, order.members))

    def create(session: Session) -> Answer:
        made = Segments(session, clock).create(
            order.name, definition, order.members, by=who.id, source="api", reason=order.reason
        )
        body = SegmentView.of(made, len(set(order.members))).model_dump(mode="json")
        return Answer(body, headers={"ETag": etag_of(version_of(made))})

    return (await db.write(lambda session: once.run(session, lambda: create(session)))).response()


@router.post("/segments/preview")
async def preview_segment(who: Editor, order: Previewed, db: Db, clock: Now) -> PreviewView:
    """Who would be in a segment, counted before it is saved. Of over 100,000 subjects a fair sample is looked at."""
    return await preview_of(db, clock, order)


@router.get("/segments/{name}", response_model=OneSegmentView)
async def show_segment(who: Viewer, request: Request, name: Name, db: Db, clock: Now, uses: Uses) -> Response:
    """A segment and what uses it. Its ETag, which a change is bound to, is of what people edit."""

    def read(session: Session) -> tuple[SegmentView, str | None, list[str]]:
        condition = built_in_condition(name)
        if condition is not None:
            return SegmentView.built_in(name, condition), None, uses.of(session, name)
        found = Segments(session, clock).segment(name)
        view = SegmentView.of(found, store_segments.count_members(session, name))
        return view, etag_of(version_of(found)), uses.of(session, name)

    view, etag, used_by = await db.ask(read)
    answer = JSONResponse(OneSegmentView.with_uses(view, used_by).model_dump(mode="json"))
    if etag is None:
        return answer
    return not_modified(request, etag) or with_etag(answer, etag)


@router.put("/segments/{name}", response_model=SegmentView)
async def change_segment(who: Editor, request: Request, name: Name, order: SegmentEdit, db: Db, clock: Now) -> Response:
    """Replace what is said of a segment: fields left out become empty. Needs `If-Match` with the ETag that was read."""
    definition = order.definition()
    await db.ask(lambda session: Segments(session, clock).require_somebody(definition))

    def change(session: Session) -> tuple[Segment, int]:
        segments = Segments(session, clock)
        require_match(request, etag_of(version_of(segments.segment(name, lock=True))))
        changed = segments.change(name, definition, by=who.id, source="api", reason=order.reason)
        return changed, store_segments.count_members(session, name)

    changed, members = await db.write(change)
    answer = JSONResponse(SegmentView.of(changed, members).model_dump(mode="json"))
    return with_etag(answer, etag_of(version_of(changed)))


@router.delete("/segments/{name}", status_code=204)
async def delete_segment(
    who: Editor,
    request: Request,
    name: Name,
    db: Db,
    clock: Now,
    uses: Uses,
    reason: Annotated[str, Query(max_length=500, description="Why; kept on the timeline.")] = "",
) -> Response:
    """Delete a segment that nothing uses. Needs `If-Match` with the ETag that was read."""

    def delete(session: Session) -> None:
        segments = Segments(session, clock)
        store_segments.hold(session, alone=True)
        require_match(request, etag_of(version_of(segments.segment(name, lock=True))))
        segments.delete(name, uses, by=who.id, source="api", reason=reason)

    await db.write(delete)
    return Response(status_code=204)


@router.get("/segments/{name}/members")
async def list_members(
    who: Editor, name: Name, db: Db, clock: Now, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[str]:
    """Ids of the members that a manual segment lists."""
    after = decode_cursor(cursor, str) if cursor else None

    def read(session: Session) -> list[str]:
        Segments(session, clock).segment(name)
        return store_segments.page_of_members(session, name, after, limit + 1)

    return page_of(await db.ask(read), limit, lambda one: one)


@router.post("/segments/{name}/members", response_model=SegmentView, status_code=200)
async def change_members(
    who: Editor, name: Name, order: MembersEdit, db: Db, clock: Now, once: Annotated[Once, once()]
) -> Response:
    """Add and remove members of a manual segment, all or nothing. To say the same again changes nothing."""

    def change(session: Session) -> Answer:
        segment = Segments(session, clock).change_members(
            name, order.add, order.remove, by=who.id, source="api", reason=order.reason
        )
        view = SegmentView.of(segment, store_segments.count_members(session, name))
        return Answer(view.model_dump(mode="json"), status=200)

    return (await db.write(lambda session: once.run(session, lambda: change(session)))).response()


async def preview_of(db: Database, clock: Clock, order: Previewed) -> PreviewView:
    """Count who would be in it. Raises SegmentInvalid or ExpressionInvalid."""
    started = clock.monotonic()

    def count(session: Session) -> Tally:
        condition = condition_from(order.definition())
        if condition is not None:
            return tally(session, {"": condition}, clock.now(), clock=clock)[""]
        listed = list(dict.fromkeys(order.members))
        total = store.total(session)
        return Tally(len(listed), total, total, tuple(listed[:5]))

    return PreviewView.of(await db.ask(count), clock.monotonic() - started)
