"""The stage of the tests of notifications."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.notify.support import Post, Provider
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database


@pytest.fixture
def provider() -> Iterator[Provider]:
    server = Provider()
    yield server
    server.close()


@pytest.fixture
def post(database: Database, clock: ManualClock, provider: Provider) -> Post:
    return Post(database, clock, provider)
