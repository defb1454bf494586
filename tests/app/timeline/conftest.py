"""The stage of the timeline's tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.app.timeline.support import Zoo
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database


@pytest.fixture
def zoo(database: Database, clock: ManualClock) -> Iterator[Zoo]:
    with ExitStack() as clients:
        yield Zoo(database, clock, clients)
