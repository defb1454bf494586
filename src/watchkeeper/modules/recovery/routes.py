"""The API of recovery."""

# Annotations are kept as objects for FastAPI.
from typing import Annotated

from fastapi import Path, Query
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.parts import clock_part, database_part, part
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.recovery import record, store
from watchkeeper.modules.recovery.errors import AttemptNotFound
from watchkeeper.modules.recovery.model import Mode, fights
from watchkeeper.modules.recovery.permissions import (
    APPROVE_RECOVERY,
    ARM_RECOVERY,
    DISARM_RECOVERY,
    REHEARSE_RECOVERY,
    VIEW_RECOVERY,
)
from watchkeeper.modules.recovery.public import Recovering
from watchkeeper.modules.recovery.rules import Rules
from watchkeeper.modules.recovery.wire import (
    ArmOrder,
    AttemptList,
    AttemptView,
    ReasonOrder,
    RehearsalView,
    RuleList,
    RuleView,
)

router = api_router("recovery")

Viewer = Annotated[Actor, requires(VIEW_RECOVERY)]
Approver = Annotated[Actor, requires(APPROVE_RECOVERY)]
Rehearser = Annotated[Actor, requires(REHEARSE_RECOVERY)]
Disarmer = Annotated[Actor, requires(DISARM_RECOVERY)]
Armer = Annotated[Actor, requires(ARM_RECOVERY)]
Db = Annotated[Database, database_part()]
Now = Annotated[Clock, clock_part()]
TheRecovering = Annotated[Recovering, part(Recovering)]
RuleName = Annotated[str, Path(min_length=1, max_length=63)]
AttemptId = Annotated[str, Path(min_length=1, max_length=40)]


@router.get("/recovery/rules")
async def list_rules(who: Viewer, db: Db) -> RuleList:
    """Every rule with its last attempts."""
    return RuleList(items=await db.ask(views_of))


@router.get("/recovery/rules/{name}")
async def show_rule(who: Viewer, db: Db, clock: Now, name: RuleName) -> RuleView:
    """One rule."""
    return await db.ask(lambda session: view_of(session, clock, name))


@router.post("/recovery/rules/{name}/arm")
async def arm(who: Armer, db: Db, clock: Now, name: RuleName, order: ArmOrder) -> RuleView:
    """Let it act by itself, or after it asked, or only say what it would do."""

    def do(session: Session) -> RuleView:
        Rules(session, clock).arm(name, Mode(order.mode), reason=order.reason, by=who.id, source="api")
        return view_of(session, clock, name)

    return await db.write(do)


@router.post("/recovery/rules/{name}/disarm")
async def disarm(who: Disarmer, db: Db, clock: Now, name: RuleName, order: ReasonOrder) -> RuleView:
    """Let it do nothing."""

    def do(session: Session) -> RuleView:
        Rules(session, clock).disarm(name, reason=order.reason, by=who.id, source="api")
        return view_of(session, clock, name)

    return await db.write(do)


@router.post("/recovery/rules/{name}/reset")
async def reset(
    who: Armer, db: Db, clock: Now, recovering: TheRecovering, name: RuleName, order: ReasonOrder
) -> RuleView:
    """Close its circuit breaker after somebody looked at why it failed."""

    def do(session: Session) -> RuleView:
        recovering.on(session, clock).reset(name, reason=order.reason, by=who.id, source="api")
        return view_of(session, clock, name)

    return await db.write(do)


@router.post("/recovery/rules/{name}/rehearse")
async def rehearse(who: Rehearser, db: Db, clock: Now, recovering: TheRecovering, name: RuleName) -> RehearsalView:
    """Go through its steps: for real in its rehearsals' environment if they take one, else without doing anything."""

    def do(session: Session) -> RehearsalView:
        run = recovering.on(session, clock).rehearse(name, by=who.id, source="api")
        return RehearsalView(rule=name, run=run.id, dry_run=run.dry_run)

    return await db.write(do)


@router.get("/recovery/attempts")
async def list_attempts(
    who: Viewer, db: Db, rule: Annotated[str | None, Query(max_length=63, description="Only of this rule.")] = None
) -> AttemptList:
    """The last hundred attempts, the newest first."""
    found = await db.ask(lambda session: store.attempts_of(session, rule, limit=100))
    return AttemptList(items=[AttemptView.of(one) for one in found])


@router.get("/recovery/attempts/{attempt_id}")
async def show_attempt(who: Viewer, db: Db, attempt_id: AttemptId) -> AttemptView:
    """One attempt."""
    found = await db.ask(lambda session: store.attempt(session, attempt_id))
    if found is None:
        raise AttemptNotFound("There is no such attempt.")
    return AttemptView.of(found)


@router.post("/recovery/attempts/{attempt_id}/approve")
async def approve(who: Approver, db: Db, clock: Now, recovering: TheRecovering, attempt_id: AttemptId) -> AttemptView:
    """Let it act, with the permissions of whoever approves it."""
    done = await db.write(lambda session: recovering.on(session, clock).approve(attempt_id, by=who.id, source="api"))
    return AttemptView.of(done)


@router.post("/recovery/attempts/{attempt_id}/decline")
async def decline(
    who: Approver, db: Db, clock: Now, recovering: TheRecovering, attempt_id: AttemptId, order: ReasonOrder
) -> AttemptView:
    """Say no."""
    done = await db.write(
        lambda session: recovering.on(session, clock).decline(attempt_id, reason=order.reason, by=who.id, source="api")
    )
    return AttemptView.of(done)


def views_of(session: Session) -> list[RuleView]:
    """Every rule by name."""
    every = store.all_rules(session)
    against = fights([one.rule for one in every])
    return [
        RuleView.of(
            one,
            against[one.rule.name],
            store.attempts_of(session, one.rule.name, limit=10),
            armed_by=record.armed_by(session, one),
            rehearsed_detail=record.rehearsal_detail(session, one),
        )
        for one in every
    ]


def view_of(session: Session, clock: Clock, name: str) -> RuleView:
    """Raises RuleNotFound."""
    Rules(session, clock).rule(name)
    return next(one for one in views_of(session) if one.name == name)
