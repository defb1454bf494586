"""What follows a page, put together: runbooks, incidents, recovery, postmortems and status pages."""

# ruff: noqa: ARG001 (the parts that a hook is offered are the same for each, used or not)

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from starlette.types import ASGIApp

from watchkeeper.app import learning, runbook_lending
from watchkeeper.app.configuration import Configuration
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.journal.listeners import Listener
from watchkeeper.kernel.keys import InstallationKey
from watchkeeper.kernel.web.pages import BadgeSource, BannerSource, NavItem
from watchkeeper.kernel.web.parts import Parts
from watchkeeper.kernel.work import Recurring, Worker
from watchkeeper.modules.alerts.public import Alerting, FactLinks, GroupButtons
from watchkeeper.modules.catalog.public import ReadinessCheck
from watchkeeper.modules.incidents import wiring as incidents
from watchkeeper.modules.incidents.public import Incidenting
from watchkeeper.modules.incidents.story import wiring as story
from watchkeeper.modules.oncall.paging.engine import Engine
from watchkeeper.modules.postmortems import wiring as postmortems
from watchkeeper.modules.recovery import wiring as recovery
from watchkeeper.modules.recovery.public import Recovering
from watchkeeper.modules.runbooks import wiring as runbooks
from watchkeeper.modules.runbooks.public import Actions, Running
from watchkeeper.modules.slo import public as slo
from watchkeeper.modules.status import wiring as status

ROUTERS: tuple[APIRouter, ...] = (
    *runbooks.ROUTERS,
    *incidents.ROUTERS,
    *story.ROUTERS,
    *recovery.ROUTERS,
    *postmortems.ROUTERS,
    *status.ROUTERS,
)
NAV: tuple[NavItem, ...] = (*recovery.NAV, *postmortems.NAV)
TEMPLATES: dict[str, Path] = {
    **runbooks.TEMPLATES,
    **incidents.TEMPLATES,
    **story.TEMPLATES,
    **recovery.TEMPLATES,
    **postmortems.TEMPLATES,
    **status.TEMPLATES,
}
STATIC: dict[str, Path] = {
    **runbooks.STATIC,
    **incidents.STATIC,
    **story.STATIC,
    **recovery.STATIC,
    **postmortems.STATIC,
}
BODY_LIMITS: dict[str, int | None] = {**runbooks.BODY_LIMITS}


def responding_parts(
    configuration: Configuration, db: Database, clock: Clock, key: InstallationKey, before: Mapping[Any, Any]
) -> dict[Any, Any]:
    """The parts of a server; `before` are those of the modules below."""
    server = configuration.server
    base_url = before[Engine].base_url
    found = {
        GroupButtons: GroupButtons((incidents.button_of,)),
        **incidents.incident_parts(
            db, clock, configuration.incidents, before[Alerting], base_url, before[FactLinks], before[slo.Engine]
        ),
        **runbook_lending.runbook_parts(configuration, db, clock, before),
        **status.status_parts(
            db,
            clock,
            key,
            configuration.status,
            configuration.outbound,
            configuration.mail,
            folder=server.data,
            base_url=base_url,
        ),
        **learning.learning_parts(configuration, db, clock, key, before, base_url),
    }
    stories = story.story_parts(
        found[Incidenting], before[FactLinks], found[Actions], found[Running], before[slo.Engine]
    )
    recoveries = recovery.recovery_parts(before[Alerting], found[Incidenting], found[Running])
    return {**found, **stories, **recoveries}


def exact(parts: Parts) -> dict[str, ASGIApp]:
    """Apps that are reached by one path each, without any middleware."""
    return {**status.exact(parts)}


def banners(parts: Mapping[Any, Any]) -> tuple[BannerSource, ...]:
    """What everybody has to know of them."""
    return (parts[postmortems.OwedWatch],)


def badges(parts: Mapping[Any, Any]) -> tuple[BadgeSource, ...]:
    """What waits on their pages."""
    return (parts[incidents.OpenIncidents], parts[postmortems.OwedWatch], parts[status.WaitingDrafts])


def readiness_checks(db: Database, clock: Clock) -> tuple[ReadinessCheck, ...]:
    """What they add to the scorecard of a service."""
    return (
        *runbooks.readiness_checks(db, clock, runbook_lending.linting()),
        *postmortems.readiness_checks(db, clock),
    )


def listeners(clock: Clock, parts: Mapping[Any, Any]) -> tuple[Listener, ...]:
    """Who hears of facts."""
    return (
        *incidents.listeners(parts[Incidenting], clock),
        *recovery.listeners(parts[Recovering], clock),
        *postmortems.listeners(),
        *status.listeners(clock),
    )


def workers(parts: Parts, db: Database, clock: Clock) -> tuple[Worker, ...]:
    """Lanes of their own: nothing that they do holds up a page."""
    return (
        *incidents.workers(parts, db, clock),
        *recovery.workers(parts, db, clock),
        postmortems.worker(parts, db, clock),
        status.worker(parts, db, clock),
    )


def recurring(parts: Parts, clock: Clock) -> list[Recurring]:
    """Work in the default lane that keeps what is stored small."""
    return [*runbooks.recurring(parts, clock), *status.recurring(parts, clock)]


@asynccontextmanager
async def running(parts: Parts, db: Database) -> AsyncIterator[None]:
    """What looks again and again while the block lasts."""
    watches = parts[incidents.OpenIncidents].running(), parts[postmortems.OwedWatch].running()
    async with status.running(parts), watches[0], watches[1], parts[runbooks.RunnerHere].running():
        yield
