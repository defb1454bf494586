"""The stage of the tests of stories."""

from __future__ import annotations

import pytest

from tests.incidents.story.support import Stage
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database


@pytest.fixture
def stage(database: Database, clock: ManualClock) -> Stage:
    """On both engines: a shop that calls a database."""
    made = Stage(database, clock)
    made.add_people()
    made.services(db=(), shop=("db",), other=())
    return made
