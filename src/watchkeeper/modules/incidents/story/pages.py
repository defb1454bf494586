"""The story on an incident's page, and by itself."""

# Annotations are kept as objects for FastAPI.
from typing import Annotated, Any

from fastapi import Form, Request
from pydantic import Field
from starlette.responses import HTMLResponse, RedirectResponse, Response

from watchkeeper.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Refusal
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import render, render_fragment
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.incidents.permissions import ACT_ON_INCIDENTS
from watchkeeper.modules.incidents.story.model import Story
from watchkeeper.modules.incidents.story.routes import (
    Db,
    IncidentId,
    Now,
    Responder,
    TheHub,
    TheStories,
    Viewer,
    tell_refusal,
)
from watchkeeper.modules.incidents.story.undoing import TELLING

router = page_router()
_SHOWN = 40


class UndoForm(PageForm):
    """Undo something."""

    fact: str = Field(max_length=60)
    reason: str = Field(default="", max_length=400)
    confirm: str = Field(default="", max_length=5)


@router.get("/incidents/{incident_id}/story")
async def story(
    who: Viewer, request: Request, incident_id: IncidentId, db: Db, clock: Now, stories: TheStories
) -> Response:
    """What happened and what may be to blame; only the part for whoever puts it into a page."""
    found = await db.ask(lambda session: stories.story(session, clock, incident_id))
    if request.headers.get("HX-Request") == "true":
        return HTMLResponse(render_fragment(request, "story/story.html", **_shown(found, who)))
    return render(request, "story/page.html", **_shown(found, who))


@router.post("/incidents/{incident_id}/story/undo")
async def undo(
    who: Responder,
    request: Request,
    incident_id: IncidentId,
    form: Annotated[UndoForm, Form()],
    db: Db,
    clock: Now,
    stories: TheStories,
    hub: TheHub,
) -> Response:
    """Undo something; a refusal is told on the story, as it is by then."""
    try:
        done = await db.write(
            lambda session: stories.undo(
                session,
                clock,
                incident_id,
                form.fact,
                reason=form.reason,
                confirmed=form.confirm == "yes",
                who=who,
                source="console",
            )
        )
    except (Conflict, Invalid, Forbidden, NotFound) as refusal:
        if refusal.code == "incidents.not_found":
            raise
        if isinstance(refusal, TELLING):
            await tell_refusal(db, clock, stories, incident_id, form.fact, refusal, who, "console")
        found = await db.ask(lambda session: stories.story(session, clock, incident_id))
        return render(request, "story/page.html", status=refusal.status, **_shown(found, who, refusal, form.fact))
    await hub.catch_up()
    return RedirectResponse(done.href if done.outcome == "begun" else f"/incidents/{incident_id}/story", 303)


def _shown(story: Story, who: Actor, refusal: Refusal | None = None, fact: str = "") -> dict[str, Any]:
    return {
        "story": story,
        "incident": story.incident,
        "lines": story.lines[-_SHOWN:],
        "earlier": story.lines[:-_SHOWN],
        "may_act": who.may(ACT_ON_INCIDENTS),
        "may": who.may,
        "refusal": refusal,
        "refused": fact,
    }
