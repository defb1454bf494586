"""The database: what it promises on both engines."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, insert, select, text
from sqlalchemy.orm import Session

from tests.conftest import NOON, SCRIPTS
from tests.support.postgres import PostgresServer
from watchkeeper.app.tables import metadata
from watchkeeper.kernel.clock import rfc3339
from watchkeeper.kernel.db.database import DATABASE_FILE, Database, open_database
from watchkeeper.kernel.db.migrations import DatabaseTooNew, Migrations
from watchkeeper.kernel.errors import Invalid, Unavailable
from watchkeeper.kernel.journal.tables import journal_parked

PROBE = journal_parked


def _insert(session: Session, number: int) -> None:
    session.execute(insert(PROBE).values(listener="probe", seq=number, error="", parked_at=NOON))


def _count(session: Session) -> int:
    return session.execute(select(func.count()).select_from(PROBE)).scalar_one()


def test_a_change_is_there_after_its_transaction_and_gone_after_a_failure(database: Database) -> None:
    with database.begin() as session:
        _insert(session, 1)
    with pytest.raises(LookupError), database.begin() as session:
        _insert(session, 2)
        raise LookupError
    with database.read() as session:
        assert _count(session) == 1


def test_many_writers_at_once_lose_nothing_and_a_failing_one_harms_no_other(database: Database) -> None:
    def run(session: Session, number: int) -> int:
        _insert(session, number)
        if number % 10 == 3:
            raise LookupError(number)
        return number

    async def all_at_once() -> list[int | BaseException]:
        writes = (database.write(partial(run, number=n)) for n in range(200))
        return await asyncio.gather(*writes, return_exceptions=True)

    results = asyncio.run(all_at_once())
    failed = [n for n, result in enumerate(results) if isinstance(result, LookupError)]
    assert failed == [n for n in range(200) if n % 10 == 3]
    with database.read() as session:
        assert _count(session) == 180


def test_a_reader_can_not_write(database: Database) -> None:
    with pytest.raises(Unavailable), database.read() as session:
        _insert(session, 1)


def test_a_reader_sees_one_moment_however_long_it_looks(database: Database) -> None:
    with database.read() as session:
        before = _count(session)
        with database.begin() as other:
            _insert(other, 1)
        assert _count(session) == before


def test_a_transaction_inside_a_transaction_is_a_clear_mistake_and_no_deadlock(tmp_path: Path) -> None:
    database = open_database(None, tmp_path)
    with database.begin(), pytest.raises(RuntimeError, match="already in a write transaction"), database.begin():
        pass
    database.close()


def test_sqlite_commits_are_durable_and_its_readers_leave_the_log_alone(tmp_path: Path) -> None:
    database = open_database(None, tmp_path)
    with database.begin() as session:
        assert session.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert session.execute(text("PRAGMA synchronous")).scalar() == 2  # FULL
        assert session.execute(text("PRAGMA foreign_keys")).scalar() == 1
    with database.read() as session:
        assert session.execute(text("PRAGMA query_only")).scalar() == 1
    database.close()
    assert (tmp_path / DATABASE_FILE).stat().st_mode & 0o777 == 0o600


def test_a_full_disk_refuses_the_write_and_harms_nothing(tmp_path: Path) -> None:
    database = open_database(None, tmp_path)
    with database.begin() as session:
        session.execute(text("CREATE TABLE filler (body TEXT)"))
    with database.begin() as session:
        pages = session.execute(text("PRAGMA page_count")).scalar_one()
        session.execute(text(f"PRAGMA max_page_count = {pages + 2}"))

    def fill(session: Session) -> None:
        session.execute(text("INSERT INTO filler VALUES (:body)"), {"body": "x" * 200_000})

    with pytest.raises(Unavailable, match="disk is full"):
        asyncio.run(database.write(fill))
    with database.begin() as session:
        session.execute(text("PRAGMA max_page_count = 1000000"))
        assert session.execute(text("SELECT count(*) FROM filler")).scalar() == 0
    asyncio.run(database.write(fill))
    with database.read() as session:
        assert session.execute(text("SELECT count(*) FROM filler")).scalar() == 1
    database.close()


def test_a_database_url_of_another_kind_is_refused_without_repeating_its_password() -> None:
    with pytest.raises(Invalid) as refusal:
        open_database("mysql://root:hunter2@localhost/db", Path())
    assert "hunter2" not in str(refusal.value)
    assert "postgresql://" in str(refusal.value)


def test_the_migrated_schema_is_the_declared_one(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_migrating_again_changes_nothing(database: Database) -> None:
    migrations = Migrations(SCRIPTS)
    assert migrations.pending(database.engine) == []
    assert migrations.migrate(database.engine) == []


def test_replicas_that_start_together_migrate_once(postgres: PostgresServer, tmp_path: Path) -> None:
    postgres.execute("CREATE DATABASE fresh")
    url = postgres.url("fresh")
    counts: list[int] = []

    def start() -> None:
        replica = open_database(url, tmp_path)
        counts.append(len(Migrations(SCRIPTS).migrate(replica.engine)))
        replica.close()

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counts)[:2] == [0, 0]
    assert sorted(counts)[2] > 0


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    database = open_database(None, tmp_path)
    Migrations(SCRIPTS).migrate(database.engine)
    with database.begin() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999_future'"))
    with pytest.raises(DatabaseTooNew, match="9999_future"):
        Migrations(SCRIPTS).migrate(database.engine)
    database.close()


@given(st.lists(st.datetimes(timezones=st.timezones(), min_value=datetime(1971, 1, 1)), min_size=2, max_size=5))
def test_instants_sort_as_text_on_sqlite_as_they_do_in_time(instants: list[datetime]) -> None:
    assert sorted(rfc3339(one) for one in instants) == [rfc3339(one) for one in sorted(instants)]


def test_the_file_is_a_plain_sqlite_database_that_other_tools_can_read(tmp_path: Path) -> None:
    database = open_database(None, tmp_path)
    with database.begin() as session:
        session.execute(text("CREATE TABLE t (a INTEGER)"))
        session.execute(text("INSERT INTO t VALUES (7)"))
    database.close()
    with sqlite3.connect(tmp_path / DATABASE_FILE) as plain:
        assert plain.execute("SELECT a FROM t").fetchall() == [(7,)]
