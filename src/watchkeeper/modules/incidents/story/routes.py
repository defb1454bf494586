"""The API of stories."""

# Annotations are kept as objects for FastAPI.
from typing import Annotated

from fastapi import Path
from sqlalchemy.orm import Session
from starlette.responses import Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Refusal
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.idempotency import Answer, Once, once
from watchkeeper.kernel.web.parts import clock_part, database_part, part
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.config.public import Hub
from watchkeeper.modules.incidents.permissions import ACT_ON_INCIDENTS, VIEW_INCIDENTS
from watchkeeper.modules.incidents.story.undoing import TELLING, Stories
from watchkeeper.modules.incidents.story.wire import DoneView, StoryView, UndoOrder

router = api_router("incidents")

Viewer = Annotated[Actor, requires(VIEW_INCIDENTS)]
Responder = Annotated[Actor, requires(ACT_ON_INCIDENTS)]
Db = Annotated[Database, database_part()]
Now = Annotated[Clock, clock_part()]
TheStories = Annotated[Stories, part(Stories)]
TheHub = Annotated[Hub, part(Hub)]
IncidentId = Annotated[str, Path(min_length=1, max_length=80, description="Id or name of an incident.")]


@router.get("/incidents/{incident_id}/story")
async def story(who: Viewer, incident_id: IncidentId, db: Db, clock: Now, stories: TheStories) -> StoryView:
    """What happened from half an hour before the errors began, and which change may be to blame."""
    found = await db.ask(lambda session: stories.story(session, clock, incident_id))
    return StoryView.of(found, who)


@router.post("/incidents/{incident_id}/story/undo", response_model=DoneView)
async def undo(
    who: Responder,
    incident_id: IncidentId,
    order: UndoOrder,
    db: Db,
    clock: Now,
    stories: TheStories,
    hub: TheHub,
    once: Annotated[Once, once()],
) -> Response:
    """Undo a change, end a silence or start the rollback of a deployment; needs that verb's permission, too."""

    def make(session: Session) -> Answer:
        done = stories.undo(
            session,
            clock,
            incident_id,
            order.fact,
            reason=order.reason,
            confirmed=order.confirm,
            who=who,
            source="api",
        )
        return Answer(DoneView.of(done).model_dump(mode="json"), 200)

    try:
        answer = await db.write(lambda session: once.run(session, lambda: make(session)))
    except TELLING as refusal:
        await tell_refusal(db, clock, stories, incident_id, order.fact, refusal, who, "api")
        raise
    await hub.catch_up()
    return answer.response()


async def tell_refusal(
    db: Database,
    clock: Clock,
    stories: Stories,
    incident_id: str,
    mark: str,
    refusal: Refusal,
    who: Actor,
    source: str,
) -> None:
    """Put on record what was tried and why it could not be, but for a form that was not filled in."""
    if refusal.code == "incidents.undo_not_confirmed":
        return
    await db.write(lambda session: stories.refused(session, clock, incident_id, mark, refusal, who=who, source=source))
