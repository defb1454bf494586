"""What `app` needs to put objectives into a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel import work
from watchkeeper.kernel.clock import Clock, SystemClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.mail import Mailer
from watchkeeper.kernel.ops import OpsKind
from watchkeeper.kernel.outbound import Outbound, OutboundSettings
from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.kernel.web.parts import Parts
from watchkeeper.kernel.work import Handler, Recurring, Transactional, Worker
from watchkeeper.modules.catalog.public import Blocks, ReadinessCheck
from watchkeeper.modules.slo import (
    charts,
    pages,
    pages_edit,
    pages_policies,
    pages_records,
    pages_reports,
    pages_slo,
    routes,
    routes_records,
    routes_reports,
    routes_rules,
    store_counts,
)
from watchkeeper.modules.slo.blocks import ObjectiveBlocks
from watchkeeper.modules.slo.definition import DataSource
from watchkeeper.modules.slo.engine import Engine
from watchkeeper.modules.slo.ops import SloKind
from watchkeeper.modules.slo.readiness import HasObjectives
from watchkeeper.modules.slo.reports import sending
from watchkeeper.modules.slo.reports import store as store_reports
from watchkeeper.modules.slo.reports.closing import Closing, Rechecking
from watchkeeper.modules.slo.reports.counting import Causes
from watchkeeper.modules.slo.reports.sending import Planning, Posting
from watchkeeper.modules.slo.settings import SloSettings
from watchkeeper.modules.slo.sources_embedded import Embedded
from watchkeeper.modules.slo.sources_prometheus import Prometheus
from watchkeeper.modules.telemetry.public import Telemetry

__all__ = [
    "NAV",
    "OPS_KINDS",
    "ROUTERS",
    "STATIC",
    "TEMPLATES",
    "Engine",
    "readiness_checks",
    "recurring",
    "reporting",
    "slo_parts",
]

# Records first: `/slo/…` is theirs, `/slos/{name}` the others'. The page of one SLO comes last for the same reason.
ROUTERS = (
    routes_records.router,
    routes_reports.router,
    routes_rules.router,
    routes.router,
    charts.router,
    pages.router,
    pages_records.router,
    pages_policies.router,
    pages_reports.router,
    pages_edit.router,
    pages_slo.router,
)
NAV = pages.NAV
_SENDINGS_KEPT = timedelta(days=400)  # they hold addresses
TEMPLATES = {"slo": Path(__file__).parent / "templates"}
OPS_KINDS: tuple[OpsKind, ...] = (SloKind(),)
STATIC = {"slo": Path(__file__).parent / "static"}


def slo_parts(
    db: Database, clock: Clock, telemetry: Telemetry, settings: SloSettings, outbound: OutboundSettings
) -> dict[Any, Any]:
    """The parts of a server. The engine looks for the first time when it runs, or when it is told to."""
    held: dict[str, Engine] = {}

    def data_sources() -> Mapping[str, DataSource]:
        return held["engine"].data_sources

    sources = (Embedded(telemetry), Prometheus.of(data_sources, Outbound.of(outbound)))
    engine = held["engine"] = Engine(db, clock, sources, settings, raw_days=telemetry.raw_days)
    return {Engine: engine, SloSettings: settings, Blocks: Blocks((ObjectiveBlocks(db, clock, engine),))}


def readiness_checks(db: Database) -> tuple[ReadinessCheck, ...]:
    """Lines of the catalog's scorecards."""
    return (HasObjectives(db),)


def recurring(clock: Clock, settings: SloSettings) -> list[Recurring]:
    """Work that keeps what is stored small."""

    def forget(session: Session, _task: work.Task) -> None:
        before = clock.now() - timedelta(days=settings.hours_kept_days)
        store_counts.forget_hours(session, before=int(before.timestamp()))
        store_reports.forget_sendings(session, before=clock.now() - _SENDINGS_KEPT)

    return [Recurring("slo.forget", timedelta(days=1), Transactional(forget))]


@asynccontextmanager
async def reporting(parts: Parts) -> AsyncIterator[None]:
    """Closes, checks and sends reports while the block lasts, in a lane of its own: a period's end is much work."""
    db, clock = parts[Database], parts[SystemClock]
    worker = Worker(
        db, clock, report_handlers(parts), recurring=recurring_reports(parts), lane="slo-reports", threads=2
    )
    worker.start()
    try:
        yield
    finally:
        await asyncio.to_thread(worker.stop)


def report_handlers(parts: Parts) -> dict[str, Handler]:
    """The mails of reports."""
    db, clock, base_url = parts[Database], parts[SystemClock], parts[ServerSettings].base_url
    return {sending.KIND: Posting(db, clock, parts[Mailer], base_url, _causes(parts))}


def recurring_reports(parts: Parts) -> list[Recurring]:
    """Closing what is over, looking whether what was closed still holds, and planning what is to be sent."""
    db, clock = parts[Database], parts[SystemClock]
    return [
        Recurring("slo.close_reports", timedelta(minutes=2), Closing(db, clock, _causes(parts))),
        Recurring("slo.check_reports", timedelta(minutes=30), Rechecking(db, clock)),
        Recurring("slo.plan_reports", timedelta(minutes=1), Transactional(Planning(clock, clock.now()))),
    ]


def _causes(parts: Parts) -> Causes:
    return Causes(parts[Engine], parts[Telemetry])
