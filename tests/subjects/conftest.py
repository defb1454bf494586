"""The stage of the tests of subjects and segments."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.subjects.support import Stage
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database


@pytest.fixture
def stage(database: Database, clock: ManualClock) -> Iterator[Stage]:
    with Stage.open(database, clock) as opened:
        yield opened
