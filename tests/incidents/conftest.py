"""The stage of the tests of incidents."""

from __future__ import annotations

import pytest

from tests.incidents.support import Stage
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database


@pytest.fixture
def stage(database: Database, clock: ManualClock) -> Stage:
    """On both engines; noon of a Monday."""
    made = Stage(database, clock)
    made.add_people()
    return made
