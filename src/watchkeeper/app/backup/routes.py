"""Edges of backups: the API that the command line uses, and the page."""

# Annotations are kept as objects for FastAPI.
from datetime import timedelta
from pathlib import PurePath
from typing import Annotated, Any

from fastapi import Form, Request, status
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from watchkeeper.app.backup import status as known
from watchkeeper.app.backup.errors import BackupNotFound, TargetRefused
from watchkeeper.app.backup.events import RestoreDrilled
from watchkeeper.app.backup.model import RPO, RTO, BackupStatus
from watchkeeper.app.backup.service import Backups, Order
from watchkeeper.app.backup.watch import PAGE
from watchkeeper.app.backup.wire import (
    BackupOrder,
    BackupState,
    BackupStatusView,
    BackupView,
    DrillRecorded,
    DrillResult,
)
from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Forbidden
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.journal import FactFilter, read_facts
from watchkeeper.kernel.web.access import Actor, Permission, Scope, requires
from watchkeeper.kernel.web.idempotency import Answer, Once, once
from watchkeeper.kernel.web.pages import NavItem, render
from watchkeeper.kernel.web.paging import Cursor, Limit, Page, decode_cursor, page_of
from watchkeeper.kernel.web.parts import clock_part, database_part, part
from watchkeeper.kernel.web.wire import PageForm, api_router, page_router

VIEW_BACKUPS = Permission("backup.view", Scope.READ)
MANAGE_BACKUPS = Permission("backup.manage", Scope.ADMIN)
NAV = (NavItem("Backups", PAGE, "download", order=920, permission=VIEW_BACKUPS),)

router = api_router("backups")
pages = page_router()

Db = Annotated[Database, database_part()]
Now = Annotated[Clock, clock_part()]
Service = Annotated[Backups, part(Backups)]
Viewer = Annotated[Actor, requires(VIEW_BACKUPS)]
Manager = Annotated[Actor, requires(MANAGE_BACKUPS)]


@router.get("/backups")
async def list_backups(who: Viewer, db: Db, limit: Limit = 50, cursor: Cursor = None) -> Page[BackupView]:
    """Backups that were made, newest first."""
    before = decode_cursor(cursor, int) if cursor else None
    made = await db.ask(lambda session: known.made_backups(session, limit + 1, before))
    page = page_of(made, limit, lambda one: one.fact.seq)
    return Page(items=[BackupView.of(one) for one in page.items], next=page.next)


@router.get("/backups/status")
async def backup_status(who: Viewer, db: Db, backups: Service) -> BackupStatusView:
    """How old the last good backup and the last drill are."""
    return BackupStatusView.of(await db.ask(lambda session: known.backup_status(session, backups.settings)))


@router.post("/backups", status_code=status.HTTP_202_ACCEPTED, response_model=BackupState)
async def make_backup(
    who: Manager, order: BackupOrder, db: Db, backups: Service, once: Annotated[Once, once()]
) -> Response:
    """Begin a backup; its state tells when it is written and verified. One runs at a time."""
    wanted = _order(order, who)
    backups.require_target(wanted)
    running = backups.reserve(wanted.backup_id)
    state = BackupState.of_running(running)
    location = {"Location": f"/api/v1/backups/{wanted.backup_id}"}
    try:
        answer = await db.write(lambda session: once.run(session, lambda: Answer(state, 202, location)))
    except BaseException:
        backups.release()
        raise
    if answer.body is state:
        backups.start(wanted)
    else:
        backups.release()  # the request was sent twice: the first one began it
    return answer.response()


@router.get("/backups/{backup_id}")
async def backup_state(who: Viewer, backup_id: str, db: Db, backups: Service) -> BackupState:
    """How far a backup is, or how it ended."""
    running = backups.running
    if running is not None and running.backup_id == backup_id:
        return BackupState.of_running(running)
    fact = await db.ask(lambda session: known.outcome(session, backup_id))
    if fact is None:
        raise BackupNotFound("No backup with this id is running here or was recorded.")
    # Its detail may name a folder, which is for those who may choose one.
    return BackupState.of_fact(fact, backups.refusal(backup_id) if who.may(MANAGE_BACKUPS) else None)


@router.post("/backups/drills", status_code=status.HTTP_201_CREATED, response_model=DrillRecorded)
async def record_drill(
    who: Manager, result: DrillResult, db: Db, clock: Now, once: Annotated[Once, once()]
) -> Response:
    """Record a restore drill that was held, here or on another machine."""
    values = result.model_dump() | {"ok": result.finding is None, "scheduled": False}

    def run(session: Session) -> Answer:
        seq = journal.append(session, RestoreDrilled(**values), by=who.id, source="api", at=clock.now())
        return Answer(DrillRecorded(seq=seq))

    return (await db.write(lambda session: once.run(session, lambda: run(session)))).response()


@pages.get(PAGE)
async def backups_page(who: Viewer, request: Request, db: Db, clock: Now, backups: Service) -> Response:
    """How much could be lost now, what there is to restore, and the button that makes another."""
    settings = backups.settings

    def look(session: Session) -> tuple[BackupStatus, list[known.Made], list[Any]]:
        drills = read_facts(session, FactFilter(kinds=(RestoreDrilled.kind,)), limit=10)
        return known.backup_status(session, settings), known.made_backups(session, 60), drills

    now = clock.now()
    status_, made, drills = await db.ask(look)
    return render(
        request,
        "app/backups.html",
        state=status_,
        too_old=status_.is_too_old(now),
        overdue=status_.is_drill_overdue(now, settings.drill_every),
        made=[BackupView.of(one) for one in made],
        drills=drills,
        running=backups.running,
        settings=settings,
        target=settings.target if who.may(MANAGE_BACKUPS) else None,
        may_manage=who.may(MANAGE_BACKUPS),
        targets={"rpo": RPO, "rto": RTO},
        too_slow=timedelta(seconds=status_.last_drill_seconds or 0) > RTO,
    )


@pages.post(PAGE)
async def back_up_now(who: Manager, form: Annotated[PageForm, Form()], backups: Service) -> Response:
    """Begin a backup to the target."""
    order = Order(new_id("bak"), who.id, "console")
    backups.require_target(order)
    backups.reserve(order.backup_id)
    backups.start(order)
    return RedirectResponse(PAGE, status_code=303)


@pages.post(f"{PAGE}/drill")
async def drill_now(who: Manager, form: Annotated[PageForm, Form()], backups: Service) -> Response:
    """Restore the newest backup of the target to a temporary place."""
    backups.require_target(Order("", who.id, "console"))
    backups.reserve("", "drill")
    backups.start_drill(who.id, "console")
    return RedirectResponse(PAGE, status_code=303)


def _order(order: BackupOrder, who: Actor) -> Order:
    # A stolen token must not be able to send everything there is to a place of its thief's.
    if (order.target is not None or order.passphrase is not None) and who.kind != "local":
        raise Forbidden("Only the command line on the server's own machine names a target or a passphrase of its own.")
    if order.target is not None and not order.target.startswith("s3://") and not PurePath(order.target).is_absolute():
        raise TargetRefused("The full path of a directory was expected, or s3://bucket/prefix.")
    lock = order.passphrase.lock() if order.passphrase is not None else None
    return Order(new_id("bak"), who.id, "api", order.target, lock)
