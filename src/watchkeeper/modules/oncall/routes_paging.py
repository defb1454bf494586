"""The API of pages: who was called about what, and calling somebody else."""

# Annotations are kept as objects for FastAPI.
from datetime import datetime
from typing import Annotated

from fastapi import Path, Query
from sqlalchemy.orm import Session

from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.paging import DEFAULT_LIMIT, Cursor, Limit, Page, decode_cursor, page_of
from watchkeeper.kernel.web.parts import database_part, part
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.oncall.paging import store
from watchkeeper.modules.oncall.paging.verbs import Paging
from watchkeeper.modules.oncall.permissions import TAKE_SHIFTS, VIEW_ONCALL
from watchkeeper.modules.oncall.wire_paging import PageView, PersonBody

router = api_router("oncall")

Viewer = Annotated[Actor, requires(VIEW_ONCALL)]
Responder = Annotated[Actor, requires(TAKE_SHIFTS)]
Db = Annotated[Database, database_part()]
ThePaging = Annotated[Paging, part(Paging)]
GroupInPath = Annotated[str, Path(min_length=1, max_length=40)]


@router.get("/oncall/pages")
async def list_pages(
    who: Viewer,
    db: Db,
    person: Annotated[str | None, Query(max_length=40)] = None,
    group: Annotated[str | None, Query(max_length=40)] = None,
    open_only: Annotated[bool, Query(alias="open", description="Only those that nothing has ended yet.")] = False,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[PageView]:
    """Who was paged, when and why, and what ended it; newest first."""
    before = None if cursor is None else decode_cursor(cursor, tuple[datetime, str])

    def read(session: Session) -> Page[PageView]:
        found = store.latest(
            session, person_id=person, group_id=group, open_only=open_only, before=before, limit=limit + 1
        )
        page = page_of(found, limit, lambda one: (one.called_at, one.id))
        return Page[PageView](items=[PageView.of(one) for one in page.items], next=page.next)

    return await db.ask(read)


@router.post("/oncall/groups/{group_id}/responders", status_code=204)
async def add_responder(who: Responder, group_id: GroupInPath, order: PersonBody, db: Db, paging: ThePaging) -> None:
    """Call somebody in, whoever has it."""
    await db.write(lambda session: paging.add_responder(session, group_id, order.person, by=who.id, source="api"))


@router.post("/oncall/groups/{group_id}/reassign", status_code=204)
async def reassign(who: Responder, group_id: GroupInPath, order: PersonBody, db: Db, paging: ThePaging) -> None:
    """Give it to somebody else, who is called now."""
    await db.write(lambda session: paging.reassign(session, group_id, order.person, by=who.id, source="api"))
