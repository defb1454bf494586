"""The API of subjects."""

# Annotations are kept as objects for FastAPI.
from typing import Annotated

from fastapi import Path, Query
from sqlalchemy.orm import Session
from starlette.responses import Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.idempotency import Answer, Once, once
from watchkeeper.kernel.web.paging import DEFAULT_LIMIT, Cursor, Limit, Page, decode_cursor, page_of
from watchkeeper.kernel.web.parts import clock_part, database_part
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.subjects import store
from watchkeeper.modules.subjects.model import LONGEST_ID
from watchkeeper.modules.subjects.permissions import ERASE_SUBJECTS, LOOK_UP_SUBJECTS, SEND_SUBJECTS, VIEW_COUNTS
from watchkeeper.modules.subjects.service import Subjects
from watchkeeper.modules.subjects.wire import CountsView, OneSubjectView, SubjectsBody, SubjectView, TakenView

router = api_router("subjects")
LARGEST_BATCH = 4_000_000

Db = Annotated[Database, database_part()]
Now = Annotated[Clock, clock_part()]
Counter = Annotated[Actor, requires(VIEW_COUNTS)]
Sender = Annotated[Actor, requires(SEND_SUBJECTS)]
Looker = Annotated[Actor, requires(LOOK_UP_SUBJECTS)]
# A path: ids are opaque and may hold slashes.
SubjectIdPath = Annotated[str, Path(min_length=1, max_length=LONGEST_ID)]


@router.post("/subjects", response_model=TakenView, status_code=200)
async def send_subjects(
    who: Sender,
    order: SubjectsBody,
    db: Db,
    clock: Now,
    once: Annotated[Once, once()],
) -> Response:
    """Add and change up to 1,000 of the product's users, all or nothing. The same batch again changes nothing.

    Ids are opaque: what looks like an e-mail address or a telephone number is refused, in attributes too.
    """
    updates = [one.update() for one in order.subjects]

    def take(session: Session) -> Answer:
        taken = Subjects(session, clock).take(updates, by=who.id, source="api")
        return Answer(TakenView.of(taken).model_dump(mode="json"), status=200)

    return (await db.write(lambda session: once.run(session, lambda: take(session)))).response()


@router.get("/subjects")
async def search_subjects(
    who: Looker,
    db: Db,
    clock: Now,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    country: Annotated[str | None, Query(max_length=2, description="Only of this country.")] = None,
    status: Annotated[str | None, Query(max_length=32, description="Only with this status.")] = None,
) -> Page[SubjectView]:
    """The product's users by id. Who looked is on record."""
    after = decode_cursor(cursor, str) if cursor else None
    found = await db.write(
        lambda session: Subjects(session, clock).search(
            after, limit, country=country or None, status=status or None, by=who.id, source="api"
        )
    )
    page, now = page_of(found, limit, lambda one: one.id), clock.now()
    return Page[SubjectView](items=[SubjectView.of(one, now) for one in page.items], next=page.next)


@router.get("/subjects/counts")
async def count_subjects(who: Counter, db: Db) -> CountsView:
    """How many of the product's users there are, by status and by country."""
    return CountsView.of(await db.ask(store.counts))


@router.get("/subjects/{subject_id:path}")
async def look_up_subject(who: Looker, subject_id: SubjectIdPath, db: Db, clock: Now) -> OneSubjectView:
    """One of the product's users. Who looked is on record."""
    subject, listed_in = await db.write(
        lambda session: Subjects(session, clock).look_up(subject_id, by=who.id, source="api")
    )
    view = SubjectView.of(subject, clock.now())
    return OneSubjectView(**view.model_dump(), listed_in=listed_in)


@router.delete("/subjects/{subject_id:path}", status_code=204)
async def erase_subject(
    who: Annotated[Actor, requires(ERASE_SUBJECTS)], subject_id: SubjectIdPath, db: Db, clock: Now
) -> Response:
    """Forget one of the product's users: the record, and the memberships of segments that list it."""
    await db.write(lambda session: Subjects(session, clock).erase(subject_id, by=who.id, source="api"))
    return Response(status_code=204)
