"""The API of changes: proposed, approved, undone, promoted."""

# Annotations are kept as objects for FastAPI.
from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import Query
from sqlalchemy.orm import Session
from starlette.responses import Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.ids import is_id
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.idempotency import Answer, Once, once
from watchkeeper.kernel.web.paging import DEFAULT_LIMIT, BadCursor, Cursor, Limit, Page, decode_cursor, page_of
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.config import store, store_changes
from watchkeeper.modules.config.authority import require_keys
from watchkeeper.modules.config.changes import Changes
from watchkeeper.modules.config.model import ChangeSet, ChangeState, differences
from watchkeeper.modules.config.permissions import APPROVE_CONFIG
from watchkeeper.modules.config.routes import Changer, Db, KeyInPath, Now, TheHub, Viewer
from watchkeeper.modules.config.service import Config
from watchkeeper.modules.config.wire import ChangeView, DifferenceView, NewChange, Promotion, Seen, Why

router = api_router("config")

Approver = Annotated[Actor, requires(APPROVE_CONFIG)]


@router.post("/config/changes", status_code=201, response_model=ChangeView)
async def propose(
    who: Changer, order: NewChange, db: Db, clock: Now, hub: TheHub, once: Annotated[Once, once()]
) -> Response:
    """Change values and overrides: at once, at a time, or when somebody else approves; `state` says which."""
    operations = [one.operation() for one in order.operations]

    def make(session: Session) -> Answer:
        require_keys(session, who, [one.key for one in operations])
        change = Changes(session, clock).propose(
            order.environment, operations, reason=order.reason, by=who.id, source="api", due_at=order.at
        )
        return Answer(ChangeView.of(change).model_dump(mode="json"))

    answer = await db.write(lambda session: once.run(session, lambda: make(session)))
    await hub.catch_up()
    return answer.response()


@router.get("/config/changes")
async def list_changes(
    who: Viewer,
    db: Db,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    environment: Annotated[str | None, Query(max_length=64)] = None,
    state: Annotated[ChangeState | None, Query(description="Only changes of this state.")] = None,
) -> Page[ChangeView]:
    """Changes, newest first."""
    return await db.ask(lambda session: _page(session, limit, cursor, environment=environment, state=state))


@router.get("/config/parameters/{key}/history")
async def history(
    who: Viewer,
    key: KeyInPath,
    db: Db,
    clock: Now,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    environment: Annotated[str | None, Query(max_length=64, description="Unset: of all environments.")] = None,
) -> Page[ChangeView]:
    """Every change of a parameter, newest first."""

    def read(session: Session) -> Page[ChangeView]:
        Config(session, clock).parameter(key)
        return _page(session, limit, cursor, environment=environment, key=key)

    return await db.ask(read)


@router.get("/config/changes/{change_id}")
async def show_change(who: Viewer, change_id: str, db: Db, clock: Now) -> ChangeView:
    """One change."""
    return ChangeView.of(await db.ask(lambda session: Changes(session, clock).change(change_id)))


@router.post("/config/changes/{change_id}/approve")
async def approve(who: Approver, change_id: str, order: Seen, db: Db, clock: Now, hub: TheHub) -> ChangeView:
    """Let a change be made that somebody else proposed; bound to the content that was looked at."""
    return await _decided(
        db,
        clock,
        hub,
        who,
        change_id,
        lambda one: one.approve(change_id, seen=order.content_hash, by=who.id, source="api"),
    )


@router.post("/config/changes/{change_id}/reject")
async def reject(who: Approver, change_id: str, order: Why, db: Db, clock: Now, hub: TheHub) -> ChangeView:
    """Say no to a change that waits."""
    return await _decided(
        db, clock, hub, who, change_id, lambda one: one.reject(change_id, reason=order.reason, by=who.id, source="api")
    )


@router.post("/config/changes/{change_id}/cancel")
async def cancel(who: Changer, change_id: str, order: Why, db: Db, clock: Now, hub: TheHub) -> ChangeView:
    """Take back a change that waits or is scheduled."""
    return await _decided(
        db, clock, hub, who, change_id, lambda one: one.cancel(change_id, reason=order.reason, by=who.id, source="api")
    )


@router.post("/config/changes/{change_id}/revert", status_code=201, response_model=ChangeView)
async def revert(
    who: Changer, change_id: str, order: Why, db: Db, clock: Now, hub: TheHub, once: Annotated[Once, once()]
) -> Response:
    """Set back what a change set, if it still holds and fits today's bounds."""

    def make(session: Session) -> Answer:
        changes = Changes(session, clock)
        require_keys(session, who, changes.change(change_id).keys)
        undone = changes.revert(change_id, reason=order.reason, by=who.id, source="api")
        return Answer(ChangeView.of(undone).model_dump(mode="json"))

    answer = await db.write(lambda session: once.run(session, lambda: make(session)))
    await hub.catch_up()
    return answer.response()


@router.get("/config/diff")
async def diff(
    who: Viewer,
    db: Db,
    clock: Now,
    source: Annotated[str, Query(alias="from", max_length=64)],
    target: Annotated[str, Query(alias="to", max_length=64)],
) -> Page[DifferenceView]:
    """Values and segment overrides that two environments disagree about."""

    def read(session: Session) -> Page[DifferenceView]:
        config = Config(session, clock)
        config.environment(source)
        config.environment(target)
        here, there = store.held(session, source).settings, store.held(session, target).settings
        return Page[DifferenceView](items=[DifferenceView.of(one) for one in differences(here, there)], next=None)

    return await db.ask(read)


@router.post("/config/promote", status_code=201, response_model=ChangeView)
async def promote(
    who: Changer, order: Promotion, db: Db, clock: Now, hub: TheHub, once: Annotated[Once, once()]
) -> Response:
    """Give one environment the values of another, as one change."""

    def make(session: Session) -> Answer:
        here, there = store.held(session, order.source).settings, store.held(session, order.target).settings
        keys = [one.key for one in differences(here, there)] if order.keys is None else order.keys
        require_keys(session, who, keys)
        change = Changes(session, clock).promote(
            order.source, order.target, order.keys, reason=order.reason, by=who.id, source="api"
        )
        return Answer(ChangeView.of(change).model_dump(mode="json"))

    answer = await db.write(lambda session: once.run(session, lambda: make(session)))
    await hub.catch_up()
    return answer.response()


def place_of(cursor: str) -> tuple[datetime, str]:
    """The place in the list of changes that a cursor stands for. Raises BadCursor."""
    at, change_id = decode_cursor(cursor, tuple[datetime, str])
    if at.tzinfo is None or not is_id(change_id, "chg"):
        raise BadCursor("The cursor can't be read. Start again without one.")
    return at, change_id


def _page(
    session: Session,
    limit: int,
    cursor: str | None,
    *,
    environment: str | None,
    state: ChangeState | None = None,
    key: str | None = None,
) -> Page[ChangeView]:
    found = store_changes.find(
        session,
        limit=limit + 1,
        environment=environment,
        states=[state] if state else [],
        key=key,
        before=place_of(cursor) if cursor else None,
    )
    page = page_of(found, limit, lambda one: (one.proposed_at, one.id))
    return Page[ChangeView](items=[ChangeView.of(one) for one in page.items], next=page.next)


async def _decided(
    db: Database, clock: Clock, hub: TheHub, who: Actor, change_id: str, verb: Callable[[Changes], ChangeSet]
) -> ChangeView:
    def decide(session: Session) -> ChangeSet:
        changes = Changes(session, clock)
        require_keys(session, who, changes.change(change_id).keys)
        return verb(changes)

    decided = await db.write(decide)
    await hub.catch_up()
    return ChangeView.of(decided)
