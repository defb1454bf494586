"""Something to back up, on each database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.backup.support import Attic, attic
from watchkeeper.kernel.clock import ManualClock


@pytest.fixture
def on_sqlite(tmp_path: Path, clock: ManualClock) -> Iterator[Attic]:
    with attic(tmp_path, clock) as found:
        yield found


@pytest.fixture
def on_postgresql(tmp_path: Path, clock: ManualClock, postgres_url: str) -> Iterator[Attic]:
    with attic(tmp_path, clock, postgres_url) as found:
        yield found
