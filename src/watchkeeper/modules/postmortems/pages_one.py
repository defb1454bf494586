"""The page of a postmortem: reading it, writing it together, reviewing and sharing it."""

# Annotations are kept as objects for FastAPI.
from datetime import UTC, date, datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Form, Request
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Complaint, Conflict, Invalid, Refusal
from watchkeeper.kernel.journal import FactFilter, describe_fact, read_facts
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.postmortems import store, store_actions
from watchkeeper.modules.postmortems.actions import Actions, NewAction
from watchkeeper.modules.postmortems.blameless import check
from watchkeeper.modules.postmortems.drafting import words_of
from watchkeeper.modules.postmortems.errors import ActionInvalid, PostmortemInvalid
from watchkeeper.modules.postmortems.model import (
    NEXT,
    TITLES,
    ActionState,
    Priority,
    Section,
    SectionText,
    State,
)
from watchkeeper.modules.postmortems.permissions import EDIT_POSTMORTEMS
from watchkeeper.modules.postmortems.rendering import as_markdown, html_beside
from watchkeeper.modules.postmortems.routes import Db, Editor, MomentId, Now, PostmortemId, Settings, Viewer
from watchkeeper.modules.postmortems.routes_actions import action_views
from watchkeeper.modules.postmortems.routes_shares import Links
from watchkeeper.modules.postmortems.service import Postmortems
from watchkeeper.modules.postmortems.settings import PostmortemSettings

router = page_router()
_HISTORY = 50


class AboutForm(PageForm):
    lead: str = Field("", max_length=40)
    themes: str = Field("", max_length=2_000)


class MomentForm(PageForm):
    at: str = Field("", max_length=40)
    text: str = Field("", max_length=3_000)


class MarkForm(PageForm):
    mark: str = Field("", max_length=10)


class MoveForm(PageForm):
    to: State
    reason: str = Field("", max_length=500)


class ActionForm(PageForm):
    title: str = Field("", max_length=1_000)
    detail: str = Field("", max_length=20_000)
    owner: str = Field("", max_length=40)
    due_on: str = Field("", max_length=20)
    priority: Priority = Priority.MEDIUM


@router.get("/postmortems/{postmortem_id}.md")
async def export(who: Viewer, postmortem_id: PostmortemId, db: Db, clock: Now, settings: Settings) -> Response:
    """All of it as one Markdown file."""

    def read(session: Session) -> tuple[str, str]:
        found = Postmortems(session, clock, settings).get(postmortem_id)
        actions = store_actions.listed(session, store_actions.ActionFilter(postmortem=found.id))
        names = identity.names(session, [one.owner for one in actions if one.owner])
        texts, moments = store.sections_of(session, found.id), store.moments_of(session, found.id)
        return found.id, as_markdown(found, texts, moments, actions, names)

    name, text = await db.ask(read)
    headers = {"Content-Disposition": f'attachment; filename="{name}.md"', "Cache-Control": "no-store"}
    return Response(text, headers=headers, media_type="text/markdown; charset=utf-8")


@router.get("/postmortems/{postmortem_id}")
async def one(
    who: Viewer, request: Request, postmortem_id: PostmortemId, db: Db, clock: Now, settings: Settings, links: Links
) -> Response:
    """A postmortem."""
    return await _page(request, db, clock, settings, who, postmortem_id)


@router.post("/postmortems/{postmortem_id}/about")
async def about(
    who: Editor, postmortem_id: PostmortemId, form: Annotated[AboutForm, Form()], db: Db, clock: Now, settings: Settings
) -> Response:
    """Who sees to it, and its themes, one a line or separated by commas."""
    themes = [one for line in form.themes.splitlines() for one in line.split(",") if one.strip()]
    await db.write(
        lambda session: Postmortems(session, clock, settings).set_about(
            postmortem_id, by=who.id, source="console", lead=form.lead, themes=themes
        )
    )
    return _to(postmortem_id)


@router.post("/postmortems/{postmortem_id}/moments")
async def add_moment(
    who: Editor,
    request: Request,
    postmortem_id: PostmortemId,
    form: Annotated[MomentForm, Form()],
    db: Db,
    clock: Now,
    settings: Settings,
) -> Response:
    """A line of the timeline; the time is in UTC, as the form says."""
    try:
        at = datetime.fromisoformat(form.at)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    except ValueError:
        refusal = PostmortemInvalid(
            "The time can't be read.", complaints=[Complaint("at", "a time such as 2026-11-30T14:05")]
        )
        return await _page(request, db, clock, settings, who, postmortem_id, refusal=refusal)
    try:
        await db.write(
            lambda session: Postmortems(session, clock, settings).add_moment(
                postmortem_id, at, form.text, by=who.id, source="console"
            )
        )
    except Invalid as refusal:
        return await _page(request, db, clock, settings, who, postmortem_id, refusal=refusal)
    return _to(postmortem_id, "timeline")


@router.post("/postmortems/{postmortem_id}/moments/{moment_id}")
async def mark_moment(
    who: Editor,
    postmortem_id: PostmortemId,
    moment_id: MomentId,
    form: Annotated[MarkForm, Form()],
    db: Db,
    clock: Now,
    settings: Settings,
) -> Response:
    """Pin a line, make it a detail, hide it, or show it again."""
    marks: dict[str, dict[str, bool]] = {
        "pin": {"first_class": True},
        "detail": {"first_class": False},
        "hide": {"hidden": True},
        "show": {"hidden": False},
    }
    await db.write(
        lambda session: Postmortems(session, clock, settings).mark_moment(
            postmortem_id, moment_id, by=who.id, source="console", **marks.get(form.mark, {})
        )
    )
    return _to(postmortem_id, "timeline")


@router.post("/postmortems/{postmortem_id}/state")
async def move(
    who: Editor,
    request: Request,
    postmortem_id: PostmortemId,
    form: Annotated[MoveForm, Form()],
    db: Db,
    clock: Now,
    settings: Settings,
) -> Response:
    """Into review, back, reviewed, published."""
    try:
        await db.write(
            lambda session: Postmortems(session, clock, settings).move(
                postmortem_id, form.to, by=who.id, source="console", reason=form.reason
            )
        )
    except Conflict as refusal:
        return await _page(request, db, clock, settings, who, postmortem_id, refusal=refusal)
    return _to(postmortem_id)


@router.post("/postmortems/{postmortem_id}/review")
async def review(
    who: Editor,
    request: Request,
    postmortem_id: PostmortemId,
    form: Annotated[PageForm, Form()],
    db: Db,
    clock: Now,
    settings: Settings,
) -> Response:
    """Somebody has read it."""
    try:
        await db.write(
            lambda session: Postmortems(session, clock, settings).review(postmortem_id, by=who.id, source="console")
        )
    except Conflict as refusal:
        return await _page(request, db, clock, settings, who, postmortem_id, refusal=refusal)
    return _to(postmortem_id, "review")


@router.post("/postmortems/{postmortem_id}/actions")
async def add_action(
    who: Editor,
    request: Request,
    postmortem_id: PostmortemId,
    form: Annotated[ActionForm, Form()],
    db: Db,
    clock: Now,
    settings: Settings,
) -> Response:
    """Write down what is to be done."""
    try:
        order = _action_order(form)
        await db.write(lambda session: Actions(session, clock).add(postmortem_id, order, by=who.id, source="console"))
    except Invalid as refusal:
        return await _page(request, db, clock, settings, who, postmortem_id, refusal=refusal, action=form)
    return _to(postmortem_id, "actions")


def _action_order(form: ActionForm) -> NewAction:
    try:
        due_on = date.fromisoformat(form.due_on) if form.due_on else None
    except ValueError:
        raise ActionInvalid(
            "The day can't be read.", complaints=[Complaint("due_on", "a day such as 2026-12-24")]
        ) from None
    return NewAction(
        title=form.title, detail=form.detail, owner=form.owner or None, due_on=due_on, priority=form.priority
    )


async def _page(
    request: Request,
    db: Database,
    clock: Clock,
    settings: PostmortemSettings,
    who: Actor,
    postmortem_id: str,
    *,
    refusal: Refusal | None = None,
    action: ActionForm | None = None,
) -> Response:
    """The page, with what somebody typed if it has to be typed again."""

    def read(session: Session) -> dict[str, Any]:
        found = Postmortems(session, clock, settings).get(postmortem_id)
        actions = store_actions.listed(session, store_actions.ActionFilter(postmortem=found.id))
        facts = read_facts(session, FactFilter(subjects=(found.id, *(one.id for one in actions))), limit=_HISTORY)
        reviews = store.reviews_of(session, found.id)
        people = [found.lead, *(one.owner for one in actions), *(one.person for one in reviews)]
        return {
            "one": found,
            "texts": store.sections_of(session, found.id),
            "moments": store.moments_of(session, found.id),
            "actions": action_views(session, actions, clock),
            "reviews": reviews,
            "staff": [one for one in identity.staff(session) if one.active and one.responds],
            "facts": [(fact, describe_fact(fact)) for fact in facts],
            "names": identity.names(session, [*(one for one in people if one), *(fact.actor for fact in facts)]),
            "has_tracker": store_actions.tracker(session) is not None,
            "findings": _findings(session, store.sections_of(session, found.id)),
        }

    found = await db.ask(read)
    return render(
        request,
        "postmortems/postmortem.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        errors={one.where: one.expected for one in refusal.complaints} if refusal is not None else {},
        action=action or ActionForm.model_construct(title="", detail="", owner="", due_on="", priority=Priority.MEDIUM),
        titles=TITLES,
        next_states=NEXT,
        ActionStates=ActionState,
        Priorities=Priority,
        html_of=await html_beside([text.text for text in found["texts"].values()]),
        words_of=words_of,
        may_edit=who.may(EDIT_POSTMORTEMS),
        **found,
    )


def _findings(session: Session, texts: dict[Section, SectionText]) -> dict[str, int]:
    names = [one.name for one in identity.people(session)]
    found = {name.value: len(check(text.text, names)) for name, text in texts.items()}
    return {name: number for name, number in found.items() if number}


def _to(postmortem_id: str, anchor: str = "") -> Response:
    where = f"#{anchor}" if anchor else ""
    return RedirectResponse(f"/postmortems/{quote(postmortem_id)}{where}", status_code=303)
