"""The stage of the tests of paging."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.notify.support import Provider
from tests.oncall.paging.support import Tower
from tests.oncall.support import Stage
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database


@pytest.fixture
def tower(database: Database, clock: ManualClock) -> Iterator[Tower]:
    provider = Provider()
    with Stage.open(database, clock) as stage:
        yield Tower(stage, provider)
    provider.close()
