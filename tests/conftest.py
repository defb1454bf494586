"""What every test can ask for: both databases, a clock that stands still, and that CI skips nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.postgres import PostgresMissing, PostgresServer
from tests.support.postgres_databases import Databases
from tests.support.routes import keep_what_routes_are
from tests.support.spreading import pytest_collection_modifyitems, pytest_xdist_make_scheduler  # noqa: F401 (hooks)
from watchkeeper.app import migrations
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database, open_database
from watchkeeper.kernel.db.migrations import Migrations

keep_what_routes_are()
# Laws that say no number of their own; `--hypothesis-profile=thorough` looks longer than anybody waits for.
settings.register_profile("usual", max_examples=40)
settings.register_profile("thorough", max_examples=1_000)
settings.load_profile("usual")
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SCRIPTS = Path(migrations.__file__).parent


def missing(what: str) -> None:
    """Skip on a developer's machine; fail in CI, where a skip would hide a missing service."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture
def clock() -> ManualClock:
    """Noon of a Monday."""
    return ManualClock(NOON)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server with the migrated database `template_wk`, which each test's own is copied from."""
    try:
        server = PostgresServer()
    except PostgresMissing as error:
        missing(str(error))
        return
    server.execute("CREATE DATABASE template_wk")
    database = open_database(server.url("template_wk"), Path())
    Migrations(SCRIPTS).migrate(database.engine)
    database.close()
    yield server
    server.close()


@pytest.fixture(scope="session")
def databases(postgres: PostgresServer) -> Databases:
    return Databases(postgres, "template_wk")


@pytest.fixture
def postgres_url(postgres: PostgresServer, databases: Databases) -> Iterator[str]:
    """An empty, migrated database of this test's own."""
    name = databases.take()
    yield postgres.url(name)
    databases.give_back(name)


@pytest.fixture(scope="session")
def migrated_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a migrated, empty SQLite database, which each test's own is copied from."""
    folder = tmp_path_factory.mktemp("migrated") / "data"
    opened = open_database(None, folder)
    Migrations(SCRIPTS).migrate(opened.engine)
    opened.close()
    return folder


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """State, migrated and empty; each test runs on both engines."""
    if request.param == "sqlite":
        shutil.copytree(request.getfixturevalue("migrated_folder"), tmp_path / "data")
        opened = open_database(None, tmp_path / "data")
    else:
        opened = open_database(request.getfixturevalue("postgres_url"), tmp_path)
    yield opened
    opened.close()
