"""The API of runners: what they ask and tell, with a token that can do nothing else."""

# Annotations are kept as objects for FastAPI.
import asyncio
from typing import Annotated

from fastapi import Path
from sqlalchemy.orm import Session
from starlette.responses import Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.parts import clock_part, database_part, part
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.runbooks.actions import Actions
from watchkeeper.modules.runbooks.leasing import Lease, Leases, Report
from watchkeeper.modules.runbooks.permissions import BE_A_RUNNER
from watchkeeper.modules.runbooks.settings import RunbookSettings
from watchkeeper.modules.runbooks.wire_runs import Begin, Claimed, ClaimOrder, Finish, LeaseView, Progress, Stop

router = api_router("runner")

RunnerToken = Annotated[Actor, requires(BE_A_RUNNER)]
Db = Annotated[Database, database_part()]
Now = Annotated[Clock, clock_part()]
Verbs = Annotated[Actions, part(Actions)]
Settings = Annotated[RunbookSettings, part(RunbookSettings)]
RunId = Annotated[str, Path(min_length=1, max_length=40)]
StepNumber = Annotated[int, Path(ge=1, le=100)]
_LOOK_SECONDS = 0.5


@router.post("/runner/claim")
async def claim(who: RunnerToken, order: ClaimOrder, db: Db, clock: Now, actions: Verbs, settings: Settings) -> Claimed:
    """The step that waited longest for a runner; waits for one if there is none."""

    def take(session: Session) -> Lease | None:
        return Leases(session, clock, actions, settings, db.database_now).claim(order.runner, by=who.id)

    found = await db.write(take)
    until = clock.monotonic() + order.wait_seconds
    while found is None and clock.monotonic() < until:
        await asyncio.sleep(_LOOK_SECONDS)
        # A look with a reader: waiting runners must not take the writer from everybody.
        if await db.ask(lambda session: Leases(session, clock, actions, settings, db.database_now).anything()):
            found = await db.write(take)
    return Claimed(lease=LeaseView.model_validate(vars(found)) if found is not None else None)


@router.post("/runner/runs/{run_id}/steps/{number}/begin", status_code=204)
async def begin(
    who: RunnerToken,
    run_id: RunId,
    number: StepNumber,
    order: Begin,
    db: Db,
    clock: Now,
    actions: Verbs,
    settings: Settings,
) -> Response:
    """The runner begins now. Until this is answered it must not."""
    await db.write(
        lambda session: Leases(session, clock, actions, settings, db.database_now).begin(run_id, number, order.token)
    )
    return Response(status_code=204)


@router.post("/runner/runs/{run_id}/steps/{number}/progress")
async def progress(
    who: RunnerToken,
    run_id: RunId,
    number: StepNumber,
    order: Progress,
    db: Db,
    clock: Now,
    actions: Verbs,
    settings: Settings,
) -> Stop:
    """The step goes on, and this is what it wrote so far. Keeps the lease."""
    stop = await db.write(
        lambda session: Leases(session, clock, actions, settings, db.database_now).progress(
            run_id, number, order.token, output=order.output, output_bytes=order.output_bytes
        )
    )
    return Stop(stop=stop)


@router.post("/runner/runs/{run_id}/steps/{number}/finish", status_code=204)
async def finish(
    who: RunnerToken,
    run_id: RunId,
    number: StepNumber,
    order: Finish,
    db: Db,
    clock: Now,
    actions: Verbs,
    settings: Settings,
) -> Response:
    """The step ended. Sent again, it changes nothing."""
    report = Report(
        state=order.state,
        output=order.output,
        output_bytes=order.output_bytes,
        exit_code=order.exit_code,
        detail=order.detail,
    )
    await db.write(
        lambda session: Leases(session, clock, actions, settings, db.database_now).finish(
            run_id, number, order.token, report
        )
    )
    return Response(status_code=204)
