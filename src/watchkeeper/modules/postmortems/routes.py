"""The API of postmortems."""

# Annotations are kept as objects for FastAPI.
from collections import Counter, defaultdict
from datetime import datetime
from typing import Annotated

from fastapi import Path, Query, Request
from pydantic import AwareDatetime
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
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.postmortems import store
from watchkeeper.modules.postmortems.blameless import check
from watchkeeper.modules.postmortems.gathering import Gatherer
from watchkeeper.modules.postmortems.model import Postmortem, Section, SectionText, State
from watchkeeper.modules.postmortems.permissions import CHECK_WORDS, EDIT_POSTMORTEMS, VIEW_POSTMORTEMS
from watchkeeper.modules.postmortems.service import Postmortems
from watchkeeper.modules.postmortems.settings import PostmortemSettings
from watchkeeper.modules.postmortems.store import PostmortemFilter
from watchkeeper.modules.postmortems.wire import (
    AboutOrder,
    CheckOrder,
    CheckView,
    DraftOrder,
    FindingView,
    MomentMark,
    MomentOrder,
    MomentView,
    PostmortemDetailView,
    PostmortemView,
    SectionOrder,
    SectionView,
    StateOrder,
    ThemeView,
)

router = api_router("postmortems")

Viewer = Annotated[Actor, requires(VIEW_POSTMORTEMS)]
Editor = Annotated[Actor, requires(EDIT_POSTMORTEMS)]
Checker = Annotated[Actor, requires(CHECK_WORDS)]
Db = Annotated[Database, database_part()]
Now = Annotated[Clock, clock_part()]
Settings = Annotated[PostmortemSettings, part(PostmortemSettings)]
TheGatherer = Annotated[Gatherer, part(Gatherer)]
PostmortemId = Annotated[str, Path(min_length=1, max_length=40)]
MomentId = Annotated[str, Path(min_length=1, max_length=40)]


@router.get("/postmortems")
async def list_postmortems(
    who: Viewer,
    db: Db,
    clock: Now,
    state: Annotated[list[State] | None, Query(description="Unset: all.")] = None,
    severity: Annotated[list[str] | None, Query(description="Such as SEV-1; unset: all.")] = None,
    service: Annotated[str | None, Query(max_length=300, description="Only of this service.")] = None,
    theme: Annotated[str | None, Query(max_length=60, description="Only with this theme.")] = None,
    overdue: Annotated[bool, Query(description="Only drafts after they were due.")] = False,
    drill: Annotated[bool | None, Query(description="Only drills, or only others. Unset: both.")] = None,
    q: Annotated[str, Query(max_length=200, description="Words of its title and texts.")] = "",
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[PostmortemView]:
    """Postmortems, the newest first."""
    now = clock.now()
    wanted = PostmortemFilter(
        states=tuple(state or ()),
        severities=tuple(severity or ()),
        service=service,
        theme=theme,
        words=q,
        drills=drill,
        overdue_at=now if overdue else None,
    )
    after = decode_cursor(cursor, tuple[AwareDatetime, str]) if cursor else None
    found = await db.ask(lambda session: store.listed(session, wanted, limit=limit + 1, after=after))
    page = page_of(found, limit, lambda one: (one.created_at, one.id))
    return Page[PostmortemView](items=[PostmortemView.of(one, now) for one in page.items], next=page.next)


@router.post("/postmortems", status_code=201, response_model=PostmortemView)
async def draft(
    who: Editor,
    order: DraftOrder,
    db: Db,
    clock: Now,
    settings: Settings,
    gatherer: TheGatherer,
    once: Annotated[Once, once()],
) -> Response:
    """Draft the postmortem of an incident, or read it again from the record: what people edited stays."""

    def make(session: Session) -> Answer:
        found = drafted(session, clock, settings, gatherer, order.incident, by=who.id, source="api")
        return Answer(PostmortemView.of(found, clock.now()).model_dump(mode="json"))

    return (await db.write(lambda session: once.run(session, lambda: make(session)))).response()


@router.get("/postmortems/themes")
async def themes(
    who: Viewer, db: Db, since: Annotated[AwareDatetime | None, Query(description="Incidents that ended since.")] = None
) -> list[ThemeView]:
    """Themes of contributing causes, the most frequent first, with their counts by month."""
    return themes_over_time(await db.ask(lambda session: store.theme_counts(session, since)))


@router.post("/postmortems/check")
async def check_words(who: Checker, order: CheckOrder, db: Db) -> CheckView:
    """Point at phrases that blame somebody. Nothing is kept."""

    def look(session: Session) -> list[FindingView]:
        # In the thread of the question: a long text takes a second, in which nobody else should wait.
        return [FindingView.of(one) for one in check(order.text, [one.name for one in identity.people(session)])]

    return CheckView(findings=await db.ask(look))


@router.get("/postmortems/{postmortem_id}")
async def show(
    who: Viewer, postmortem_id: PostmortemId, db: Db, clock: Now, settings: Settings
) -> PostmortemDetailView:
    """All of a postmortem."""

    def read(session: Session) -> PostmortemDetailView:
        found = Postmortems(session, clock, settings).get(postmortem_id)
        return PostmortemDetailView.of_all(
            found,
            clock.now(),
            store.sections_of(session, found.id),
            store.moments_of(session, found.id),
            store.reviews_of(session, found.id),
        )

    return await db.ask(read)


@router.patch("/postmortems/{postmortem_id}")
async def set_about(
    who: Editor, postmortem_id: PostmortemId, order: AboutOrder, db: Db, clock: Now, settings: Settings
) -> PostmortemView:
    """Say who sees to it, and the themes of its causes."""

    def change(session: Session) -> Postmortem:
        verbs = Postmortems(session, clock, settings)
        return verbs.set_about(postmortem_id, by=who.id, source="api", lead=order.lead, themes=order.themes)

    return PostmortemView.of(await db.write(change), clock.now())


@router.get("/postmortems/{postmortem_id}/sections/{name}", response_model=SectionView)
async def show_section(
    who: Viewer, request: Request, postmortem_id: PostmortemId, name: Section, db: Db, clock: Now, settings: Settings
) -> Response:
    """A section, with the ETag that a change is bound to."""
    found = await db.ask(lambda session: _section(session, clock, settings, postmortem_id, name))
    return not_modified(request, _tag(postmortem_id, found)) or _answer(postmortem_id, found)


@router.put("/postmortems/{postmortem_id}/sections/{name}", response_model=SectionView)
async def edit_section(
    who: Editor,
    request: Request,
    postmortem_id: PostmortemId,
    name: Section,
    order: SectionOrder,
    db: Db,
    clock: Now,
    settings: Settings,
) -> Response:
    """Replace a section's text. Needs `If-Match` with the ETag that was read."""

    def change(session: Session) -> SectionText:
        held = _section(session, clock, settings, postmortem_id, name, lock=True)
        require_match(request, _tag(postmortem_id, held))
        verbs = Postmortems(session, clock, settings)
        return verbs.edit(postmortem_id, name, order.text, version=held.version, by=who.id, source="api")

    return _answer(postmortem_id, await db.write(change))


@router.get("/postmortems/{postmortem_id}/sections/{name}/revisions")
async def section_revisions(
    who: Viewer, postmortem_id: PostmortemId, name: Section, db: Db, clock: Now, settings: Settings
) -> list[SectionView]:
    """What the section said, newest first, and who wrote it."""

    def read(session: Session) -> list[SectionText]:
        Postmortems(session, clock, settings).get(postmortem_id)
        return store.revisions_of(session, postmortem_id, name)

    return [SectionView.of(one) for one in await db.ask(read)]


@router.post("/postmortems/{postmortem_id}/moments", status_code=201, response_model=MomentView)
async def add_moment(
    who: Editor,
    postmortem_id: PostmortemId,
    order: MomentOrder,
    db: Db,
    clock: Now,
    settings: Settings,
    once: Annotated[Once, once()],
) -> Response:
    """Add a line to the timeline that no record has."""

    def add(session: Session) -> Answer:
        verbs = Postmortems(session, clock, settings)
        made = verbs.add_moment(postmortem_id, order.at, order.text, by=who.id, source="api")
        return Answer(MomentView(**vars(made)).model_dump(mode="json"))

    return (await db.write(lambda session: once.run(session, lambda: add(session)))).response()


@router.patch("/postmortems/{postmortem_id}/moments/{moment_id}")
async def mark_moment(
    who: Editor,
    postmortem_id: PostmortemId,
    moment_id: MomentId,
    order: MomentMark,
    db: Db,
    clock: Now,
    settings: Settings,
) -> MomentView:
    """Pin a line of the timeline, or hide it."""
    wanted = order.model_dump()

    def mark(session: Session) -> MomentView:
        verbs = Postmortems(session, clock, settings)
        return MomentView(**vars(verbs.mark_moment(postmortem_id, moment_id, by=who.id, source="api", **wanted)))

    return await db.write(mark)


@router.post("/postmortems/{postmortem_id}/state")
async def move(
    who: Editor, postmortem_id: PostmortemId, order: StateOrder, db: Db, clock: Now, settings: Settings
) -> PostmortemView:
    """Send it into review, back, call it reviewed, or publish it in the library."""

    def change(session: Session) -> Postmortem:
        verbs = Postmortems(session, clock, settings)
        return verbs.move(postmortem_id, order.to, by=who.id, source="api", reason=order.reason)

    return PostmortemView.of(await db.write(change), clock.now())


@router.post("/postmortems/{postmortem_id}/reviews")
async def review(who: Editor, postmortem_id: PostmortemId, db: Db, clock: Now, settings: Settings) -> PostmortemView:
    """Say that you have read it as it is now, and agree."""
    verb = await db.write(
        lambda session: Postmortems(session, clock, settings).review(postmortem_id, by=who.id, source="api")
    )
    return PostmortemView.of(verb, clock.now())


def drafted(
    session: Session,
    clock: Clock,
    settings: PostmortemSettings,
    gatherer: Gatherer,
    incident: str,
    *,
    by: str,
    source: str,
) -> Postmortem:
    """Read the story and write the draft, in one transaction: somebody waits for it."""
    story = gatherer.story(session, incident, clock.now())
    return Postmortems(session, clock, settings).draft(story, by=by, source=source)


def themes_over_time(found: list[tuple[str, datetime]]) -> list[ThemeView]:
    """Counted; the most frequent first."""
    by_theme: dict[str, Counter[str]] = defaultdict(Counter)
    for theme, at in found:
        by_theme[theme][f"{at:%Y-%m}"] += 1
    views = [
        ThemeView(theme=theme, count=months.total(), months=dict(sorted(months.items())))
        for theme, months in by_theme.items()
    ]
    return sorted(views, key=lambda one: (-one.count, one.theme))


def _section(
    session: Session,
    clock: Clock,
    settings: PostmortemSettings,
    postmortem_id: str,
    name: Section,
    *,
    lock: bool = False,
) -> SectionText:
    found = Postmortems(session, clock, settings).get(postmortem_id, lock=lock)
    return store.sections_of(session, found.id)[name]


def _tag(postmortem_id: str, one: SectionText) -> str:
    return etag_of([postmortem_id, one.name.value, one.version])


def _answer(postmortem_id: str, one: SectionText) -> Response:
    return with_etag(JSONResponse(SectionView.of(one).model_dump(mode="json")), _tag(postmortem_id, one))
