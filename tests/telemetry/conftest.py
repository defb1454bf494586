"""A store on each database, and the way to ask it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.telemetry.console import Console
from tests.telemetry.support import store_on
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.modules.telemetry.query import Telemetry
from watchkeeper.modules.telemetry.wiring import TelemetryStore


@pytest.fixture
def store(database: Database, clock: ManualClock, tmp_path: Path) -> Iterator[TelemetryStore]:
    with store_on(database, clock, tmp_path / "telemetry-data") as opened:
        yield opened


@pytest.fixture
def telemetry(store: TelemetryStore, database: Database) -> Iterator[Telemetry]:
    asked = store.telemetry(database)
    yield asked
    asked.close()


@pytest.fixture
def console(database: Database, clock: ManualClock, store: TelemetryStore, telemetry: Telemetry) -> Iterator[Console]:
    with Console.open(database, clock, store, telemetry) as opened:
        yield opened
