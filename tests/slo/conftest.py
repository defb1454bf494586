"""The stage of the tests of objectives."""

from __future__ import annotations

import pytest

from tests.slo.support import Stage
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database


@pytest.fixture
def stage(database: Database, clock: ManualClock) -> Stage:
    return Stage(database, clock)
