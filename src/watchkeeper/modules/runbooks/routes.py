"""The API of runbooks and of runs of their steps."""

# Annotations are kept as objects for FastAPI.
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

from fastapi import Path, Query
from sqlalchemy.orm import Session
from starlette.responses import Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.idempotency import Answer, Once, once
from watchkeeper.kernel.web.paging import Page
from watchkeeper.kernel.web.parts import clock_part, database_part, part
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.runbooks import store, store_runs
from watchkeeper.modules.runbooks.lint import Problem
from watchkeeper.modules.runbooks.model import search
from watchkeeper.modules.runbooks.permissions import APPROVE_RUNBOOKS, RUN_RUNBOOKS, VIEW_RUNBOOKS
from watchkeeper.modules.runbooks.public import Linting, Running
from watchkeeper.modules.runbooks.running import Runs
from watchkeeper.modules.runbooks.runs import Run
from watchkeeper.modules.runbooks.service import Runbooks
from watchkeeper.modules.runbooks.wire import (
    HitView,
    KnownView,
    ProblemView,
    RunbookSummary,
    RunbookView,
    details_of,
    summary_of,
)
from watchkeeper.modules.runbooks.wire_runs import Approve, Confirm, NewRun, RunView, UndoOrder

router = api_router("runbooks")

Viewer = Annotated[Actor, requires(VIEW_RUNBOOKS)]
Responder = Annotated[Actor, requires(RUN_RUNBOOKS)]
Approver = Annotated[Actor, requires(APPROVE_RUNBOOKS)]
Db = Annotated[Database, database_part()]
Now = Annotated[Clock, clock_part()]
Linter = Annotated[Linting, part(Linting)]
TheRunning = Annotated[Running, part(Running)]
Name = Annotated[str, Path(min_length=1, max_length=100)]
RunId = Annotated[str, Path(min_length=1, max_length=40)]
StepNumber = Annotated[int, Path(ge=1, le=100)]
_MOST_RUNS = 200


@router.get("/runbooks")
async def list_runbooks(
    who: Viewer,
    db: Db,
    clock: Now,
    linter: Linter,
    service: Annotated[str | None, Query(max_length=200, description="Only those of this service.")] = None,
) -> Page[RunbookSummary]:
    """Every runbook by name, with how many problems lint finds and how old it is."""
    today = clock.now().date()

    def read(session: Session) -> list[dict[str, Any]]:
        found = store.all_runbooks(session, service=service)
        problems = linter.of_all(session, found, today)
        return [summary_of(one, len(problems[one.name]), today) for one in found]

    return Page(items=[RunbookSummary.model_validate(one) for one in await db.ask(read)], next=None)


@router.get("/runbooks/search")
async def search_runbooks(who: Viewer, db: Db, q: Annotated[str, Query(min_length=1, max_length=200)]) -> Page[HitView]:
    """Sections that hold every word: those first that have them in the title, then in the heading."""
    found = await db.ask(lambda session: search([one.content for one in store.all_runbooks(session)], q))
    items = [
        HitView(
            name=one.name,
            title=one.title,
            anchor=one.anchor,
            heading=one.heading,
            excerpt=one.excerpt,
            href=f"/runbooks/{one.name}#{one.anchor}",
        )
        for one in found
    ]
    return Page(items=items, next=None)


@router.get("/runbooks/known")
async def known_names(who: Viewer, db: Db, linter: Linter) -> KnownView:
    """Names that runbooks may name, for a lint of files elsewhere."""
    return KnownView.model_validate(vars(await db.ask(linter.known)))


@router.get("/runbooks/{name}")
async def show_runbook(who: Viewer, name: Name, db: Db, clock: Now, linter: Linter) -> RunbookView:
    """A runbook: its text, steps, and what lint says of it."""
    today = clock.now().date()
    return await db.ask(lambda session: view_of(session, clock, linter, name, today))


def view_of(session: Session, clock: Clock, linter: Linting, name: str, today: date) -> RunbookView:
    """Raises RunbookNotFound."""
    held = Runbooks(session, clock).runbook(name)
    problems = linter.problems(session, name, today)
    findings = [_problem(one) for one in problems]
    return RunbookView.model_validate(
        {**summary_of(held, len(problems), today), **details_of(held), "findings": findings}
    )


@router.get("/runbooks/{name}/problems")
async def problems(who: Viewer, name: Name, db: Db, clock: Now, linter: Linter) -> Page[ProblemView]:
    """What lint says of a runbook, by all that this server knows."""
    today = clock.now().date()
    found = await db.ask(lambda session: view_of(session, clock, linter, name, today))
    return Page(items=found.findings, next=None)


@router.post("/runbooks/{name}/approve")
async def approve(who: Approver, name: Name, order: Approve, db: Db, clock: Now, linter: Linter) -> RunbookView:
    """Sign a revision off, so that its steps may run. Repeated, it changes nothing."""

    def sign(session: Session) -> RunbookView:
        Runbooks(session, clock).approve(name, order.revision, by=who, source="api")
        return view_of(session, clock, linter, name, clock.now().date())

    return await db.write(sign)


@router.post("/runbooks/{name}/runs", status_code=201, response_model=RunView)
async def start_run(
    who: Responder,
    name: Name,
    order: NewRun,
    db: Db,
    clock: Now,
    running: TheRunning,
    once: Annotated[Once, once()],
) -> Response:
    """Run steps. Each waits for its confirmation; what is confirmed has the permissions of whoever confirmed it."""

    def start(session: Session) -> Answer:
        about = (order.about.type, order.about.id) if order.about else None
        run = running.on(session, clock).start(
            name,
            order.steps,
            order.inputs,
            by=who.id,
            source="api",
            about=about,
            dry_run=order.dry_run,
            reason=order.reason,
        )
        return Answer(RunView.of(run).model_dump(mode="json"))

    return (await db.write(lambda session: once.run(session, lambda: start(session)))).response()


@router.get("/runs")
async def list_runs(
    who: Viewer,
    db: Db,
    runbook: Annotated[str | None, Query(max_length=100)] = None,
    service: Annotated[str | None, Query(max_length=200)] = None,
    about_type: Annotated[str | None, Query(max_length=40)] = None,
    about_id: Annotated[str | None, Query(max_length=100)] = None,
    open_only: bool = False,
    limit: Annotated[int, Query(ge=1, le=_MOST_RUNS)] = 50,
) -> Page[RunView]:
    """Runs, the newest first."""
    about = (about_type, about_id) if about_type and about_id else None
    found = await db.ask(
        lambda session: store_runs.find(
            session, runbook=runbook, service=service, about=about, open_only=open_only, limit=limit
        )
    )
    return Page(items=[RunView.of(one) for one in found], next=None)


@router.get("/runs/{run_id}")
async def show_run(who: Viewer, run_id: RunId, db: Db, clock: Now, running: TheRunning) -> RunView:
    """A run with its steps and what they wrote so far."""
    return RunView.of(await db.ask(lambda session: running.on(session, clock).run(run_id)))


@router.post("/runs/{run_id}/cancel")
async def cancel(who: Responder, run_id: RunId, db: Db, clock: Now, running: TheRunning) -> RunView:
    """Begin nothing more, and stop what runs."""
    return await _act(db, clock, running, lambda runs: runs.cancel(run_id, by=who.id, source="api"))


@router.post("/runs/{run_id}/steps/{number}/confirm")
async def confirm(
    who: Responder, run_id: RunId, number: StepNumber, db: Db, clock: Now, running: TheRunning
) -> RunView:
    """Let a step begin, with your permissions."""
    return await _act(db, clock, running, lambda runs: runs.confirm(run_id, number, by=who.id, source="api"))


@router.post("/runs/{run_id}/steps/{number}/check")
async def check(
    who: Responder, run_id: RunId, number: StepNumber, order: Confirm, db: Db, clock: Now, running: TheRunning
) -> RunView:
    """Say that a step which people do was done."""
    return await _act(
        db, clock, running, lambda runs: runs.check(run_id, number, by=who.id, source="api", note=order.note)
    )


@router.post("/runs/{run_id}/steps/{number}/skip")
async def skip(
    who: Responder, run_id: RunId, number: StepNumber, order: Confirm, db: Db, clock: Now, running: TheRunning
) -> RunView:
    """Go on without a step that waits."""
    return await _act(
        db, clock, running, lambda runs: runs.skip(run_id, number, by=who.id, source="api", reason=order.note)
    )


@router.post("/runs/{run_id}/steps/{number}/undo", status_code=201, response_model=RunView)
async def undo(
    who: Responder,
    run_id: RunId,
    number: StepNumber,
    order: UndoOrder,
    db: Db,
    clock: Now,
    running: TheRunning,
    once: Annotated[Once, once()],
) -> Response:
    """A new run that takes a step back."""

    def undo_it(session: Session) -> Answer:
        run = running.on(session, clock).undo(run_id, number, by=who.id, source="api", inputs=order.inputs)
        return Answer(RunView.of(run).model_dump(mode="json"))

    return (await db.write(lambda session: once.run(session, lambda: undo_it(session)))).response()


async def _act(db: Database, clock: Clock, running: Running, verb: Callable[[Runs], Run]) -> RunView:
    return RunView.of(await db.write(lambda session: verb(running.on(session, clock))))


def _problem(one: Problem) -> ProblemView:
    return ProblemView(level=one.level, code=one.code, where=one.where, said=one.text)
