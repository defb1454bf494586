"""The stage of the tests of alerts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.alerts.support import Stage
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database


@pytest.fixture
def stage(database: Database, clock: ManualClock) -> Iterator[Stage]:
    """On both engines."""
    with Stage.open(database, clock) as opened:
        yield opened
