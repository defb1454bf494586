"""Pages of segments: the list, and the form with its preview."""

# Annotations are kept as objects for FastAPI.
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Form, Query, Request
from pydantic import Field, ValidationError
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, RedirectResponse, Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Conflict, Invalid, PreconditionFailed, Refusal
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.csv_table import csv_response, csv_text
from watchkeeper.kernel.web.etag import etag_of
from watchkeeper.kernel.web.pages import render, render_fragment
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.subjects import store, store_segments
from watchkeeper.modules.subjects.errors import SegmentChanged
from watchkeeper.modules.subjects.model import Segment
from watchkeeper.modules.subjects.pages_form import TYPES, SegmentForm, complaints_of, lines_of
from watchkeeper.modules.subjects.permissions import EDIT_SEGMENTS
from watchkeeper.modules.subjects.routes import Db, Now
from watchkeeper.modules.subjects.routes_segments import Editor, Name, Uses, Viewer, preview_of
from watchkeeper.modules.subjects.segments import Segments, SegmentUses, version_of
from watchkeeper.modules.subjects.tally import Tally, tally
from watchkeeper.modules.subjects.wire_segments import MembersEdit, PreviewView

router = page_router()
_LISTED_SAMPLE, _LISTED_SECONDS = 20_000, 0.5
_MEMBERS_SHOWN = 200
SegmentInput = Annotated[SegmentForm, Form()]


class MembersForm(PageForm):
    add: str = Field("", max_length=2_100_000)
    remove: str = Field("", max_length=2_100_000)
    reason: str = Field("", max_length=500)


class DeleteForm(PageForm):
    reason: str = Field("", max_length=500)
    version: str = Field("", max_length=100)


@router.get("/segments")
async def segments(who: Viewer, request: Request, db: Db, clock: Now, uses: Uses) -> Response:
    """Every segment with its type, how many are in it, and what uses it."""
    shown = await db.ask(lambda session: _listed(session, clock, uses))
    return render(request, "subjects/segments.html", types=TYPES, may_edit=who.may(EDIT_SEGMENTS), **shown)


@router.get("/segments.csv")
async def segments_csv(who: Viewer, db: Db, clock: Now, uses: Uses) -> Response:
    """The list as CSV."""
    shown = await db.ask(lambda session: _listed(session, clock, uses))
    header = ["name", "type", "description", "rule", "members", "estimate", "used by", "described by"]
    rows = [
        [
            one.name,
            one.definition.type,
            one.definition.description,
            rule_in_words(one),
            shown["tallies"][one.name].count,
            "yes" if shown["tallies"][one.name].is_estimate else "no",
            "; ".join(shown["used_by"][one.name]),
            one.managed_by,
        ]
        for one in shown["segments"]
    ]
    return csv_response("segments.csv", csv_text(header, rows))


@router.get("/segments/new")
async def new_segment(
    who: Editor, request: Request, db: Db, clock: Now, kind: Annotated[str, Query(alias="type", max_length=50)] = ""
) -> Response:
    """The form of a new segment."""
    return await _form_page(request, db, clock, who, SegmentForm.blank(kind))


@router.post("/segments/new")
async def make_segment(who: Editor, request: Request, form: SegmentInput, db: Db, clock: Now) -> Response:
    """Make a segment."""
    try:
        described = form.described()
        definition = described.definition()
        await db.ask(lambda session: Segments(session, clock).require_somebody(definition, described.members))
        await db.write(
            lambda session: Segments(session, clock).create(
                form.name, definition, described.members, by=who.id, source="console", reason=form.reason
            )
        )
    except (ValidationError, Invalid, Conflict) as error:
        return await _form_page(request, db, clock, who, form, errors=complaints_of(error), status=422)
    return RedirectResponse(f"/segments/{form.name}", status_code=303)


@router.post("/segments/preview")
async def preview(who: Editor, request: Request, form: SegmentInput, db: Db, clock: Now) -> Response:
    """Who would be in it: a piece of the page for whoever types, the whole page for the button."""
    found, errors = None, dict[str, str]()
    try:
        found = await preview_of(db, clock, form.described())
    except (ValidationError, Invalid) as error:
        errors = complaints_of(error)
    if request.headers.get("hx-request") == "true":
        return HTMLResponse(render_fragment(request, "subjects/preview.html", preview=found, errors=errors))
    segment = None
    if form.version:
        segment = await db.ask(lambda session: store_segments.by_name(session, form.name))
    return await _form_page(request, db, clock, who, form, segment=segment, errors=errors, preview=found)


@router.get("/segments/{name}")
async def show_segment(who: Viewer, request: Request, name: Name, db: Db, clock: Now, uses: Uses) -> Response:
    """A segment: who is in it, what uses it, and the form to change it."""
    segment = await db.ask(lambda session: Segments(session, clock).segment(name))
    return await _form_page(request, db, clock, who, SegmentForm.of(segment), segment=segment, uses=uses)


@router.post("/segments/{name}")
async def change_segment(
    who: Editor, request: Request, name: Name, form: SegmentInput, db: Db, clock: Now, uses: Uses
) -> Response:
    """Change a segment; the version in the form guards against overwriting somebody else's change."""
    try:
        definition = form.described().definition()
        await db.ask(lambda session: Segments(session, clock).require_somebody(definition))

        def change(session: Session) -> None:
            segments = Segments(session, clock)
            _require_version(segments.segment(name, lock=True), form.version)
            segments.change(name, definition, by=who.id, source="console", reason=form.reason)

        await db.write(change)
    except (ValidationError, Invalid, PreconditionFailed) as error:
        return await _again(request, db, clock, who, name, uses, error, form=form)
    return RedirectResponse(f"/segments/{name}", status_code=303)


@router.post("/segments/{name}/members")
async def change_members(
    who: Editor, request: Request, name: Name, form: Annotated[MembersForm, Form()], db: Db, clock: Now, uses: Uses
) -> Response:
    """Add and remove members of a manual segment."""
    try:
        order = MembersEdit(add=lines_of(form.add), remove=lines_of(form.remove), reason=form.reason)
        await db.write(
            lambda session: Segments(session, clock).change_members(
                name, order.add, order.remove, by=who.id, source="console", reason=order.reason
            )
        )
    except (ValidationError, Invalid, Conflict) as error:
        return await _again(request, db, clock, who, name, uses, error, members=form)
    return RedirectResponse(f"/segments/{name}#members", status_code=303)


@router.post("/segments/{name}/delete")
async def delete_segment(
    who: Editor, request: Request, name: Name, form: Annotated[DeleteForm, Form()], db: Db, clock: Now, uses: Uses
) -> Response:
    """Delete a segment that nothing uses."""

    def delete(session: Session) -> None:
        store_segments.hold(session, alone=True)
        segments = Segments(session, clock)
        _require_version(segments.segment(name, lock=True), form.version)
        segments.delete(name, uses, by=who.id, source="console", reason=form.reason)

    try:
        await db.write(delete)
    except (Invalid, Conflict, PreconditionFailed) as error:
        return await _again(request, db, clock, who, name, uses, error)
    return RedirectResponse("/segments", status_code=303)


def rule_in_words(segment: Segment) -> str:
    """Who belongs to it, on one line."""
    rule = segment.definition.rule
    match segment.definition.type:
        case "auto_country":
            return ", ".join(rule.countries)
        case "auto_age":
            lowest = "" if rule.from_age is None else f"from {rule.from_age} "
            return lowest + ("" if rule.to_age is None else f"to {rule.to_age} ") + "years"
        case "auto_activity":
            seen = "seen within" if rule.activity == "active" else "not seen for"
            return f"{seen} {rule.within}"
        case "custom":
            return " ".join((rule.expression or "").split())
        case _:
            return "a list"


def _listed(session: Session, clock: Clock, uses: SegmentUses) -> dict[str, Any]:
    everything = store_segments.all_segments(session)
    counts, total = store_segments.member_counts(session), store.total(session)
    conditions = {one.name: one.condition for one in everything if one.condition is not None}
    tallies = tally(session, conditions, clock.now(), clock=clock, most=_LISTED_SAMPLE, patience=_LISTED_SECONDS)
    listed = {one.name: Tally(counts.get(one.name, 0), total, total) for one in everything if one.condition is None}
    return {
        "segments": everything,
        "tallies": {**tallies, **listed},
        "rules": {one.name: rule_in_words(one) for one in everything},
        "used_by": {one.name: uses.of(session, one.name) for one in everything},
        "total": total,
    }


async def _form_page(
    request: Request,
    db: Database,
    clock: Clock,
    who: Actor,
    form: SegmentForm,
    *,
    segment: Segment | None = None,
    uses: SegmentUses | None = None,
    errors: Mapping[str, str] | None = None,
    preview: PreviewView | None = None,
    members: MembersForm | None = None,
    status: int = 200,
) -> Response:
    """The form with what somebody typed, or with what is there."""

    def read(session: Session) -> tuple[list[str], list[str], int]:
        if segment is None:
            return [], [], 0
        listed = store_segments.page_of_members(session, segment.name, None, _MEMBERS_SHOWN)
        return (
            (uses or SegmentUses()).of(session, segment.name),
            listed,
            store_segments.count_members(session, segment.name),
        )

    used_by, listed, count = await db.ask(read)
    if form.type not in TYPES:
        errors, form = {**(errors or {}), "": "There is no such type of segment."}, SegmentForm.blank("custom")
    if preview is None and segment is not None and not errors and segment.condition is not None:
        preview = await preview_of(db, clock, SegmentForm.of(segment).described())
    return render(
        request,
        "subjects/segment.html",
        status=status,
        form=form,
        segment=segment,
        types=TYPES,
        used_by=used_by,
        listed=listed,
        count=count,
        errors=dict(errors or {}),
        preview=preview,
        members_form=members or MembersForm.model_validate({}),
        may_edit=who.may(EDIT_SEGMENTS),
    )


async def _again(
    request: Request,
    db: Database,
    clock: Clock,
    who: Actor,
    name: str,
    uses: SegmentUses,
    error: ValidationError | Refusal,
    *,
    form: SegmentForm | None = None,
    members: MembersForm | None = None,
) -> Response:
    """The page with what was typed, ready to be sent again against the version that is there now."""
    segment = await db.ask(lambda session: Segments(session, clock).segment(name))
    fresh = etag_of(version_of(segment))
    shown = form.model_copy(update={"version": fresh, "name": name}) if form is not None else SegmentForm.of(segment)
    status = error.status if isinstance(error, Refusal) else 422
    errors = complaints_of(error)
    return await _form_page(
        request, db, clock, who, shown, segment=segment, uses=uses, errors=errors, members=members, status=status
    )


def _require_version(segment: Segment, version: str) -> None:
    if etag_of(version_of(segment)) != version:
        raise SegmentChanged(
            "Somebody else changed this segment meanwhile. What you typed is still below; save again to put it in the "
            "place of theirs."
        )
