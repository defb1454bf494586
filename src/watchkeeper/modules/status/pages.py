"""Pages for those who keep the status page: drafts to review, components, maintenance, how many subscribed."""

# Annotations are kept as objects for FastAPI.
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Form, Request
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Complaint, Conflict, Invalid, NotFound, Refusal
from watchkeeper.kernel.journal import Fact, FactFilter, read_facts
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import NavItem, render
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.status import snapshot, store, store_revisions
from watchkeeper.modules.status.errors import StatusInvalid, UpdateNotFound
from watchkeeper.modules.status.events import UpdateWithdrawn
from watchkeeper.modules.status.model import PublicIncident, Stage, State, Update
from watchkeeper.modules.status.permissions import DRAFT_UPDATES, PUBLISH_UPDATES, VIEW_STATUS
from watchkeeper.modules.status.publishing import Draft, Edit, Publishing
from watchkeeper.modules.status.routes import Db, Drafter, Now, Publisher, Viewer, write_draft
from watchkeeper.modules.status.wire import ids_of

router = page_router()
NAV = (NavItem("Status page", "/status-page", "ok", order=19, permission=VIEW_STATUS),)
# What an update may say of a component; maintenance is planned, not written.
STATES = [(one.value, one.value.replace("_", " ")) for one in State if one is not State.MAINTENANCE]
_MOST_SHOWN = 20
STAGES = [(one.value, one.value) for one in Stage]
TABS = (
    ("Updates", "/status-page"),
    ("Components", "/status-page/components"),
    ("Maintenance", "/status-page/maintenance"),
)


def tabs(current: str) -> list[tuple[str, str, bool]]:
    """The sections of these pages."""
    return [(label, href, label == current) for label, href in TABS]


class DraftForm(PageForm):
    """A draft; `states` are `name=state`, one for each component that is mentioned."""

    incident: str = Field(default="", max_length=40)
    title: str = Field(default="", max_length=300)
    status: str = Field(default="investigating", max_length=20)
    body: str = Field(default="", max_length=20_000)
    states: list[str] = Field(default_factory=list, max_length=200)
    then: str = Field(default="", max_length=10)


class ReviewForm(PageForm):
    """What somebody decides of an update, with the text as it stands before them."""

    status: str = Field(default="investigating", max_length=20)
    body: str = Field(default="", max_length=20_000)
    states: list[str] = Field(default_factory=list, max_length=200)
    version: int = Field(default=0, ge=0)
    then: str = Field(default="publish", max_length=10)
    reason: str = Field(default="", max_length=500)


class WithdrawForm(PageForm):
    """What is taken back, and why."""

    what: str = Field(default="incident", max_length=10)
    reason: str = Field(default="", max_length=2_000)


@router.get("/status-page")
async def overview(who: Viewer, request: Request, db: Db, clock: Now) -> Response:
    """Drafts to review first, then what is public, and the form for another."""
    return await _overview(request, who, db, clock)


@router.post("/status-page/updates")
async def draft(who: Drafter, request: Request, form: Annotated[DraftForm, Form()], db: Db, clock: Now) -> Response:
    """Write a draft."""

    def write(session: Session) -> None:
        said = Draft(
            stage=_stage(form.status),
            body=_body(form.body),
            components=ids_of(_states(form.states), store.components(session)),
            happened_at=clock.now(),
        )
        title = None if form.incident else form.title
        write_draft(session, clock, said, incident=form.incident or None, title=title, by=who.id, source="console")

    return await _do(request, who, db, clock, write, form)


@router.post("/status-page/updates/{update_id}")
async def review(
    who: Publisher, request: Request, update_id: str, form: Annotated[ReviewForm, Form()], db: Db, clock: Now
) -> Response:
    """Save the text as it stands in the form, and publish it where that was pressed."""

    def write(session: Session) -> None:
        publishing = Publishing(session, clock)
        said = ids_of(_states(form.states), store.components(session))
        change = Edit(body=_body(form.body), stage=_stage(form.status), components=said)
        edited = publishing.edit(update_id, change, version=form.version, by=who.id, source="console")
        if form.then == "publish":
            publishing.publish(update_id, version=edited.version, by=who.id, source="console")

    return await _do(request, who, db, clock, write)


@router.post("/status-page/updates/{update_id}/discard")
async def discard(
    who: Drafter, request: Request, update_id: str, form: Annotated[ReviewForm, Form()], db: Db, clock: Now
) -> Response:
    """Nobody will see this draft."""

    def write(session: Session) -> None:
        Publishing(session, clock).discard(update_id, reason=form.reason, by=who.id, source="console")

    return await _do(request, who, db, clock, write)


@router.post("/status-page/updates/{update_id}/withdraw")
async def withdraw(
    who: Publisher, request: Request, update_id: str, form: Annotated[WithdrawForm, Form()], db: Db, clock: Now
) -> Response:
    """It is not public any more: this update, or all that was published of its incident."""

    def write(session: Session) -> None:
        publishing = Publishing(session, clock)
        if form.what == "update":
            publishing.withdraw_update(update_id, reason=form.reason, by=who.id, source="console")
            return
        found = store.one_update(session, update_id)
        if found is None:
            raise UpdateNotFound(f"The status page has no update {update_id}.")
        publishing.withdraw(found.incident, reason=form.reason, by=who.id, source="console")

    return await _do(request, who, db, clock, write)


async def _do(
    request: Request,
    who: Actor,
    db: Database,
    clock: Clock,
    write: Callable[[Session], None],
    form: DraftForm | None = None,
) -> Response:
    try:
        await db.write(write)
    except (Invalid, Conflict, NotFound) as refusal:
        return await _overview(request, who, db, clock, form, refusal)
    return RedirectResponse("/status-page", status_code=303)


async def _overview(
    request: Request,
    who: Actor,
    db: Database,
    clock: Clock,
    form: DraftForm | None = None,
    refusal: Refusal | None = None,
) -> Response:
    def read(session: Session) -> dict[str, Any]:
        drafts, recent = store.drafts(session), store.recent_updates(session, 20)
        gone = read_facts(session, FactFilter(kinds=(UpdateWithdrawn.kind,)), limit=10)
        earlier = store_revisions.of_updates(session, [one.id for one in recent])
        people = {one.drafted_by for one in drafts} | {one.published_by for one in recent if one.published_by}
        people |= {one.actor for one in gone} | {one.changed_by for kept in earlier.values() for one in kept}
        return {
            "taken": snapshot.take(session, clock.now()),
            "drafts": _with_incidents(session, drafts),
            "recent": _with_incidents(session, recent),
            "earlier": earlier,
            "gone": [(fact, _said_in(session, fact)) for fact in gone],
            "components": store.components(session),
            "open": store.open_incidents(session),
            "names": identity.names(session, people),
        }

    found = await db.ask(read)
    return render(
        request,
        "status/overview.html",
        status=refusal.status if refusal else 200,
        tabs=tabs("Updates"),
        form=form or DraftForm(),
        refusal=refusal,
        states=STATES,
        stages=STAGES,
        may_draft=who.may(DRAFT_UPDATES),
        may_publish=who.may(PUBLISH_UPDATES),
        **found,
    )


def _with_incidents(session: Session, updates: list[Update]) -> list[tuple[Update, PublicIncident]]:
    found = [(one, store.incident(session, one.incident)) for one in updates]
    return [(one, incident) for one, incident in found if incident is not None]


def _said_in(session: Session, fact: Fact) -> list[Update]:
    found = [store.one_update(session, str(one)) for one in fact.data["updates"][:_MOST_SHOWN]]
    return [one for one in found if one is not None]


def _stage(text: str) -> Stage:
    try:
        return Stage(text)
    except ValueError:
        complaint = Complaint("status", "investigating, identified, monitoring or resolved")
        raise StatusInvalid("That is no status of an incident.", complaints=[complaint]) from None


def _body(text: str) -> str:
    # Browsers send line ends as CR LF.
    text = text.replace("\r\n", "\n").strip()
    if not 1 <= len(text) <= 10_000:
        raise StatusInvalid("The update says nothing.", complaints=[Complaint("body", "one to 10,000 characters")])
    return text


def _states(pairs: list[str]) -> dict[str, State]:
    found = {}
    for pair in pairs:
        name, _, state = pair.partition("=")
        if not state:
            # Left as it is.
            continue
        try:
            found[name] = State(state)
        except ValueError:
            complaint = Complaint(f"components.{name}"[:100], "a state of a component")
            raise StatusInvalid("That is no state of a component.", complaints=[complaint]) from None
    return found
