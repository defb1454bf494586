"""Pages of recovery: what the rules are, what they did, and the button that lets one act."""

# Annotations are kept as objects for FastAPI.
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Form, Request
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Conflict, Forbidden, Invalid, Refusal
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import NavItem, render
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.recovery import store
from watchkeeper.modules.recovery.described import RecoveryRule
from watchkeeper.modules.recovery.errors import AttemptNotFound, RuleInvalid
from watchkeeper.modules.recovery.model import Mode
from watchkeeper.modules.recovery.permissions import (
    APPROVE_RECOVERY,
    ARM_RECOVERY,
    DISARM_RECOVERY,
    REHEARSE_RECOVERY,
    VIEW_RECOVERY,
)
from watchkeeper.modules.recovery.routes import (
    Approver,
    Armer,
    AttemptId,
    Db,
    Disarmer,
    Now,
    Rehearser,
    RuleName,
    TheRecovering,
    Viewer,
    view_of,
    views_of,
)
from watchkeeper.modules.recovery.rules import Rules
from watchkeeper.modules.runbooks import public as runbooks

router = page_router()
NAV = (NavItem("Recovery", "/recovery", "settings", order=16, permission=VIEW_RECOVERY),)
MODES = {
    "dry_run": "only says what it would do",
    "approval": "asks before it acts",
    "automatic": "acts by itself",
}
KINDS = {
    "waiting_approval": "warning",
    "running": "info",
    "verifying": "info",
    "recovered": "ok",
    "failed": "danger",
    "rehearsed": "muted",
    "declined": "muted",
}


class ArmForm(PageForm):
    """Let a rule act."""

    mode: str = Field(max_length=12)
    reason: str = Field(default="", max_length=400)


class ReasonForm(PageForm):
    """Why."""

    reason: str = Field(default="", max_length=400)


@router.get("/recovery")
async def rules(who: Viewer, request: Request, db: Db) -> Response:
    """Every rule, and what was done lately."""
    found, attempts = await db.ask(lambda session: (views_of(session), store.attempts_of(session, limit=30)))
    return render(request, "recovery/rules.html", rules=found, attempts=attempts, modes=MODES, kinds=KINDS)


@router.get("/recovery/rules/{name}")
async def rule(who: Viewer, request: Request, db: Db, clock: Now, name: RuleName) -> Response:
    """One rule: what it does when, whether it may, and how it went."""
    return await _rule_page(request, who, db, clock, name)


@router.post("/recovery/rules/{name}/arm")
async def arm(
    who: Armer, request: Request, db: Db, clock: Now, name: RuleName, form: Annotated[ArmForm, Form()]
) -> Response:
    """Let it act."""

    def do(session: Session) -> object:
        if form.mode not in MODES:
            raise RuleInvalid(f"A mode is one of {', '.join(MODES)}.")
        return Rules(session, clock).arm(name, Mode(form.mode), reason=form.reason, by=who.id, source="console")

    return await _act(request, who, db, clock, name, do)


@router.post("/recovery/rules/{name}/disarm")
async def disarm(
    who: Disarmer, request: Request, db: Db, clock: Now, name: RuleName, form: Annotated[ReasonForm, Form()]
) -> Response:
    """Let it do nothing."""

    def do(session: Session) -> object:
        return Rules(session, clock).disarm(name, reason=form.reason, by=who.id, source="console")

    return await _act(request, who, db, clock, name, do)


@router.post("/recovery/rules/{name}/reset")
async def reset(
    who: Armer,
    request: Request,
    db: Db,
    clock: Now,
    recovering: TheRecovering,
    name: RuleName,
    form: Annotated[ReasonForm, Form()],
) -> Response:
    """Close its circuit breaker."""

    def do(session: Session) -> object:
        return recovering.on(session, clock).reset(name, reason=form.reason, by=who.id, source="console")

    return await _act(request, who, db, clock, name, do)


@router.post("/recovery/rules/{name}/rehearse")
async def rehearse(
    who: Rehearser,
    request: Request,
    db: Db,
    clock: Now,
    recovering: TheRecovering,
    name: RuleName,
    form: Annotated[ReasonForm, Form()],
) -> Response:
    """Go through its steps now."""

    def do(session: Session) -> object:
        return recovering.on(session, clock).rehearse(name, by=who.id, source="console")

    return await _act(request, who, db, clock, name, do)


@router.get("/recovery/attempts/{attempt_id}")
async def attempt(who: Viewer, request: Request, db: Db, attempt_id: AttemptId) -> Response:
    """One attempt, and the button that lets it act: where a page's link leads to."""
    return await _attempt_page(request, who, db, attempt_id)


@router.post("/recovery/attempts/{attempt_id}/approve")
async def approve(
    who: Approver,
    request: Request,
    db: Db,
    clock: Now,
    recovering: TheRecovering,
    attempt_id: AttemptId,
    form: Annotated[ReasonForm, Form()],
) -> Response:
    """Let it act."""
    try:
        await db.write(lambda session: recovering.on(session, clock).approve(attempt_id, by=who.id, source="console"))
    except (Conflict, Invalid, Forbidden) as refusal:
        return await _attempt_page(request, who, db, attempt_id, refusal)
    return RedirectResponse(f"/recovery/attempts/{attempt_id}", 303)


@router.post("/recovery/attempts/{attempt_id}/decline")
async def decline(
    who: Approver,
    request: Request,
    db: Db,
    clock: Now,
    recovering: TheRecovering,
    attempt_id: AttemptId,
    form: Annotated[ReasonForm, Form()],
) -> Response:
    """Say no."""
    try:
        await db.write(
            lambda session: recovering.on(session, clock).decline(
                attempt_id, reason=form.reason, by=who.id, source="console"
            )
        )
    except (Conflict, Invalid) as refusal:
        return await _attempt_page(request, who, db, attempt_id, refusal)
    return RedirectResponse(f"/recovery/attempts/{attempt_id}", 303)


async def _act(
    request: Request, who: Actor, db: Database, clock: Clock, name: str, verb: Callable[[Session], object]
) -> Response:
    try:
        await db.write(verb)
    except (Conflict, Invalid, Forbidden) as refusal:
        return await _rule_page(request, who, db, clock, name, refusal)
    return RedirectResponse(f"/recovery/rules/{name}", 303)


async def _rule_page(
    request: Request, who: Actor, db: Database, clock: Clock, name: str, refusal: Refusal | None = None
) -> Response:
    def read(session: Session) -> dict[str, Any]:
        held = Rules(session, clock).rule(name)
        return {
            "rule": view_of(session, clock, name),
            "guards": RecoveryRule.model_validate(held.content).guards.model_dump(mode="json"),
            "problems": Rules(session, clock).problems(held.rule),
        }

    return render(
        request,
        "recovery/rule.html",
        status=refusal.status if refusal else 200,
        refusal=refusal,
        modes=MODES,
        kinds=KINDS,
        may_arm=who.may(ARM_RECOVERY),
        may_disarm=who.may(DISARM_RECOVERY),
        may_rehearse=who.may(REHEARSE_RECOVERY),
        **await db.ask(read),
    )


async def _attempt_page(
    request: Request, who: Actor, db: Database, attempt_id: str, refusal: Refusal | None = None
) -> Response:
    def read(session: Session) -> dict[str, Any]:
        found = store.attempt(session, attempt_id)
        if found is None:
            raise AttemptNotFound("There is no such attempt.")
        held = store.rule(session, found.rule)
        book = runbooks.runbook(session, held.rule.runbook) if held is not None else None
        titles = [one.title for one in book.steps if one.key in held.rule.steps] if book and held else []
        names = identity.names(session, {found.approved_by} if found.approved_by else set())
        return {"attempt": found, "rule": held.rule if held else None, "titles": titles, "names": names}

    return render(
        request,
        "recovery/attempt.html",
        status=refusal.status if refusal else 200,
        refusal=refusal,
        kinds=KINDS,
        may_approve=who.may(APPROVE_RECOVERY),
        **await db.ask(read),
    )
