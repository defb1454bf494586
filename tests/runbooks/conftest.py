"""The stage of the tests of runbooks."""

from __future__ import annotations

import pytest

from tests.runbooks.support import Stage
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database


@pytest.fixture
def stage(database: Database, clock: ManualClock) -> Stage:
    """On both engines."""
    return Stage(database, clock)
