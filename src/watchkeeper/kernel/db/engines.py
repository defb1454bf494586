"""Engines with the promises set on every connection: durable commits, foreign keys, bounded waits."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from watchkeeper.kernel.errors import Invalid

_BUSY_MILLISECONDS = 5_000
_STATEMENT_MILLISECONDS = 30_000


def sqlite_writer(file: Path, *, synchronous: Literal["FULL", "NORMAL"] = "FULL") -> Engine:
    """The one connection that writes and checkpoints: SQLite before 3.51.3 can corrupt a WAL that two of them share.

    Only FULL keeps what was acknowledged; NORMAL is there for the measurement that shows it.
    """
    engine = create_engine(f"sqlite:///{file}", poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=60)

    def prepare(connection: Any, _record: Any) -> None:
        _plain(connection)
        # bench/power_cuts.py: in 2,000 simulated power cuts NORMAL loses acknowledged rows in most, FULL in none.
        _pragmas(connection, "journal_mode=WAL", f"synchronous={synchronous}", "foreign_keys=ON")
        _pragmas(connection, f"busy_timeout={_BUSY_MILLISECONDS}")

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def sqlite_readers(file: Path, connections: int) -> Engine:
    """Connections that can't write, each transaction one snapshot of the WAL."""
    engine = create_engine(
        f"sqlite:///file:{file}?mode=ro&uri=true",
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=30,
    )

    def prepare(connection: Any, _record: Any) -> None:
        _plain(connection)
        _pragmas(connection, "query_only=ON", f"busy_timeout={_BUSY_MILLISECONDS}", "wal_autocheckpoint=0")

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine


def postgresql(url: str, connections: int) -> Engine:
    """A pool of psycopg connections in UTC that give up on statements after 30 s and on dead servers at once.

    Raises Invalid for an address that is not `postgresql://…`.
    """
    return create_engine(
        postgresql_url(url),
        pool_size=connections,
        max_overflow=0,
        pool_timeout=30,
        pool_pre_ping=True,
        pool_recycle=1_800,
        connect_args={
            "connect_timeout": 5,
            "application_name": "watchkeeper",
            "options": f"-c timezone=UTC -c statement_timeout={_STATEMENT_MILLISECONDS}"
            " -c idle_in_transaction_session_timeout=60000",
        },
    )


def postgresql_url(url: str) -> URL:
    """The address with the driver that Watchkeeper brings. Raises Invalid; the text of the address is not repeated."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    if parsed is None or parsed.drivername.split("+")[0] not in ("postgresql", "postgres"):
        raise Invalid("The database URL must look like postgresql://user@host:5432/name.")
    return parsed.set(drivername="postgresql+psycopg")


def _plain(connection: sqlite3.Connection) -> None:
    # The driver's own idea of when to begin is switched off: each engine says BEGIN itself.
    connection.isolation_level = None


def _pragmas(connection: sqlite3.Connection, *pragmas: str) -> None:
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}").close()
