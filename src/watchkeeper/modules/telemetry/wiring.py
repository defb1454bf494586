"""What `app` needs to put telemetry into a server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.kernel.telemetry import metrics
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import Banner
from watchkeeper.kernel.work import Recurring, Task
from watchkeeper.modules.telemetry import charts, pages, pages_csv, pages_traces, routes
from watchkeeper.modules.telemetry.decoding import Decoder
from watchkeeper.modules.telemetry.engine import Engine
from watchkeeper.modules.telemetry.flusher import Flusher, SeenListener
from watchkeeper.modules.telemetry.intake import Intake, OtlpApp
from watchkeeper.modules.telemetry.intake_log import IntakeLog
from watchkeeper.modules.telemetry.maintenance import Maintenance
from watchkeeper.modules.telemetry.model import Dataset, Signal
from watchkeeper.modules.telemetry.parts import PartFolder
from watchkeeper.modules.telemetry.places import OtherPlaces, adopt
from watchkeeper.modules.telemetry.query import Telemetry
from watchkeeper.modules.telemetry.readiness import Sends
from watchkeeper.modules.telemetry.settings import TelemetrySettings

MAINTENANCE_EVERY = timedelta(seconds=15)
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class _Maintain:
    maintenance: Maintenance

    def act(self, task: Task) -> None:  # noqa: ARG002
        self.maintenance.run()

    def finish(self, session: Any, task: Task, result: Any) -> None:
        """Its transactions are its own: a merge is worth keeping whatever follows."""


@dataclass(frozen=True)
class TelemetryStore:
    """Intake and storage, running or not."""

    intake: Intake
    log: IntakeLog
    flusher: Flusher
    engine: Engine
    folder: PartFolder
    decoder: Decoder
    maintenance: Maintenance
    others: OtherPlaces
    settings: TelemetrySettings
    server: ServerSettings

    @classmethod
    def open(
        cls,
        db: Database,
        clock: Clock,
        settings: TelemetrySettings,
        server: ServerSettings,
        *,
        known_services: Iterable[str] = (),
        on_seen: SeenListener | None = None,
    ) -> TelemetryStore:
        """Open the folders of the data directory; what an earlier run acknowledged and did not store is stored next."""
        home = server.data / "telemetry"
        folder = PartFolder(settings.directory or home / "parts")
        with db.begin() as session:
            adopt(session, folder)
        others = OtherPlaces(db, clock, folder)
        engine = Engine(
            memory_mb=settings.query_memory_mb,
            threads=settings.query_threads,
            seconds=settings.query_seconds,
            scratch=home / "scratch",
        )
        log = IntakeLog(home / "intake", min_free_bytes=settings.min_free_bytes)
        decoder = Decoder(
            raw_days=lambda: settings.raw_days,
            max_pending_bytes=settings.max_pending_bytes,
            max_services=settings.max_services,
            known_services=known_services,
        )
        flusher = Flusher(
            db,
            clock,
            log,
            folder,
            engine,
            decoder,
            every_seconds=settings.flush_seconds,
            most_routes=settings.max_routes,
            on_seen=on_seen,
            after_round=others.look_now_and_then,
        )
        maintenance = Maintenance(db.lane("telemetry"), clock, folder, engine, settings)
        intake = Intake(log, decoder, clock)
        return cls(intake, log, flusher, engine, folder, decoder, maintenance, others, settings, server)

    def telemetry(self, db: Database) -> Telemetry:
        """The way to ask."""
        return Telemetry(db, self.maintenance.clock, self.engine, self.folder, raw_days=lambda: self.settings.raw_days)

    def start(self) -> None:
        self.flusher.start()
        metrics.gauge_callback(
            "watchkeeper.telemetry.pending_bytes",
            "Bytes taken in and not stored yet.",
            lambda: [({}, self.decoder.pending_bytes)],
        )

    def close(self) -> None:
        """Store what is there, then stop."""
        self.intake.close()
        self.flusher.stop()
        self.log.close()
        self.engine.close()

    def apps(self) -> Mapping[str, OtlpApp]:
        """The intake, to be mounted at these paths."""
        return {
            f"/v1/{signal}": OtlpApp(
                signal,
                self.intake,
                max_body_bytes=self.settings.max_body_bytes,
                token_rule=self.settings.require_intake_token,
                server_is_local=self.server.host in _LOOPBACK,
            )
            for signal in Signal
        }

    def recurring(self) -> list[Recurring]:
        # Each place is kept by those who see it.
        name = f"telemetry.maintenance.{self.folder.place_id}"
        return [Recurring(name, MAINTENANCE_EVERY, _Maintain(self.maintenance))]

    def banners(self, actor: Actor) -> list[Banner]:  # noqa: ARG002
        """Told to everybody: telemetry that is not taken in looks like a quiet night."""
        if self.log.is_full:
            return [Banner("danger", "The disk is full: telemetry is refused until there is space again.", "/settings")]
        if self.flusher.backlog > 3:
            return [Banner("warning", "Telemetry arrives but can't be stored yet; it is kept in the intake log.")]
        if self.others.count:
            return [Banner("warning", not_visible(self.others.count))]
        return []


def not_visible(others: int) -> str:
    """What is told about replicas that keep telemetry in folders of their own."""
    whose = "one other replica" if others == 1 else f"{others} other replicas"
    return f"Telemetry of {whose} is not visible here; let them share WATCHKEEPER_TELEMETRY_DIRECTORY."


def telemetry_parts(store: TelemetryStore, db: Database) -> dict[Any, Any]:
    """The parts that telemetry's routes are handed."""
    return {
        TelemetryStore: store,
        TelemetrySettings: store.settings,
        Telemetry: store.telemetry(db),
    }


def readiness_checks(telemetry: Telemetry, clock: Clock) -> tuple[Sends, ...]:
    """Scorecard lines for the catalog."""
    return tuple(Sends(telemetry, clock, dataset) for dataset in (Dataset.METRICS, Dataset.LOGS, Dataset.SPANS))


ROUTERS = (routes.router, charts.router, pages_csv.router, pages.router, pages_traces.router)
NAV = pages.NAV
TEMPLATES = {"telemetry": Path(__file__).parent / "templates"}
STATIC = {"telemetry": Path(__file__).parent / "static"}
