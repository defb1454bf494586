"""The stage of the tests of postmortems."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.postmortems.support import Stage
from tests.postmortems.tracker import FakeGitHub
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database


@pytest.fixture
def stage(database: Database, clock: ManualClock) -> Iterator[Stage]:
    """On both engines."""
    with Stage.open(database, clock) as opened:
        yield opened


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub.running() as running:
        yield running
