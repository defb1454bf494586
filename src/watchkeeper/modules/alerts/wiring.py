"""What `app` needs to put alerts into a server."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.web.parts import Parts
from watchkeeper.kernel.work import Worker
from watchkeeper.modules.alerts import jobs, pages, pages_noise, pages_ways, routes, routes_noise, routes_ways
from watchkeeper.modules.alerts.apps import EventsApp, webhook_apps
from watchkeeper.modules.alerts.counting import OpenGroups
from watchkeeper.modules.alerts.door import Door
from watchkeeper.modules.alerts.gathering import Gatherer
from watchkeeper.modules.alerts.intake import Intake
from watchkeeper.modules.alerts.listeners import listeners
from watchkeeper.modules.alerts.ops import ops_kinds
from watchkeeper.modules.alerts.pinging import PingApp
from watchkeeper.modules.alerts.public import Alerting, GroupWatchers
from watchkeeper.modules.alerts.settings import AlertSettings
from watchkeeper.modules.alerts.timing import LANE

__all__ = [
    "HOT",
    "NAV",
    "ROUTERS",
    "STATIC",
    "TEMPLATES",
    "OpenGroups",
    "alert_parts",
    "apps",
    "events_app",
    "listeners",
    "ops_kinds",
    "worker",
]

# Those with fixed words first: `/alerts/{group_id}` would take them for ids.
ROUTERS = (
    routes_noise.router,
    routes_ways.router,
    routes.router,
    pages_noise.router,
    pages_ways.router,
    pages.router,
)
NAV = pages.NAV
TEMPLATES = {"alerts": Path(__file__).parent / "templates"}
STATIC = {"alerts": Path(__file__).parent / "static"}
# Reached without any middleware: a key in a path passes nothing that logs or traces it.
HOT = ("/v2", "/integrations/alertmanager", "/integrations/grafana", "/integrations/generic", "/ping")

_LEASE = timedelta(seconds=10)


def alert_parts(
    db: Database, clock: Clock, settings: AlertSettings, watchers: GroupWatchers | None = None
) -> dict[Any, Any]:
    """The parts of a server. `watchers` are told of each change of a group in its transaction."""
    watchers = watchers or GroupWatchers()
    return {
        AlertSettings: settings,
        GroupWatchers: watchers,
        Alerting: Alerting(settings, watchers),
        Door: Door(db, clock, most=settings.most_requests),
        Gatherer: Gatherer(db, clock, Intake(settings, watchers)),
        OpenGroups: OpenGroups(db),
    }


def apps(parts: Parts, db: Database, clock: Clock) -> dict[str, ASGIApp]:
    """The ways in, by the prefixes that they are mounted at."""
    door, gatherer = parts[Door], parts[Gatherer]
    return {
        "/v2": EventsApp(db, clock, door, gatherer),
        **webhook_apps(clock, door, gatherer),
        "/ping": PingApp(db, clock, parts[Alerting], door.rates),
    }


def events_app(parts: Mapping[Any, Any], db: Database, clock: Clock) -> ASGIApp:
    """The events' way in with a door and a gatherer of its own, for whoever asks it from another event loop."""
    settings = parts[AlertSettings]
    gatherer = Gatherer(db, clock, Intake(settings, parts[GroupWatchers]))
    return EventsApp(db, clock, Door(db, clock, most=settings.most_requests), gatherer)


def worker(parts: Parts, db: Database, clock: Clock) -> Worker:
    """The lane of what time alone changes: nothing that leaves the machine may hold it up. A snooze that ends and a
    heartbeat that is missed page somebody, so what a killed one held waits no longer than a page."""
    alerting = parts[Alerting]
    return Worker(
        db,
        clock,
        jobs.handlers(clock, alerting),
        recurring=jobs.recurring(clock, alerting),
        lane=LANE,
        threads=1,
        lease=_LEASE,
    )
