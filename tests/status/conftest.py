"""The stage of the tests of status pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.status.readers import hook, inbox  # noqa: F401 (fixtures)
from tests.status.support import Stage
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database


@pytest.fixture
def stage(database: Database, clock: ManualClock, tmp_path: Path) -> Iterator[Stage]:
    """On both engines."""
    with Stage.open(database, clock, tmp_path) as opened:
        yield opened
