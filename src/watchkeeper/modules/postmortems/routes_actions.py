"""The API of action items, and of where their issues go."""

# Annotations are kept as objects for FastAPI.
from typing import Annotated

from fastapi import Path, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse, Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.etag import etag_of, require_match, with_etag
from watchkeeper.kernel.web.idempotency import Answer, Once, once
from watchkeeper.kernel.web.parts import part
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.postmortems import store_actions
from watchkeeper.modules.postmortems.actions import Actions, NewAction
from watchkeeper.modules.postmortems.errors import TrackerMissing
from watchkeeper.modules.postmortems.github import GitHub
from watchkeeper.modules.postmortems.model import ActionItem
from watchkeeper.modules.postmortems.permissions import MANAGE_TRACKER
from watchkeeper.modules.postmortems.routes import Db, Editor, Now, PostmortemId, Viewer
from watchkeeper.modules.postmortems.store_actions import ActionFilter
from watchkeeper.modules.postmortems.trackers import Trackers
from watchkeeper.modules.postmortems.wire_actions import ActionEdit, ActionOrder, ActionView, TrackerOrder, TrackerView

router = api_router("postmortems")

TrackerManager = Annotated[Actor, requires(MANAGE_TRACKER)]
TheGitHub = Annotated[GitHub, part(GitHub)]
ActionId = Annotated[str, Path(min_length=1, max_length=40)]


@router.get("/postmortems/actions")
async def list_actions(
    who: Viewer,
    db: Db,
    clock: Now,
    owner: Annotated[str | None, Query(max_length=40, description="Only of this person.")] = None,
    service: Annotated[str | None, Query(max_length=300, description="Only of this service.")] = None,
    postmortem: Annotated[str | None, Query(max_length=40, description="Only of this postmortem.")] = None,
    everything: Annotated[bool, Query(alias="all", description="Those that are over, too.")] = False,
    overdue: Annotated[bool, Query(description="Only those whose day is over.")] = False,
) -> list[ActionView]:
    """Action items, what is due first in front; at most 1,000."""
    now = clock.now()
    wanted = ActionFilter(
        owner=owner,
        service=service,
        postmortem=postmortem,
        open_only=not everything,
        due_before=now.date() if overdue else None,
    )
    return await db.ask(lambda session: action_views(session, store_actions.listed(session, wanted), clock))


@router.post("/postmortems/{postmortem_id}/actions", status_code=201, response_model=ActionView)
async def add_action(
    who: Editor, postmortem_id: PostmortemId, order: ActionOrder, db: Db, clock: Now, once: Annotated[Once, once()]
) -> Response:
    """Write down what is to be done."""

    def add(session: Session) -> Answer:
        made = Actions(session, clock).add(postmortem_id, NewAction(**dict(order)), by=who.id, source="api")
        return Answer(_view(session, made, clock).model_dump(mode="json"), headers={"ETag": _tag(made)})

    return (await db.write(lambda session: once.run(session, lambda: add(session)))).response()


@router.get("/postmortems/actions/{action_id}", response_model=ActionView)
async def show_action(who: Viewer, action_id: ActionId, db: Db, clock: Now) -> Response:
    """An action item, with the ETag that a change is bound to."""

    def read(session: Session) -> tuple[ActionItem, ActionView]:
        found = Actions(session, clock).get(action_id)
        return found, _view(session, found, clock)

    return _answer(*await db.ask(read))


@router.patch("/postmortems/actions/{action_id}", response_model=ActionView)
async def change_action(
    who: Editor, request: Request, action_id: ActionId, order: ActionEdit, db: Db, clock: Now
) -> Response:
    """Change the given fields. Needs `If-Match` with the ETag that was read."""
    wanted = {name: getattr(order, name) for name in order.model_fields_set}

    def change(session: Session) -> tuple[ActionItem, ActionView]:
        verbs = Actions(session, clock)
        require_match(request, _tag(verbs.get(action_id, lock=True)))
        changed = verbs.change(action_id, wanted, by=who.id, source="api")
        return changed, _view(session, changed, clock)

    return _answer(*await db.write(change))


@router.post("/postmortems/actions/{action_id}/issue", status_code=202)
async def want_issue(who: Editor, action_id: ActionId, db: Db, clock: Now) -> ActionView:
    """Have an issue opened for it. The answer comes before the issue is there; asking twice opens one."""
    return await db.write(
        lambda session: _view(session, Actions(session, clock).want_issue(action_id, by=who.id, source="api"), clock)
    )


@router.get("/postmortems/tracker")
async def show_tracker(who: Viewer, db: Db) -> TrackerView:
    """Where issues go."""
    found = await db.ask(store_actions.tracker)
    if found is None:
        raise TrackerMissing("Nobody said where issues go.")
    return TrackerView.of(found)


@router.put("/postmortems/tracker")
async def put_tracker(who: TrackerManager, order: TrackerOrder, db: Db, clock: Now, github: TheGitHub) -> TrackerView:
    """Say where issues go, and with which token."""

    def put(session: Session) -> TrackerView:
        verbs = Trackers(session, clock, github)
        return TrackerView.of(verbs.put(order.repository, order.api_url, order.token, by=who.id, source="api"))

    return await db.write(put)


@router.delete("/postmortems/tracker", status_code=204)
async def forget_tracker(who: TrackerManager, db: Db, clock: Now, github: TheGitHub) -> Response:
    """Open no more issues, and forget the token."""
    await db.write(lambda session: Trackers(session, clock, github).forget(by=who.id, source="api"))
    return Response(status_code=204)


def action_views(session: Session, found: list[ActionItem], clock: Clock) -> list[ActionView]:
    """As shown; whether an owner has left is looked up once."""
    active = {one.id for one in identity.staff(session) if one.active}
    now = clock.now()
    return [ActionView.of(one, now, left=one.owner is not None and one.owner not in active) for one in found]


def _view(session: Session, one: ActionItem, clock: Clock) -> ActionView:
    return action_views(session, [one], clock)[0]


def _tag(one: ActionItem) -> str:
    return etag_of([one.id, one.version])


def _answer(one: ActionItem, view: ActionView) -> Response:
    return with_etag(JSONResponse(view.model_dump(mode="json")), _tag(one))
