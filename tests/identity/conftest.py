"""The stage of identity's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.identity.support import Browser, Console
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database


@pytest.fixture
def console(database: Database, clock: ManualClock) -> Iterator[Console]:
    with Console.open(database, clock) as opened:
        yield opened


@pytest.fixture
def alice(console: Console) -> Browser:
    """The first person's browser, signed in."""
    return console.set_up()
