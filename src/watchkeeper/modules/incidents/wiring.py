"""What `app` needs to put incidents into a server."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.web.parts import Parts
from watchkeeper.kernel.work import Worker
from watchkeeper.modules.alerts.public import Alerting
from watchkeeper.modules.incidents import jobs
from watchkeeper.modules.incidents.hearing import listeners
from watchkeeper.modules.incidents.public import Incidenting
from watchkeeper.modules.incidents.settings import IncidentSettings
from watchkeeper.modules.incidents.ticking import Ticking

__all__ = ["incident_parts", "listeners", "workers"]

_LEASE = timedelta(seconds=10)


def incident_parts(clock: Clock, settings: IncidentSettings, alerting: Alerting, base_url: str) -> dict[Any, Any]:
    """The parts of a server."""
    incidenting = Incidenting(settings, alerting, base_url)
    return {IncidentSettings: settings, Incidenting: incidenting, Ticking: Ticking(clock, incidenting)}


def workers(parts: Parts, db: Database, clock: Clock) -> tuple[Worker, ...]:
    """The lane of clocks: nothing that leaves the machine holds it up."""
    ticking = parts[Ticking]
    clocks = Worker(
        db,
        clock,
        jobs.handlers(ticking),
        recurring=jobs.recurring(ticking),
        lane="incidents",
        threads=1,
        lease=_LEASE,
    )
    return (clocks,)
