"""However many write at the same time, the journal is one line of facts, at a bounded price."""

from __future__ import annotations

from pathlib import Path

from tests.durability.replica_appends import (
    prepare,
    replicas_on_postgresql,
    require_one_chain,
    threads_on_sqlite,
    write_in_threads,
)
from tests.support.postgres import PostgresServer
from watchkeeper.kernel.db.database import Database

# Measured at about 2 (bench/two_replicas.py); a busy machine gets some leave.
MOST_COST = 4


def test_two_processes_on_one_postgresql_make_one_chain(postgres: PostgresServer, tmp_path: Path) -> None:
    postgres.execute("CREATE DATABASE two_processes")
    url = postgres.url("two_processes")
    db = prepare(url, tmp_path)
    cost = replicas_on_postgresql(url, processes=2, rows_each=1_000, rounds=2)
    require_one_chain(db, 2_000)
    db.close()
    assert cost.ratio < MOST_COST


def test_many_threads_make_one_chain(database: Database) -> None:
    write_in_threads(database, threads=8, rows_each=40)
    require_one_chain(database, 320)


def test_many_requests_on_sqlite_make_one_chain(tmp_path: Path) -> None:
    db = prepare(None, tmp_path / "data")
    cost = threads_on_sqlite(db, rows=4_000, rounds=2)
    require_one_chain(db, 4_000)
    db.close()
    assert cost.ratio < MOST_COST
