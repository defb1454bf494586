"""Puts the parts together: one object that is the whole of a running Watchkeeper."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from sqlalchemy.orm import Session
from starlette.types import ASGIApp

from watchkeeper.app import migrations, modules_shown, paging, responding, tables
from watchkeeper.app import pages as app_pages
from watchkeeper.app.audit import wiring as audit_wiring
from watchkeeper.app.audit.sealer import Sealer
from watchkeeper.app.backup import wiring as backup_wiring
from watchkeeper.app.backup.service import Backups
from watchkeeper.app.backup.source import Where
from watchkeeper.app.backup.wiring import BackupParts
from watchkeeper.app.configuration import Configuration, with_live_settings
from watchkeeper.app.gauges import OwnState
from watchkeeper.app.listening import Deliveries
from watchkeeper.app.ops import api as ops_api
from watchkeeper.app.ops import wiring as ops_wiring
from watchkeeper.app.ops.kinds import SEGMENT_USES
from watchkeeper.app.ops.watch import DriftWatch
from watchkeeper.app.own_settings import own_of
from watchkeeper.app.timeline import routes as timeline_routes
from watchkeeper.app.timeline.marks import fact_or_none, mark_of
from watchkeeper.app.timeline.tail import Tail
from watchkeeper.app.timeline.views import page_of
from watchkeeper.kernel import journal, work
from watchkeeper.kernel.clock import Clock, SystemClock
from watchkeeper.kernel.db.database import Database, open_database
from watchkeeper.kernel.db.lock import ServerLock
from watchkeeper.kernel.db.migrations import Migrations
from watchkeeper.kernel.journal.listeners import Dispatcher, Listener
from watchkeeper.kernel.keys import InstallationKey, key_in_database, key_in_directory, read_key_file, require_same_key
from watchkeeper.kernel.outbound import OutboundSettings
from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.kernel.telemetry.self_telemetry import SelfTelemetry
from watchkeeper.kernel.web.app_factory import create_app
from watchkeeper.kernel.web.csrf import Csrf
from watchkeeper.kernel.web.health import ReadyChecks
from watchkeeper.kernel.web.idempotency import forget_answers
from watchkeeper.kernel.web.pages import Badges, Banners
from watchkeeper.kernel.web.parts import Parts
from watchkeeper.kernel.web.settings import WebSettings
from watchkeeper.kernel.work import Recurring, Transactional, Worker
from watchkeeper.kernel.work import store as work_store
from watchkeeper.modules.alerts.public import Alerting, FactLinks
from watchkeeper.modules.catalog import public as catalog
from watchkeeper.modules.catalog import wiring as catalog_wiring
from watchkeeper.modules.config import public as config
from watchkeeper.modules.config import wiring as config_wiring
from watchkeeper.modules.config.settings import ConfigSettings
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.identity import wiring as identity_wiring
from watchkeeper.modules.identity.control import ControlToken
from watchkeeper.modules.identity.jobs import recurring_work
from watchkeeper.modules.identity.settings import IdentitySettings
from watchkeeper.modules.oncall import public as oncall
from watchkeeper.modules.slo import public as slo
from watchkeeper.modules.slo import wiring as slo_wiring
from watchkeeper.modules.slo.settings import SloSettings
from watchkeeper.modules.subjects import public as subjects
from watchkeeper.modules.subjects import wiring as subjects_wiring
from watchkeeper.modules.telemetry import wiring as telemetry_wiring
from watchkeeper.modules.telemetry.model import Signal
from watchkeeper.modules.telemetry.query import Telemetry

SCRIPTS = Path(migrations.__file__).parent
_DONE_WORK_KEPT = timedelta(days=7)
_ANSWERS_KEPT = timedelta(days=1)


@dataclass(frozen=True)
class DatabaseReady:
    """Ready means that the database answers and has this version's schema."""

    db: Database
    name: str = "database"

    async def check(self) -> str | None:
        """None when all is well."""
        pending = await self.db.ask(lambda _session: Migrations(SCRIPTS).pending(self.db.engine))
        return f"{len(pending)} migrations are pending" if pending else None


@dataclass(frozen=True)
class Watchkeeper:
    """The parts of one server and its app. `background` says whether it does work besides answering."""

    app: FastAPI
    configuration: Configuration
    db: Database
    clock: Clock
    store: telemetry_wiring.TelemetryStore

    @classmethod
    @contextmanager
    def open(
        cls,
        configuration: Configuration,
        *,
        url: str | None = None,
        background: bool = True,
        clock: Clock | None = None,
        lock: ServerLock | None = None,
    ) -> Iterator[Watchkeeper]:
        """Take the data directory, bring the schema up to date and build the app; all is let go of at the end.

        Raises AlreadyRunning, DatabaseTooNew or Unavailable.
        """
        clock = clock or SystemClock()
        configuration = with_live_settings(configuration)
        server = configuration.server
        with ExitStack() as stack:
            held = lock or stack.enter_context(ServerLock(server.data))
            db = open_database(server.database_url, server.data)
            stack.callback(db.close)
            Migrations(SCRIPTS).migrate(db.engine)
            control = ControlToken.create(server.data)
            store = _open_telemetry(db, clock, configuration)
            stack.callback(store.close)
            key = installation_key(configuration, db)
            parts = _parts(configuration, db, clock, store, control, key, url)
            watchkeeper = cls(_app(parts, store, db, clock, background), configuration, db, clock, store)
            if url is not None:
                held.announce(url)
            yield watchkeeper


def _open_telemetry(db: Database, clock: Clock, configuration: Configuration) -> telemetry_wiring.TelemetryStore:
    def on_seen(session: Session, seen: frozenset[tuple[str, str, str | None]], _at: datetime) -> None:
        catalog.discover(session, clock, [catalog.Seen(name, where, version or "") for name, where, version in seen])

    with db.read() as session:
        known = [service.name for service in catalog.services(session)]
    return telemetry_wiring.TelemetryStore.open(
        db, clock, configuration.telemetry, configuration.server, known_services=known, on_seen=on_seen
    )


def installation_key(configuration: Configuration, db: Database) -> InstallationKey:
    """The key that this database's secrets are sealed with. Raises KeyUnusable when it is another."""
    server = configuration.server
    with db.begin() as session:
        if server.key_file is not None:
            key = read_key_file(server.key_file)
        elif db.dialect == "postgresql":
            key = key_in_database(session)
        else:
            key = key_in_directory(server.data)
        require_same_key(session, key)
    return key


def _parts(
    configuration: Configuration,
    db: Database,
    clock: Clock,
    store: telemetry_wiring.TelemetryStore,
    control: ControlToken,
    key: InstallationKey,
    own_url: str | None,
) -> Parts:
    server = configuration.server
    telemetry = telemetry_wiring.telemetry_parts(store, db)
    audit = audit_wiring.audit_parts(
        db, clock, server.data, configuration.audit, configuration.mail, configuration.outbound
    )
    backup = _backup(configuration, db, clock, store, key)
    calling = paging.paging_parts(configuration, db, clock, key, own_url)
    drift = DriftWatch(db)
    slos = slo_wiring.slo_parts(db, clock, telemetry[Telemetry], configuration.slo, configuration.outbound)
    links = FactLinks(page_of, journal.undo_href, mark_of, fact_or_none)
    below: dict[Any, Any] = {**telemetry, **slos, **calling, FactLinks: links}
    following = responding.responding_parts(configuration, db, clock, key, below)
    parts: dict[Any, Any] = {
        Configuration: configuration,
        Database: db,
        SystemClock: clock,
        ServerSettings: server,
        WebSettings: configuration.web,
        InstallationKey: key,
        Csrf: Csrf(key.derive("web.forms"), secure=(server.base_url or "").startswith("https://")),
        ReadyChecks: ReadyChecks((DatabaseReady(db),)),
        **_told((store, audit[Sealer], backup.watch), drift, calling, following),
        DriftWatch: drift,
        Tail: Tail(db),
        catalog.ReadinessChecks: _readiness(db, clock, telemetry[Telemetry]),
        subjects.SegmentUses: SEGMENT_USES,
        identity.TeamHoldings: identity.TeamHoldings((catalog.owned_by, config.owned_by, oncall.owned_by)),
        **identity_wiring.identity_parts(db, clock, configuration.identity, server, control=control),
        **telemetry,
        **config_wiring.config_parts(db, clock, configuration.config, os.environ, own_of(configuration)),
        **slos,
        **calling,
        **following,
        FactLinks: links,
        OutboundSettings: configuration.outbound,
        **audit,
        BackupParts: backup,
        Backups: backup.backups,
    }
    return Parts(parts)


def _told(
    own: tuple[Any, ...], drift: DriftWatch, calling: dict[Any, Any], following: dict[Any, Any]
) -> dict[Any, Any]:
    """What every page shows: lines above it, and numbers beside the names of pages."""
    return {
        Banners: Banners((*own, *paging.banners(calling), *responding.banners(following))),
        Badges: Badges((drift, *paging.badges(calling), *responding.badges(following))),
    }


def _readiness(db: Database, clock: Clock, telemetry: Telemetry) -> catalog.ReadinessChecks:
    return catalog.ReadinessChecks(
        (
            *catalog_wiring.CHECKS,
            *telemetry_wiring.readiness_checks(telemetry, clock),
            *slo_wiring.readiness_checks(db),
            *responding.readiness_checks(db, clock),
        )
    )


def _backup(
    configuration: Configuration,
    db: Database,
    clock: Clock,
    store: telemetry_wiring.TelemetryStore,
    key: InstallationKey,
) -> BackupParts:
    server = configuration.server
    where = Where(server.data, server.database_url, store.folder.root, configuration.audit.folder(server.data))
    inside = server.key_file is None and db.dialect == "postgresql"
    return BackupParts.open(db, clock, configuration.backup, where, key, key_in_database=inside)


def _app(parts: Parts, store: telemetry_wiring.TelemetryStore, db: Database, clock: Clock, background: bool) -> FastAPI:
    return create_app(
        parts=parts,
        routers=(
            *identity_wiring.ROUTERS,
            *catalog_wiring.ROUTERS,
            *subjects_wiring.ROUTERS,
            *config_wiring.ROUTERS,
            *slo_wiring.ROUTERS,
            *paging.ROUTERS,
            *responding.ROUTERS,
            *telemetry_wiring.ROUTERS,
            timeline_routes.router,
            timeline_routes.pages,
            *ops_wiring.ROUTERS,
            *audit_wiring.ROUTERS,
            *backup_wiring.ROUTERS,
            app_pages.router,
        ),
        mounts={**store.apps(), **_ofrep(parts, db, clock), **paging.apps(parts, db, clock)},
        nav=modules_shown.NAV,
        templates=modules_shown.TEMPLATES,
        static=modules_shown.STATIC,
        hot=("/ofrep", *paging.HOT),
        exact=responding.exact(parts),
        body_limits={
            **subjects_wiring.BODY_LIMITS,
            **responding.BODY_LIMITS,
            "/v1": None,
            "/ofrep": None,
            **dict.fromkeys(paging.HOT),
            "/api/v1/ops": ops_api.LARGEST_BODY,
        },
        lifespan=_lifespan(parts, store, db, clock) if background else None,
    )


def _ofrep(parts: Parts, db: Database, clock: Clock) -> dict[str, ASGIApp]:
    async def token_works(token: str) -> bool:
        return await db.ask(lambda session: identity.token_works(session, token, clock.now()))

    key = parts[InstallationKey].derive("config.ofrep_stream")
    return config_wiring.apps(parts[config.Hub], db, clock, parts[ConfigSettings], key, token_works)


def _lifespan(parts: Parts, store: telemetry_wiring.TelemetryStore, db: Database, clock: Clock) -> Any:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        workers = _workers(parts, store, db, clock)
        deliveries = Deliveries(db, clock, listeners(clock, parts))
        own = SelfTelemetry(lambda signal, body: store.intake.accept_own(Signal(signal), body))
        store.start()
        for worker in workers:
            worker.start()
        parts[Sealer].start()
        if parts[ServerSettings].self_telemetry:
            own.start()
        try:
            async with (
                parts[BackupParts].running(),
                parts[DriftWatch].running(),
                deliveries.running(),
                config_wiring.following(parts[config.Hub], clock),
                parts[slo.Engine].running(),
                paging.running(parts, db),
                responding.running(parts, db),
                slo_wiring.reporting(parts),
                OwnState(db, deliveries.listeners).running(),
            ):
                yield
        finally:
            own.stop()
            for worker in workers:
                worker.stop()
            parts[Sealer].stop()

    return lifespan


def _workers(parts: Parts, store: telemetry_wiring.TelemetryStore, db: Database, clock: Clock) -> tuple[Worker, ...]:
    """Each in a lane of its own, so that none holds up another."""
    default = Worker(
        db,
        clock,
        {**audit_wiring.handlers(parts), **config_wiring.handlers(clock)},
        recurring=[
            *store.recurring(),
            *recurring_work(clock, parts[IdentitySettings]),
            *_recurring(db, clock),
            *audit_wiring.recurring(parts),
            *config_wiring.recurring(clock, parts[ConfigSettings]),
            *slo_wiring.recurring(clock, parts[SloSettings]),
            *paging.recurring(parts, clock),
            *responding.recurring(parts, clock),
        ],
    )
    return (default, *paging.workers(parts, db, clock), *responding.workers(parts, db, clock))


def listeners(clock: Clock, parts: Mapping[Any, Any]) -> tuple[Listener, ...]:
    """Who hears of facts: a module offers its listeners, and here they are put in."""
    of_responding = responding.listeners(clock, parts)
    return (*config_wiring.listeners(clock), *paging.listeners(parts[Alerting]), *of_responding)


def _recurring(db: Database, clock: Clock) -> list[Recurring]:
    def clean_up(session: Session, _task: work.Task) -> None:
        now = clock.now()
        work_store.prune(session, before=db.database_now(session) - _DONE_WORK_KEPT)
        forget_answers(session, before=now - _ANSWERS_KEPT)

    return [Recurring("kernel.clean_up", timedelta(hours=1), Transactional(clean_up))]


def with_server(configuration: Configuration, **changes: Any) -> Configuration:
    """The configuration with other server settings."""
    return replace(configuration, server=configuration.server.model_copy(update=changes))


__all__ = ["Dispatcher", "Watchkeeper", "tables", "with_server"]
