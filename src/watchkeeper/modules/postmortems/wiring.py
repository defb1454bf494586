"""What `app` needs to put postmortems into a server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.keys import InstallationKey
from watchkeeper.kernel.outbound import Outbound, OutboundSettings
from watchkeeper.kernel.web.parts import Parts
from watchkeeper.kernel.work import Worker
from watchkeeper.modules.catalog.public import ReadinessCheck
from watchkeeper.modules.postmortems import (
    jobs,
    pages,
    pages_one,
    pages_sections,
    pages_shares,
    routes,
    routes_actions,
    routes_shares,
)
from watchkeeper.modules.postmortems.gathering import Gatherer
from watchkeeper.modules.postmortems.github import GitHub
from watchkeeper.modules.postmortems.issues import OpenIssue, ReadBack
from watchkeeper.modules.postmortems.jobs import Draft
from watchkeeper.modules.postmortems.listeners import listeners
from watchkeeper.modules.postmortems.readiness import KeepsPromises
from watchkeeper.modules.postmortems.reminding import Reminding
from watchkeeper.modules.postmortems.settings import PostmortemSettings
from watchkeeper.modules.postmortems.sharing import ShareLinks
from watchkeeper.modules.postmortems.telling import TellIssue
from watchkeeper.modules.postmortems.watching import OwedWatch

__all__ = [
    "NAV",
    "ROUTERS",
    "STATIC",
    "TEMPLATES",
    "OwedWatch",
    "listeners",
    "postmortem_parts",
    "readiness_checks",
    "worker",
]

# Those with fixed words first: `/postmortems/{postmortem_id}` would take them for ids.
ROUTERS = (
    routes_actions.router,
    routes.router,
    routes_shares.router,
    pages.router,
    pages_sections.router,
    pages_shares.router,
    pages_one.router,
)
NAV = pages.NAV
TEMPLATES = {"postmortems": Path(__file__).parent / "templates"}
STATIC = {"postmortems": Path(__file__).parent / "static"}
_THREADS = 2


def postmortem_parts(
    db: Database,
    clock: Clock,
    key: InstallationKey,
    settings: PostmortemSettings,
    outbound: OutboundSettings,
    gatherer: Gatherer,
    base_url: str,
) -> dict[Any, Any]:
    """The parts of a server. `gatherer` reads stories with what the modules below know."""
    return {
        PostmortemSettings: settings,
        Gatherer: gatherer,
        GitHub: GitHub(Outbound.of(outbound), key),
        ShareLinks: ShareLinks(key, base_url),
        OwedWatch: OwedWatch(db, clock),
    }


def readiness_checks(db: Database, clock: Clock) -> tuple[ReadinessCheck, ...]:
    """Lines of the catalog's scorecards."""
    return (KeepsPromises(db, clock),)


def worker(parts: Parts, db: Database, clock: Clock) -> Worker:
    """A lane of its own: GitHub may take its time, and a draft reads much."""
    settings, github, base_url = parts[PostmortemSettings], parts[GitHub], parts[ShareLinks].base_url
    return Worker(
        db,
        clock,
        jobs.handlers(
            Draft(db, clock, parts[Gatherer], settings),
            Reminding(clock, base_url),
            OpenIssue(db, clock, github, base_url),
            TellIssue(db, clock, github),
        ),
        recurring=jobs.recurring(ReadBack(db, clock, github, settings)),
        lane="postmortems",
        threads=_THREADS,
    )
