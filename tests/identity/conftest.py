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
from datetime import UTC, datetime
from watchkeeper.kernel.db.database import open_database
from watchkeeper.kernel.db.metadata import metadata
from watchkeeper.kernel.journal.tables import journal_head
import watchkeeper.modules.identity.tables, watchkeeper.kernel.db.shared_tables
from sqlalchemy import insert
@pytest.fixture
def clock():
    return ManualClock(datetime(2026, 3, 28, 9, 0, tzinfo=UTC))
@pytest.fixture
def database(tmp_path):
    db = open_database(None, tmp_path / "data")
    with db.begin() as s:
        metadata.create_all(s.connection())
        s.execute(insert(journal_head).values(id=1, seq=0))
    yield db
    db.close()
