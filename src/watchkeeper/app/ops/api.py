"""The API of operations as code."""

# Annotations are kept as objects for FastAPI.
from typing import Annotated, Any

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.ops.plan import Change, OpsKind, Plan, apply_plan, make_plan
from watchkeeper.kernel.web.access import Actor, Permission, Scope, requires
from watchkeeper.kernel.web.parts import clock_part, database_part
from watchkeeper.kernel.web.wire import StrictModel, api_router
from watchkeeper.modules.catalog.ops import ServiceKind

PLAN_OPS = Permission("ops.plan", Scope.READ)
APPLY_OPS = Permission("ops.apply", Scope.ADMIN)
LARGEST_BODY = 20_000_000

router = api_router("ops")
Db = Annotated[Database, database_part()]
Now = Annotated[Clock, clock_part()]


class Files(StrictModel):
    """The files of an `ops/` directory: path below it, and text."""

    files: dict[str, str] = Field(max_length=2_000)


class FilesToApply(Files):
    """The files, and the plan that was looked at."""

    fingerprint: str | None = Field(
        None, max_length=64, description="Of the plan that was looked at; another one now is answered 409."
    )


class ChangeView(BaseModel):
    """What happens to one object."""

    action: str = Field(description="`create`, `update`, `delete` or `unchanged`.")
    kind: str
    name: str
    fields: dict[str, tuple[Any, Any]] = Field(description="Fields that differ, as (before, after).")
    where: str = Field(description="file:line:column of the object.")
    note: str

    @classmethod
    def of(cls, change: Change) -> "ChangeView":
        return cls(**vars(change))


class PlanView(BaseModel):
    """What applying the files does, or did."""

    changes: list[ChangeView]
    notices: list[str]
    fingerprint: str

    @classmethod
    def of(cls, plan: Plan) -> "PlanView":
        changes = [ChangeView.of(change) for change in plan.changes]
        return cls(changes=changes, notices=list(plan.notices), fingerprint=plan.fingerprint)


def kinds(clock: Clock) -> tuple[OpsKind, ...]:
    """Every kind of object that files can describe, in the order in which they are applied."""
    return (ServiceKind(clock),)


@router.post("/ops/plan")
async def plan(who: Annotated[Actor, requires(PLAN_OPS)], order: Files, db: Db, clock: Now) -> PlanView:
    """What applying these files would do. Nothing is changed; a wrong file is named by line and column."""
    return PlanView.of(await db.ask(lambda session: make_plan(session, order.files, kinds(clock))))


@router.post("/ops/apply")
async def apply(who: Annotated[Actor, requires(APPLY_OPS)], order: FilesToApply, db: Db, clock: Now) -> PlanView:
    """Make everything as the files say, all or nothing. Applying the same files again changes nothing."""

    def run(session: Session) -> Plan:
        return apply_plan(session, order.files, kinds(clock), by=who.id, at=clock.now(), fingerprint=order.fingerprint)

    return PlanView.of(await db.write(run))
