"""Pages on which a section is written, and what it said before."""

# Annotations are kept as objects for FastAPI.
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Form, Request
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, RedirectResponse, Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Invalid, PreconditionFailed, Refusal
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import render, render_fragment
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.postmortems import store
from watchkeeper.modules.postmortems.blameless import check
from watchkeeper.modules.postmortems.model import HINTS, LONGEST_SECTION, TITLES, Section
from watchkeeper.modules.postmortems.permissions import EDIT_POSTMORTEMS
from watchkeeper.modules.postmortems.rendering import marked
from watchkeeper.modules.postmortems.routes import Checker, Db, Editor, Now, PostmortemId, Settings, Viewer
from watchkeeper.modules.postmortems.service import Postmortems
from watchkeeper.modules.postmortems.settings import PostmortemSettings

router = page_router()


class TextForm(PageForm):
    text: str = Field("", max_length=LONGEST_SECTION * 2)
    version: int = Field(0, ge=0, le=10_000_000)


@router.post("/postmortems/check")
async def check_words(who: Checker, request: Request, form: Annotated[TextForm, Form()], db: Db) -> Response:
    """What of a text blames somebody, while it is being written."""
    text = form.text.replace("\r\n", "\n")
    # In the thread of the question: a long text takes a second, in which nobody else should wait.
    found = await db.ask(lambda session: check(text, [one.name for one in identity.people(session)]))
    return HTMLResponse(render_fragment(request, "postmortems/findings.html", findings=found))


@router.get("/postmortems/{postmortem_id}/sections/{name}")
async def section(
    who: Viewer, request: Request, postmortem_id: PostmortemId, name: Section, db: Db, clock: Now, settings: Settings
) -> Response:
    """The form that a section is edited in."""
    return await _section_page(request, db, clock, settings, who, postmortem_id, name)


@router.post("/postmortems/{postmortem_id}/sections/{name}")
async def edit(
    who: Editor,
    request: Request,
    postmortem_id: PostmortemId,
    name: Section,
    form: Annotated[TextForm, Form()],
    db: Db,
    clock: Now,
    settings: Settings,
) -> Response:
    """Save a section; the version in the form guards against overwriting somebody else's text."""

    def change(session: Session) -> None:
        verbs = Postmortems(session, clock, settings)
        verbs.edit(postmortem_id, name, form.text, version=form.version, by=who.id, source="console")

    try:
        await db.write(change)
    except (Invalid, PreconditionFailed) as refusal:
        return await _section_page(request, db, clock, settings, who, postmortem_id, name, form=form, refusal=refusal)
    return RedirectResponse(f"/postmortems/{quote(postmortem_id)}#{name.value}", status_code=303)


@router.get("/postmortems/{postmortem_id}/history/{name}")
async def history(
    who: Viewer, request: Request, postmortem_id: PostmortemId, name: Section, db: Db, clock: Now, settings: Settings
) -> Response:
    """What a section said before, and who wrote it."""

    def read(session: Session) -> dict[str, Any]:
        found = Postmortems(session, clock, settings).get(postmortem_id)
        revisions = store.revisions_of(session, postmortem_id, name)
        return {"one": found, "revisions": revisions, "names": identity.names(session, [each.by for each in revisions])}

    return render(request, "postmortems/history.html", title=TITLES[name], **await db.ask(read))


async def _section_page(
    request: Request,
    db: Database,
    clock: Clock,
    settings: PostmortemSettings,
    who: Actor,
    postmortem_id: str,
    name: Section,
    *,
    form: TextForm | None = None,
    refusal: Refusal | None = None,
) -> Response:
    def read(session: Session) -> dict[str, Any]:
        found = Postmortems(session, clock, settings).get(postmortem_id)
        held = store.sections_of(session, found.id)[name]
        text = form.text.replace("\r\n", "\n") if form is not None else held.text
        names = [one.name for one in identity.people(session)]
        findings = check(text, names)
        return {
            "one": found,
            "held": held,
            "text": text,
            "findings": findings,
            "marked_text": marked(text, findings),
            "by": identity.names(session, [held.by])[held.by],
        }

    return render(
        request,
        "postmortems/edit.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        name=name,
        title=TITLES[name],
        hint=HINTS[name],
        may_edit=who.may(EDIT_POSTMORTEMS),
        changed_meanwhile=isinstance(refusal, PreconditionFailed),
        **await db.ask(read),
    )
