"""A console with catalog and telemetry in it, and what is sent to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from starlette.testclient import TestClient

from tests.kernel.web.support import PAGE, bearer, browser, small_app
from tests.telemetry.support import send
from watchkeeper.kernel.clock import ManualClock, SystemClock, to_unix_nano
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.modules.catalog.model import Description
from watchkeeper.modules.catalog.public import Seen, discover
from watchkeeper.modules.catalog.service import Catalog
from watchkeeper.modules.telemetry import wiring
from watchkeeper.modules.telemetry.query import Telemetry
from watchkeeper.modules.telemetry.wiring import TelemetryStore


@dataclass
class Console:
    """Pages and API over a store, for its cast: Alice may everything, Bob may read."""

    database: Database
    clock: ManualClock
    store: TelemetryStore
    telemetry: Telemetry
    clients: ExitStack
    browser: TestClient | None = None

    @classmethod
    @contextmanager
    def open(
        cls, database: Database, clock: ManualClock, store: TelemetryStore, telemetry: Telemetry
    ) -> Iterator[Console]:
        with ExitStack() as clients:
            yield cls(database, clock, store, telemetry, clients)

    @property
    def now(self) -> int:
        return to_unix_nano(self.clock.now())

    def take(self, *requests: Any) -> None:
        """Take these in and store them."""
        for request in requests:
            send(self.store, request)
        self.store.flusher.flush()

    def see(self, *services: str, environment: str = "demo") -> None:
        """Note in the catalog that these sent something now."""
        with self.database.begin() as session:
            discover(session, self.clock, [Seen(service, environment) for service in services])

    def declare(self, service: str) -> None:
        """Somebody puts the service into the catalog."""
        with self.database.begin() as session:
            Catalog(session, self.clock).declare(service, Description(owner="Team Edge"), by="per_alice", source="api")

    def ask(self, path: str, headers: dict[str, str], who: str | None = None) -> httpx.Response:
        """An answer of the app, which is made once."""
        if self.browser is None:
            parts = {
                Database: self.database,
                SystemClock: self.clock,
                ServerSettings: ServerSettings(data=Path("unused")),
                Telemetry: self.telemetry,
            }
            app = small_app(
                *wiring.ROUTERS, parts=parts, templates=wiring.TEMPLATES, nav=wiring.NAV, static=wiring.STATIC
            )
            self.browser = self.clients.enter_context(browser(app))
        self.browser.cookies.clear()
        if who is not None:
            self.browser.cookies.set("who", who)
        return self.browser.get(path, headers=headers)

    def api(self, path: str, scope: str = "read") -> httpx.Response:
        """The answer at a path of telemetry's API."""
        return self.ask(f"/api/v1/telemetry/{path}", bearer(scope))

    def get(self, path: str) -> Any:
        """The JSON at a path of telemetry's API."""
        answer = self.api(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def page(self, path: str, who: str = "bob") -> str:
        """The HTML of a page."""
        answer = self.ask(path, PAGE, who)
        assert answer.status_code == 200, answer.text
        return answer.text
