"""Editors of schedules and policies: both say what they find, and show it, before anything is saved."""

# Annotations are kept as objects for FastAPI.
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Form, Request
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Complaint, Conflict, Forbidden, Invalid, Refusal
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.oncall import store
from watchkeeper.modules.oncall.definition import Schedule
from watchkeeper.modules.oncall.errors import ScheduleInvalid
from watchkeeper.modules.oncall.pages import sections
from watchkeeper.modules.oncall.pages_form import EditForm, content_of, fits_fields
from watchkeeper.modules.oncall.pages_policy import Way, ways
from watchkeeper.modules.oncall.pages_schedule import Day, days_of
from watchkeeper.modules.oncall.paging.replaying import stretch_of
from watchkeeper.modules.oncall.people import Addresses
from watchkeeper.modules.oncall.permissions import CHANGE_ONCALL
from watchkeeper.modules.oncall.policy import Policy
from watchkeeper.modules.oncall.routes import Changer, Db, NameInPath, Now, Viewer, require_own
from watchkeeper.modules.oncall.routes_replay import replayed
from watchkeeper.modules.oncall.service import Definitions, advice, known, require_sound
from watchkeeper.modules.oncall.store import ContentT, Stored
from watchkeeper.modules.oncall.wire_replay import ReplayView
from watchkeeper.modules.oncall.words import WEEKDAYS

router = page_router()
# What stands at these addresses is no schedule or policy.
TAKEN = frozenset({"new"})
_POLICY = """\
name: shop
default: true
steps:
  - notify: [{schedule: primary}]
    wait: 5m
  - notify: [{everyone: true}]
    wait: 10m
# Others for some severities (critical is SEV-1):
routes:
  - severities: [critical]
    steps:
      - notify: [{schedule: primary}, {everyone: true}]
        wait: 5m
# Called besides when it goes on too long:
unresolved:
  - after: 1h
    severities: [critical]
    notify: [{person: founder@example.com}]
repeat: 2
"""


@dataclass(frozen=True)
class Looked:
    """What would be said of something if it were saved, and how it would look."""

    advice: list[str]
    days: list[Day]
    ways: list[Way]
    replayed: ReplayView | None = None


@router.get("/oncall/schedules/new")
async def new_schedule(who: Viewer, request: Request, db: Db, clock: Now) -> Response:
    """An empty form."""
    _require_editor(who)
    form = EditForm(way="fields", start=clock.now().date().isoformat())
    return await _page(request, db, clock, Schedule, form, None)


@router.post("/oncall/schedules/new")
async def make_schedule(
    who: Changer, request: Request, form: Annotated[EditForm, Form()], db: Db, clock: Now
) -> Response:
    """Make a schedule, or only check it."""
    return await _save(request, db, clock, who, Schedule, form, None)


@router.get("/oncall/schedules/{name}/edit")
async def edit_schedule(who: Viewer, request: Request, name: NameInPath, db: Db, clock: Now) -> Response:
    """The form with what is there."""
    _require_editor(who)
    return await _edit(request, db, clock, Schedule, name)


@router.post("/oncall/schedules/{name}/edit")
async def change_schedule(
    who: Changer, request: Request, name: NameInPath, form: Annotated[EditForm, Form()], db: Db, clock: Now
) -> Response:
    """Change a schedule, or only check it."""
    return await _save(request, db, clock, who, Schedule, form, name)


@router.post("/oncall/schedules/{name}/delete")
async def delete_schedule(
    who: Changer, name: NameInPath, form: Annotated[PageForm, Form()], db: Db, clock: Now
) -> Response:
    """Delete a schedule with its overrides."""

    def write(session: Session) -> None:
        verbs = Definitions(session, clock)
        require_own(session, who, verbs.schedule(name).content)
        verbs.remove_schedule(name, by=who.id, source="console")

    await db.write(write)
    return RedirectResponse("/oncall", status_code=303)


@router.get("/oncall/policies/new")
async def new_policy(who: Viewer, request: Request, db: Db, clock: Now) -> Response:
    """A form with an example."""
    _require_editor(who)
    return await _page(request, db, clock, Policy, EditForm(text=_POLICY), None)


@router.post("/oncall/policies/new")
async def make_policy(
    who: Changer, request: Request, form: Annotated[EditForm, Form()], db: Db, clock: Now
) -> Response:
    """Make a policy, or only check it."""
    return await _save(request, db, clock, who, Policy, form, None)


@router.get("/oncall/policies/{name}/edit")
async def edit_policy(who: Viewer, request: Request, name: NameInPath, db: Db, clock: Now) -> Response:
    """The form with what is there."""
    _require_editor(who)
    return await _edit(request, db, clock, Policy, name)


@router.post("/oncall/policies/{name}/edit")
async def change_policy(
    who: Changer, request: Request, name: NameInPath, form: Annotated[EditForm, Form()], db: Db, clock: Now
) -> Response:
    """Change a policy, or only check it."""
    return await _save(request, db, clock, who, Policy, form, name)


@router.post("/oncall/policies/{name}/delete")
async def delete_policy(
    who: Changer, name: NameInPath, form: Annotated[PageForm, Form()], db: Db, clock: Now
) -> Response:
    """Delete a policy; what it was for goes by the default one."""

    def write(session: Session) -> None:
        verbs = Definitions(session, clock)
        require_own(session, who, verbs.policy(name).content)
        verbs.remove_policy(name, by=who.id, source="console")

    await db.write(write)
    return RedirectResponse("/oncall/policies", status_code=303)


def _require_editor(who: Actor) -> None:
    if not who.may(CHANGE_ONCALL):
        raise Forbidden("Schedules and policies are edited by operators. To stand in for somebody, take over.")


async def _edit(request: Request, db: Database, clock: Clock, model: type[ContentT], name: str) -> Response:
    def read(session: Session) -> EditForm:
        verbs = Definitions(session, clock)
        stored: Stored[Any] = verbs.schedule(name) if issubclass(model, Schedule) else verbs.policy(name)
        return EditForm.of(Addresses.read(session).written(stored.content), stored.version)

    return await _page(request, db, clock, model, await db.ask(read), name)


async def _save(
    request: Request,
    db: Database,
    clock: Clock,
    who: Actor,
    model: type[ContentT],
    form: EditForm,
    before: str | None,
) -> Response:
    try:
        said = content_of(form, model, clock.now().date())
        _require_name(said.name, before)
        if form.check or form.replay:
            looked = await db.ask(lambda session: _look(session, clock, said, replay=bool(form.replay)))
            return await _page(request, db, clock, model, form, before, looked=looked)
        await db.write(lambda session: _put(session, clock, who, said, form, before))
    except (Invalid, Conflict) as refusal:
        return await _page(request, db, clock, model, form, before, refusal=refusal)
    return RedirectResponse(f"{_place(model)}/{said.name}", status_code=303)


def _require_name(name: str, before: str | None) -> None:
    if before is not None and name != before:
        raise ScheduleInvalid("It keeps its name.", complaints=[Complaint("name", f"{before}: it keeps its name")])
    if name in TAKEN:
        raise ScheduleInvalid("The name is taken.", complaints=[Complaint("name", "another name")])


def _put(
    session: Session, clock: Clock, who: Actor, said: ContentT, form: EditForm, before: str | None
) -> Stored[ContentT]:
    content = Addresses.read(session).kept(said)
    earlier = store.by_name(session, type(said), before) if before is not None else None
    require_own(session, who, content, earlier.content if earlier is not None else None)
    return Definitions(session, clock).put(
        content,
        by=who.id,
        source="console",
        only_new=before is None,
        if_version=form.version if before is not None else None,
    )


def _look(session: Session, clock: Clock, said: Schedule | Policy, *, replay: bool) -> Looked:
    addresses = Addresses.read(session)
    content: Any = addresses.kept(said)  # type: ignore[type-var]
    require_sound(session, content)
    found = known(session, instead=[content])
    names = identity.names(session, found.staff.people)
    if isinstance(content, Schedule):
        days = days_of(found.rosters[content.name], clock.now().replace(microsecond=0), names)
        return Looked(advice(session, content, clock), days, [])
    tried = None
    if replay:
        tried = replayed(session, content, *stretch_of(None, None, clock), clock, every=False)
    shown = ways(content, found, clock.now().replace(microsecond=0), names)
    return Looked(advice(session, content, clock), [], shown, tried)


async def _page(
    request: Request,
    db: Database,
    clock: Clock,
    model: type[Schedule] | type[Policy],
    form: EditForm,
    before: str | None,
    *,
    refusal: Refusal | None = None,
    looked: Looked | None = None,
) -> Response:
    def read(session: Session) -> tuple[list[str], Stored[Any] | None]:
        people = [str(one.email or one.id) for one in identity.staff(session) if one.active]
        return people, store.by_name(session, model, before) if before is not None else None

    people, stored = await db.ask(read)
    return render(
        request,
        "oncall/edit.html",
        status=refusal.status if refusal else 200,
        tabs=sections("Policies" if model is Policy else ""),
        of_schedule=model is Schedule,
        place=_place(model),
        form=form,
        before=before,
        stored=stored,
        by_fields=model is Schedule and (stored is None or fits_fields(stored.content)),
        refusal=refusal,
        looked=looked,
        people=people,
        weekdays=WEEKDAYS,
    )


def _place(model: type[Schedule] | type[Policy]) -> str:
    return "/oncall/schedules" if model is Schedule else "/oncall/policies"
