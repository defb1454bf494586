"""What `app` needs to put recovery into a server."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.web.parts import Parts
from watchkeeper.kernel.work import Worker
from watchkeeper.modules.alerts.public import Alerting
from watchkeeper.modules.incidents.public import Incidenting
from watchkeeper.modules.recovery import jobs, pages, routes
from watchkeeper.modules.recovery.hearing import listeners
from watchkeeper.modules.recovery.ops import OPS_KINDS
from watchkeeper.modules.recovery.public import Recovering
from watchkeeper.modules.runbooks.public import Running

__all__ = ["NAV", "OPS_KINDS", "ROUTERS", "STATIC", "TEMPLATES", "listeners", "recovery_parts", "workers"]

ROUTERS = (routes.router, pages.router)
NAV = pages.NAV
TEMPLATES = {"recovery": Path(__file__).parent / "templates"}
STATIC = {"recovery": Path(__file__).parent / "static"}
_LEASE = timedelta(seconds=10)


def recovery_parts(alerting: Alerting, incidenting: Incidenting, running: Running) -> dict[Any, Any]:
    """The part of a server."""
    return {Recovering: Recovering(alerting, incidenting, running)}


def workers(parts: Parts, db: Database, clock: Clock) -> tuple[Worker, ...]:
    """A lane of its own: what a rule waits for holds up nobody else."""
    recovering = parts[Recovering]
    lane = Worker(
        db,
        clock,
        jobs.handlers(recovering, clock),
        recurring=jobs.recurring(recovering, clock),
        lane="recovery",
        threads=1,
        lease=_LEASE,
    )
    return (lane,)
