"""Pages of environments: which there are, who reads them, how two differ, and taking values from one to the other."""

# Annotations are kept as objects for FastAPI.
from dataclasses import dataclass
from typing import Annotated

from fastapi import Form, Query, Request
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Complaint, Conflict, Invalid, PreconditionFailed, Refusal
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.config import store, store_reports
from watchkeeper.modules.config.changes import Changes
from watchkeeper.modules.config.errors import EnvironmentInvalid
from watchkeeper.modules.config.model import ChangeSet, Environment, differences
from watchkeeper.modules.config.pages_proposal import look, preview_page
from watchkeeper.modules.config.pages_shared import InAddress, Place, StepShown, place, step_shown
from watchkeeper.modules.config.permissions import CHANGE_CONFIG, MANAGE_ENVIRONMENTS
from watchkeeper.modules.config.reports import FRESH
from watchkeeper.modules.config.routes import Changer, Db, Keeper, Now, Settings, TheHub, Viewer
from watchkeeper.modules.config.service import Config
from watchkeeper.modules.config.store_reports import Reader
from watchkeeper_client.rules import Definition

router = page_router()


class EnvironmentForm(PageForm):
    """An environment to add."""

    name: str = Field("", max_length=100)
    copy_from: str = Field("", max_length=64)
    needs_approval: str = ""
    reason: str = Field("", max_length=1_000)


class ApprovalForm(PageForm):
    """Whether changes wait for a second person."""

    needs_approval: str = ""
    reason: str = Field("", max_length=1_000)


class PromoteForm(PageForm):
    """Keys whose values one environment takes over from another."""

    source: str = Field("", max_length=64)
    target: str = Field("", max_length=64)
    key: list[str] = Field(default_factory=list, max_length=500)
    reason: str = Field("", max_length=1_000)


@dataclass(frozen=True)
class Served:
    """An environment and the programs that read it; of those, which are behind or were not heard of lately."""

    environment: Environment
    settings: int
    readers: tuple[Reader, ...]


@dataclass(frozen=True)
class Differing:
    """A key that two environments disagree about, with every slot of it."""

    key: str
    definition: Definition | None
    steps: tuple[StepShown, ...]

    @property
    def takes_away(self) -> bool:
        """Whether the target would lose something: that is often meant to differ, and is never chosen beforehand."""
        return any(step.takes_away for step in self.steps)


@router.get("/config/environments")
async def environments(
    who: Viewer, request: Request, db: Db, clock: Now, settings: Settings, environment: InAddress = ""
) -> Response:
    """Where values hold, and who reads them."""
    name = environment or settings.default_environment
    return await _environments_page(
        request, who, db, clock, name, EnvironmentForm.model_construct(name="", copy_from=name, reason="")
    )


@router.post("/config/environments")
async def add_environment(
    who: Keeper,
    request: Request,
    form: Annotated[EnvironmentForm, Form()],
    db: Db,
    clock: Now,
    hub: TheHub,
    settings: Settings,
) -> Response:
    """Add an environment, empty or with the values of another."""

    def add(session: Session) -> Environment:
        _require_reason(form.reason)
        return Config(session, clock).add_environment(
            form.name,
            copy_from=form.copy_from or None,
            needs_approval=bool(form.needs_approval),
            reason=form.reason,
            by=who.id,
            source="console",
        )

    try:
        made = await db.write(add)
    except (Invalid, Conflict) as refusal:
        name = settings.default_environment
        return await _environments_page(request, who, db, clock, name, form, refusal=refusal)
    await hub.catch_up()
    return RedirectResponse(f"/config/environments?environment={made.name}", status_code=303)


@router.post("/config/environments/{name}/approval")
async def set_approval(who: Keeper, name: str, form: Annotated[ApprovalForm, Form()], db: Db, clock: Now) -> Response:
    """Whether changes of an environment wait for a second person."""

    def change(session: Session) -> None:
        _require_reason(form.reason)
        Config(session, clock).set_needs_approval(
            name, bool(form.needs_approval), reason=form.reason, by=who.id, source="console"
        )

    await db.write(change)
    return RedirectResponse(f"/config/environments?environment={name}", status_code=303)


@router.get("/config/diff")
async def diff(
    who: Viewer,
    request: Request,
    db: Db,
    clock: Now,
    settings: Settings,
    source: Annotated[str, Query(alias="from", max_length=64)] = "",
    target: Annotated[str, Query(alias="to", max_length=64)] = "",
    environment: InAddress = "",
) -> Response:
    """What two environments disagree about."""
    here = environment or settings.default_environment
    return await _diff_page(request, who, db, clock, here, source, target)


@router.post("/config/promote")
async def promote(who: Changer, request: Request, form: Annotated[PromoteForm, Form()], db: Db, clock: Now) -> Response:
    """Look at what one environment takes over from another before it does."""

    def take_over(verbs: Changes) -> ChangeSet:
        return verbs.promote(form.source, form.target, form.key, reason=form.reason, by=who.id, source="console")

    try:
        if not form.key:
            complaint = Complaint("key", "at least one parameter that differs")
            raise EnvironmentInvalid("Nothing was chosen; nothing was changed.", complaints=[complaint])
        preview = await look(db, clock, who, take_over)
    except (Invalid, PreconditionFailed) as refusal:
        return await _diff_page(
            request, who, db, clock, form.target, form.source, form.target, chosen=form.key, refusal=refusal
        )
    back = f"/config/diff?environment={form.target}&from={form.source}&to={form.target}"
    return preview_page(request, preview, back=back)


async def _environments_page(
    request: Request,
    who: Actor,
    db: Database,
    clock: Clock,
    name: str,
    form: EnvironmentForm,
    *,
    refusal: Refusal | None = None,
) -> Response:
    def read(session: Session) -> tuple[Place, list[Served]]:
        here = place(session, clock, name)
        found = [
            Served(
                one,
                sum(map(len, store.held(session, one.name).settings.values())),
                tuple(store_reports.all_readers(session, one.name)),
            )
            for one in here.environments
        ]
        return here, found

    here, found = await db.ask(read)
    return render(
        request,
        "config/environments.html",
        status=refusal.status if refusal else 200,
        place=here,
        found=found,
        form=form,
        refusal=refusal,
        errors={one.where: one.expected for one in refusal.complaints} if refusal else {},
        fresh_since=clock.now() - FRESH,
        may_manage=who.may(MANAGE_ENVIRONMENTS),
    )


async def _diff_page(
    request: Request,
    who: Actor,
    db: Database,
    clock: Clock,
    environment: str,
    source: str,
    target: str,
    *,
    chosen: list[str] | None = None,
    refusal: Refusal | None = None,
) -> Response:
    def read(session: Session) -> tuple[Place, str, str, list[Differing]]:
        here = place(session, clock, environment)
        others = [one.name for one in here.environments if one.name != here.name]
        before, after = source or (others[0] if others else here.name), target or here.name
        config = Config(session, clock)
        config.environment(before)
        config.environment(after)
        return here, before, after, _differing(session, before, after) if before != after else []

    here, before, after, found = await db.ask(read)
    return render(
        request,
        "config/diff.html",
        status=refusal.status if refusal else 200,
        place=here,
        source=before,
        target=after,
        found=found,
        chosen=chosen,
        refusal=refusal,
        may_change=who.may(CHANGE_CONFIG),
    )


def _differing(session: Session, source: str, target: str) -> list[Differing]:
    found: dict[str, list[StepShown]] = {}
    here, there = store.held(session, source).settings, store.held(session, target).settings
    known = store.parameters_of(session, {*here, *there})
    for one in differences(here, there):
        definition = known[one.key].definition if one.key in known else None
        found.setdefault(one.key, []).append(step_shown(definition, one.key, one.slot, one.target, one.source))
    return [
        Differing(key, known[key].definition if key in known else None, tuple(steps)) for key, steps in found.items()
    ]


def _require_reason(reason: str) -> None:
    if not reason or len(reason) > 500:
        complaint = Complaint("reason", "why, in 1 to 500 characters; it is kept on the timeline")
        raise EnvironmentInvalid("Say why; nothing was changed.", complaints=[complaint])
