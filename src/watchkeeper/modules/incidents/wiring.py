"""What `app` needs to put incidents into a server."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.web.parts import Parts
from watchkeeper.kernel.work import Worker
from watchkeeper.modules.alerts.public import Alerting, FactLinks
from watchkeeper.modules.incidents import (
    jobs,
    ops,
    pages,
    pages_incident,
    pages_measures,
    routes,
    routes_drill,
    routes_measures,
    routes_records,
    routes_rules,
    routes_slack,
)
from watchkeeper.modules.incidents.counting import OpenIncidents
from watchkeeper.modules.incidents.desk import MIRROR
from watchkeeper.modules.incidents.hearing import listeners
from watchkeeper.modules.incidents.mirror import Mirror
from watchkeeper.modules.incidents.owner import IncidentOwner
from watchkeeper.modules.incidents.public import Incidenting
from watchkeeper.modules.incidents.settings import IncidentSettings
from watchkeeper.modules.incidents.ticking import Ticking
from watchkeeper.modules.notify.public import Answering
from watchkeeper.modules.oncall.public import Seen
from watchkeeper.modules.slo.public import Engine

__all__ = [
    "NAV",
    "OPS_KINDS",
    "ROUTERS",
    "STATIC",
    "TEMPLATES",
    "IncidentOwner",
    "OpenIncidents",
    "button_of",
    "incident_parts",
    "listeners",
    "workers",
]

# Those with fixed words first: `/incidents/{incident_id}` would take them for ids.
ROUTERS = (
    routes_slack.router,
    routes_measures.router,
    routes_drill.router,
    routes_rules.router,
    routes_records.router,
    routes.router,
    pages.router,
    pages_measures.router,
    pages_incident.router,
)
NAV = pages.NAV
OPS_KINDS = ops.OPS_KINDS
TEMPLATES = {"incidents": Path(__file__).parent / "templates"}
STATIC = {"incidents": Path(__file__).parent / "static"}
button_of = pages.button_of
_LEASE = timedelta(seconds=10)


def incident_parts(
    db: Database,
    clock: Clock,
    settings: IncidentSettings,
    alerting: Alerting,
    base_url: str,
    facts: FactLinks,
    engine: Engine,
) -> dict[Any, Any]:
    """The parts of a server."""
    incidenting = Incidenting(settings, alerting, base_url, facts, engine)
    return {
        IncidentSettings: settings,
        Incidenting: incidenting,
        Ticking: Ticking(clock, incidenting),
        OpenIncidents: OpenIncidents(db),
        Seen: Seen(),
    }


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
    mirror = Mirror(db, clock, parts[Incidenting], parts[Answering])
    # One at a time and in order; a Slack that hangs holds up nothing but Slack.
    slack = Worker(db, clock, {MIRROR: mirror}, lane="incidents.slack", threads=1, lease=_LEASE)
    return (clocks, slack)
