"""What `app` needs to put objectives into a server."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel import work
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.ops import OpsKind
from watchkeeper.kernel.outbound import Outbound, OutboundSettings
from watchkeeper.kernel.work import Recurring, Transactional
from watchkeeper.modules.catalog.public import ReadinessCheck
from watchkeeper.modules.slo import routes, routes_records, store_counts
from watchkeeper.modules.slo.definition import DataSource
from watchkeeper.modules.slo.engine import Engine
from watchkeeper.modules.slo.ops import SloKind
from watchkeeper.modules.slo.readiness import HasObjectives
from watchkeeper.modules.slo.settings import SloSettings
from watchkeeper.modules.slo.sources import Embedded
from watchkeeper.modules.slo.sources_prometheus import Prometheus
from watchkeeper.modules.telemetry.public import Telemetry

__all__ = ["NAV", "OPS_KINDS", "ROUTERS", "STATIC", "TEMPLATES", "Engine", "readiness_checks", "recurring", "slo_parts"]

# Records first: `/slo/…` is theirs, `/slos/{name}` the others'.
ROUTERS = (routes_records.router, routes.router)
NAV: tuple[Any, ...] = ()
TEMPLATES = {"slo": Path(__file__).parent / "templates"}
STATIC: dict[str, Path] = {}
OPS_KINDS: tuple[OpsKind, ...] = (SloKind(),)


def slo_parts(
    db: Database, clock: Clock, telemetry: Telemetry, settings: SloSettings, outbound: OutboundSettings
) -> dict[Any, Any]:
    """The parts of a server. The engine looks for the first time when it runs, or when it is told to."""
    held: dict[str, Engine] = {}

    def data_sources() -> Mapping[str, DataSource]:
        return held["engine"].data_sources

    sources = (Embedded(telemetry), Prometheus.of(data_sources, Outbound.of(outbound)))
    held["engine"] = Engine(db, clock, sources, settings, raw_days=telemetry.raw_days)
    return {Engine: held["engine"], SloSettings: settings}


def readiness_checks(db: Database) -> tuple[ReadinessCheck, ...]:
    """Lines of the catalog's scorecards."""
    return (HasObjectives(db),)


def recurring(clock: Clock, settings: SloSettings) -> list[Recurring]:
    """Work that keeps what is stored small."""

    def forget(session: Session, _task: work.Task) -> None:
        before = clock.now() - timedelta(days=settings.hours_kept_days)
        store_counts.forget_hours(session, before=int(before.timestamp()))

    return [Recurring("slo.forget", timedelta(days=1), Transactional(forget))]
