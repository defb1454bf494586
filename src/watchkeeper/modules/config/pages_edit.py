"""Forms of a parameter's page: a value, an override, a flag's state. All but the kill switch are looked at first."""

# Annotations are kept as objects for FastAPI.
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Form, Request
from pydantic import Field, StringConstraints
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Complaint, Invalid, PreconditionFailed, Refusal
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.config.authority import require_keys
from watchkeeper.modules.config.changes import Changes
from watchkeeper.modules.config.errors import ChangeInvalid
from watchkeeper.modules.config.model import VALUE, ChangeSet, Operation
from watchkeeper.modules.config.pages_about import about
from watchkeeper.modules.config.pages_flag import StateForm
from watchkeeper.modules.config.pages_parameter import Typed, parameter_page
from watchkeeper.modules.config.pages_proposal import Proposal, instant, look, preview_page
from watchkeeper.modules.config.routes import Changer, Db, KeyInPath, Now, TheHub
from watchkeeper_client.rules import Definition, NotThatType, parse_text

router = page_router()

# What somebody types may begin with a space and mean it.
Verbatim = Annotated[str, StringConstraints(strip_whitespace=False, max_length=100_000)]


class ValueForm(PageForm):
    """A value for everybody; `unset` takes it away."""

    environment: str = Field("", max_length=64)
    value: Verbatim = ""
    version: int = Field(0, ge=0)
    unset: str = ""
    reason: str = Field("", max_length=1_000)
    at: str = Field("", max_length=40)


class OverrideForm(PageForm):
    """A value for a user or the members of a segment; `remove` takes it away."""

    environment: str = Field("", max_length=64)
    kind: str = Field("user", max_length=10)
    target: str = Field("", max_length=300)
    value: Verbatim = ""
    priority: str = Field("0", max_length=20)
    remove: str = ""
    reason: str = Field("", max_length=1_000)
    at: str = Field("", max_length=40)


class SwitchForm(PageForm):
    """Switch a flag off for everybody, or on again."""

    environment: str = Field("", max_length=64)
    reason: str = Field("", max_length=1_000)


@router.post("/config/parameters/{key}/value")
async def value(
    who: Changer, request: Request, key: KeyInPath, form: Annotated[ValueForm, Form()], db: Db, clock: Now
) -> Response:
    """Look at a new value for everybody before it is made."""

    def propose(definition: Definition) -> Proposal:
        wire = None if form.unset else _parsed(definition, form.value)
        return Proposal(form.environment, [Operation(key, VALUE, wire, form.version)], form.reason, instant(form.at))

    typed = Typed("value", {"value": form.value, "reason": form.reason, "at": form.at})
    return await _look_or_again(request, who, db, clock, key, form.environment, propose, typed)


@router.post("/config/parameters/{key}/override")
async def override(
    who: Changer, request: Request, key: KeyInPath, form: Annotated[OverrideForm, Form()], db: Db, clock: Now
) -> Response:
    """Look at an override of a user or a segment before it is made."""

    def propose(definition: Definition) -> Proposal:
        of_segment = form.kind == "segment"
        if not form.target:
            raise _invalid("target", "the name of a segment" if of_segment else "the id of a user")
        wire: Any = None
        if not form.remove:
            wire = _parsed(definition, form.value)
            wire = {"value": wire, "priority": _priority(form.priority)} if of_segment else wire
        slot = f"{'segment' if of_segment else 'user'}:{form.target}"
        return Proposal(form.environment, [Operation(key, slot, wire)], form.reason, instant(form.at))

    said = form.model_dump(exclude={"csrf_token", "environment", "remove"})
    typed = Typed("override", {"override": said})
    return await _look_or_again(request, who, db, clock, key, form.environment, propose, typed)


@router.post("/config/parameters/{key}/state")
async def state(
    who: Changer, request: Request, key: KeyInPath, form: Annotated[StateForm, Form()], db: Db, clock: Now
) -> Response:
    """Look at a flag's new state before it is made."""

    def propose(_definition: Definition) -> Proposal:
        operation = Operation(key, VALUE, form.state(), form.version)
        return Proposal(form.environment, [operation], form.reason, instant(form.at))

    typed = Typed("state", {"reason": form.reason, "at": form.at}, form)
    return await _look_or_again(request, who, db, clock, key, form.environment, propose, typed)


@router.post("/config/parameters/{key}/kill")
async def kill(
    who: Changer, request: Request, key: KeyInPath, form: Annotated[SwitchForm, Form()], db: Db, clock: Now, hub: TheHub
) -> Response:
    """Switch a flag off for everybody, at once and without waiting for anybody."""

    def off(session: Session) -> ChangeSet:
        require_keys(session, who, [key])
        changes = Changes(session, clock)
        operation = changes.switch(form.environment, key, on=False)
        return changes.propose(form.environment, [operation], reason=form.reason, by=who.id, source="console")

    try:
        made = await db.write(off)
    except Invalid as refusal:
        return await _again(request, who, db, clock, key, form.environment, Typed("kill", refusal=refusal))
    await hub.catch_up()
    return RedirectResponse(f"/config/changes/{made.id}", status_code=303)


@router.post("/config/parameters/{key}/revive")
async def revive(
    who: Changer, request: Request, key: KeyInPath, form: Annotated[SwitchForm, Form()], db: Db, clock: Now
) -> Response:
    """Look at a killed flag as it would be when it is on again."""
    operation = await db.write(lambda session: Changes(session, clock).switch(form.environment, key, on=True))

    def propose(_definition: Definition) -> Proposal:
        return Proposal(form.environment, [operation], form.reason)

    typed = Typed("kill", {"reason": form.reason})
    return await _look_or_again(request, who, db, clock, key, form.environment, propose, typed)


async def _look_or_again(
    request: Request,
    who: Actor,
    db: Database,
    clock: Clock,
    key: str,
    environment: str,
    propose: Callable[[Definition], Proposal],
    typed: Typed,
) -> Response:
    """The preview of a proposal, or the page again with what is wrong with it."""
    found = await db.ask(lambda session: about(session, clock, key, environment))
    try:
        proposal = propose(found.definition)
        preview = await look(db, clock, who, lambda verbs: proposal.make(verbs, by=who.id))
    except (Invalid, PreconditionFailed) as refusal:
        again = Typed(typed.form, typed.values, typed.state, refusal)
        return parameter_page(request, who, found, typed=again)
    return preview_page(request, preview, back=found.place.parameter(key))


async def _again(
    request: Request, who: Actor, db: Database, clock: Clock, key: str, environment: str, typed: Typed
) -> Response:
    found = await db.ask(lambda session: about(session, clock, key, environment))
    return parameter_page(request, who, found, typed=typed)


def _parsed(definition: Definition, text: str) -> Any:
    """What somebody typed, in wire form."""
    # Browsers end lines with two characters; files and the API with one.
    text = text.replace("\r\n", "\n")
    try:
        return parse_text(definition.type, text if definition.type == "string" else text.strip())
    except NotThatType as wrong:
        raise _invalid("value", str(wrong)) from None


def _priority(text: str) -> int:
    try:
        return int(text.strip() or "0")
    except ValueError:
        raise _invalid("priority", "a whole number; the higher one goes first") from None


def _invalid(where: str, expected: str) -> Refusal:
    return ChangeInvalid("The change is not valid; nothing was changed.", complaints=[Complaint(where, expected)])
