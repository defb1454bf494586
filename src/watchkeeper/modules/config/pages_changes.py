"""Pages of changes: what waits, what is planned, what was made, and the way back."""

# Annotations are kept as objects for FastAPI.
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Form, Query, Request
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Complaint, Conflict, Forbidden, Invalid, PreconditionFailed, Refusal
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.paging import Cursor, page_of
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.config import store, store_changes
from watchkeeper.modules.config.authority import require_keys
from watchkeeper.modules.config.changes import Changes
from watchkeeper.modules.config.errors import ChangeInvalid
from watchkeeper.modules.config.hub import Hub
from watchkeeper.modules.config.model import ChangeSet, ChangeState
from watchkeeper.modules.config.pages_shared import (
    STATE_WORDS,
    InAddress,
    Place,
    StepShown,
    names_wanted,
    place,
    step_shown,
)
from watchkeeper.modules.config.permissions import APPROVE_CONFIG, CHANGE_CONFIG
from watchkeeper.modules.config.routes import Changer, Db, Now, Settings, TheHub, Viewer
from watchkeeper.modules.config.routes_changes import Approver, place_of
from watchkeeper.modules.identity import public as identity
from watchkeeper_client.rules import Definition

router = page_router()

_ON_A_PAGE = 30
_MOST_OPEN = 100
_MOST_STEPS = 3


class ApproveForm(PageForm):
    """The content that the approver looked at."""

    content_hash: str = Field("", max_length=64)


class WhyForm(PageForm):
    """A reason."""

    reason: str = Field("", max_length=1_000)


@dataclass(frozen=True)
class Told:
    """A change with its steps in words; `more` are those that a list leaves out."""

    change: ChangeSet
    steps: tuple[StepShown, ...]
    more: int = 0


@dataclass(frozen=True)
class Board:
    """Everything on the page of changes."""

    place: Place
    waiting: tuple[Told, ...]
    scheduled: tuple[Told, ...]
    recent: tuple[Told, ...]
    next: str | None
    names: dict[str, str]


@dataclass(frozen=True)
class ChangePage:
    """Everything on the page of one change."""

    place: Place
    told: Told
    known: frozenset[str]
    undone_by: ChangeSet | None
    names: dict[str, str]
    may_touch: bool


@router.get("/config/changes")
async def changes(
    who: Viewer,
    request: Request,
    db: Db,
    clock: Now,
    settings: Settings,
    environment: InAddress = "",
    everywhere: Annotated[str, Query(max_length=3)] = "",
    cursor: Cursor = None,
) -> Response:
    """What waits for approval, what is planned, and what was changed lately."""

    def read(session: Session) -> Board:
        here = place(session, clock, environment or settings.default_environment)
        where = None if everywhere else here.name
        states = [state for state in ChangeState if state not in (ChangeState.WAITING_APPROVAL, ChangeState.SCHEDULED)]
        before = place_of(cursor) if cursor else None
        found = store_changes.find(session, limit=_ON_A_PAGE + 1, environment=where, states=states, before=before)
        page = page_of(found, _ON_A_PAGE, lambda one: (one.proposed_at, one.id))
        # Whatever environment one looks at: what waits for approval waits for everybody.
        waiting = store_changes.find(session, limit=_MOST_OPEN, states=[ChangeState.WAITING_APPROVAL])
        planned = store_changes.scheduled(session, where)
        everything = [*waiting, *planned, *page.items]
        definitions = _definitions(session, everything)
        names = identity.names(
            session, names_wanted([c.proposed_by for c in everything], [c.decided_by for c in everything])
        )

        def told(listed: list[ChangeSet]) -> tuple[Told, ...]:
            return tuple(_told(one, definitions, most=_MOST_STEPS) for one in listed)

        return Board(here, told(waiting), told(planned), told(page.items), page.next, names)

    board = await db.ask(read)
    return render(
        request,
        "config/changes.html",
        place=board.place,
        board=board,
        everywhere=bool(everywhere),
        state_words=STATE_WORDS,
        is_older=cursor is not None,
    )


@router.get("/config/changes/{change_id}")
async def change(who: Viewer, request: Request, change_id: str, db: Db, clock: Now) -> Response:
    """One change: what it does, why, by whom, and what can be done about it."""
    return await _change_page(request, who, db, clock, change_id)


@router.post("/config/changes/{change_id}/approve")
async def approve(
    who: Approver,
    request: Request,
    change_id: str,
    form: Annotated[ApproveForm, Form()],
    db: Db,
    clock: Now,
    hub: TheHub,
) -> Response:
    """Let a change be made that somebody else proposed."""
    return await _decide(
        request,
        who,
        db,
        clock,
        hub,
        change_id,
        lambda verbs: verbs.approve(change_id, seen=form.content_hash, by=who.id, source="console"),
    )


@router.post("/config/changes/{change_id}/reject")
async def reject(
    who: Approver, request: Request, change_id: str, form: Annotated[WhyForm, Form()], db: Db, clock: Now, hub: TheHub
) -> Response:
    """Say no to a change that waits."""
    _require_reason(form)
    return await _decide(
        request,
        who,
        db,
        clock,
        hub,
        change_id,
        lambda verbs: verbs.reject(change_id, reason=form.reason, by=who.id, source="console"),
    )


@router.post("/config/changes/{change_id}/cancel")
async def cancel(
    who: Changer, request: Request, change_id: str, form: Annotated[WhyForm, Form()], db: Db, clock: Now, hub: TheHub
) -> Response:
    """Take back a change that was not made yet."""
    _require_reason(form)
    return await _decide(
        request,
        who,
        db,
        clock,
        hub,
        change_id,
        lambda verbs: verbs.cancel(change_id, reason=form.reason, by=who.id, source="console"),
    )


@router.post("/config/changes/{change_id}/revert")
async def revert(
    who: Changer, request: Request, change_id: str, form: Annotated[WhyForm, Form()], db: Db, clock: Now, hub: TheHub
) -> Response:
    """Set back what a change set; leads to the change that does it."""
    return await _decide(
        request,
        who,
        db,
        clock,
        hub,
        change_id,
        lambda verbs: verbs.revert(change_id, reason=form.reason, by=who.id, source="console"),
    )


async def _decide(
    request: Request,
    who: Actor,
    db: Database,
    clock: Clock,
    hub: Hub,
    change_id: str,
    verb: Callable[[Changes], ChangeSet],
) -> Response:
    """Run a verb; a refusal is told on the change's page, as it is by then."""

    def decide(session: Session) -> ChangeSet:
        verbs = Changes(session, clock)
        require_keys(session, who, verbs.change(change_id).keys)
        return verb(verbs)

    try:
        decided = await db.write(decide)
    except (Conflict, Invalid, PreconditionFailed, Forbidden) as refusal:
        return await _change_page(request, who, db, clock, change_id, refusal=refusal)
    await hub.catch_up()
    return RedirectResponse(f"/config/changes/{decided.id}", status_code=303)


async def _change_page(
    request: Request, who: Actor, db: Database, clock: Clock, change_id: str, *, refusal: Refusal | None = None
) -> Response:
    def read(session: Session) -> ChangePage:
        found = Changes(session, clock).change(change_id)
        here = place(session, clock, found.environment)
        definitions = _definitions(session, [found])
        undone = store_changes.revert_of(session, change_id)
        names = names_wanted([found.proposed_by, found.decided_by, undone.proposed_by if undone else None])
        try:
            require_keys(session, who, found.keys)
            may_touch = True
        except Forbidden:
            may_touch = False
        return ChangePage(
            here, _told(found, definitions), frozenset(definitions), undone, identity.names(session, names), may_touch
        )

    page = await db.ask(read)
    found = page.told.change
    is_open = found.state in (ChangeState.WAITING_APPROVAL, ChangeState.SCHEDULED)
    own = found.proposed_by == who.id
    return render(
        request,
        "config/change.html",
        status=refusal.status if refusal else 200,
        place=page.place,
        page=page,
        change=found,
        own=own,
        refusal=refusal,
        state_words=STATE_WORDS,
        may_approve=who.may(APPROVE_CONFIG)
        and page.may_touch
        and not own
        and found.state is ChangeState.WAITING_APPROVAL,
        may_cancel=who.may(CHANGE_CONFIG) and page.may_touch and is_open,
        may_undo=who.may(CHANGE_CONFIG)
        and page.may_touch
        and found.state is ChangeState.APPLIED
        and page.undone_by is None,
    )


def _require_reason(form: WhyForm) -> None:
    if not form.reason.strip() or len(form.reason) > 500:
        complaint = Complaint("reason", "why, in 1 to 500 characters; it is kept on the timeline")
        raise ChangeInvalid("Say why; nothing was changed.", complaints=[complaint])


def _definitions(session: Session, changes_shown: list[ChangeSet]) -> dict[str, Definition]:
    found = store.parameters_of(session, {key for one in changes_shown for key in one.keys})
    return {key: one.definition for key, one in found.items()}


def _told(one: ChangeSet, definitions: dict[str, Definition], *, most: int | None = None) -> Told:
    steps = one.steps if most is None else one.steps[:most]
    shown = tuple(step_shown(definitions.get(s.key), s.key, s.slot, s.before, s.after) for s in steps)
    return Told(one, shown, len(one.steps) - len(steps))
