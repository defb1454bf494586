"""The stage of the tests of recovery."""

from __future__ import annotations

import pytest

from tests.recovery.support import Stage
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database


@pytest.fixture
def stage(database: Database, clock: ManualClock) -> Stage:
    """On both engines: a shop whose workers were turned down, and the runbook that turns them up."""
    made = Stage(database, clock)
    made.add_people()
    made.services(shop=(), db=())
    made.prepare()
    return made
