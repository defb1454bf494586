"""What `app` needs to put runbooks into a server."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel import work
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.outbound import Outbound, OutboundSettings
from watchkeeper.kernel.web.parts import Parts
from watchkeeper.kernel.work import Recurring, Transactional
from watchkeeper.modules.catalog.public import ReadinessCheck
from watchkeeper.modules.runbooks import pages, pages_runs, routes, routes_runner, store_runs
from watchkeeper.modules.runbooks.actions import Actions
from watchkeeper.modules.runbooks.leasing import Leases
from watchkeeper.modules.runbooks.lint import Knowledge
from watchkeeper.modules.runbooks.ops import OPS_KINDS
from watchkeeper.modules.runbooks.public import Linting, LiveMetrics, Running
from watchkeeper.modules.runbooks.readiness import HasRunbook
from watchkeeper.modules.runbooks.runner.here import RunnerHere
from watchkeeper.modules.runbooks.settings import RunbookSettings

__all__ = [
    "BODY_LIMITS",
    "NAV",
    "OPS_KINDS",
    "ROUTERS",
    "STATIC",
    "TEMPLATES",
    "RunnerHere",
    "readiness_checks",
    "recurring",
    "runbook_parts",
]

ROUTERS = (routes_runner.router, routes.router, pages_runs.router, pages.router)
NAV = pages.NAV
TEMPLATES = {"runbooks": Path(__file__).parent / "templates"}
STATIC = {"runbooks": Path(__file__).parent / "static"}
# A report holds up to 4 MB of output, which JSON may write in six characters each.
BODY_LIMITS = {"/api/v1/runner": 26_000_000}
_LOOK_EVERY = timedelta(seconds=10)


def runbook_parts(
    db: Database,
    clock: Clock,
    settings: RunbookSettings,
    outbound: OutboundSettings,
    knowledge: Knowledge,
    actions: Actions,
    live: LiveMetrics,
) -> dict[Any, Any]:
    """The parts of a server; what the other modules know and do is put in here."""
    return {
        RunnerHere: RunnerHere(db, clock, actions, settings, Outbound.of(outbound)),
        RunbookSettings: settings,
        Actions: actions,
        Linting: Linting(knowledge, actions),
        Running: Running(actions),
        LiveMetrics: live,
    }


def readiness_checks(db: Database, clock: Clock, linting: Linting) -> tuple[ReadinessCheck, ...]:
    """Lines of the catalog's scorecards."""
    return (HasRunbook(db, clock, linting),)


def recurring(parts: Parts, clock: Clock) -> list[Recurring]:
    """A look at steps whose runner fell silent, and old runs are forgotten."""
    settings, actions = parts[RunbookSettings], parts[Actions]

    def sweep(session: Session, _task: work.Task) -> None:
        Leases(session, clock, actions, settings, parts[Database].database_now).sweep()

    def forget(session: Session, _task: work.Task) -> None:
        store_runs.forget(session, before=clock.now() - timedelta(days=settings.kept_days))

    return [
        Recurring("runbooks.sweep", _LOOK_EVERY, Transactional(sweep)),
        Recurring("runbooks.forget", timedelta(hours=6), Transactional(forget)),
    ]
