"""The database as the rest of Watchkeeper sees it: write transactions, read snapshots, and its own clock."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from watchkeeper.kernel.clock import parse_rfc3339, require_utc
from watchkeeper.kernel.db import engines
from watchkeeper.kernel.db.faults import doubts_as_refusals, faults_as_refusals
from watchkeeper.kernel.db.writer import Writer
from watchkeeper.kernel.errors import Unavailable

T = TypeVar("T")
DialectName = Literal["sqlite", "postgresql"]
DATABASE_FILE = "watchkeeper.db"

_THREADS = 6


class Database:
    """State. A verb is handed a session and never commits; whoever calls `begin` or `write` owns the transaction."""

    def __init__(self, writing: Engine, reading: Engine, *, url: str | None = None, threads: int = _THREADS) -> None:
        self._writing = writing
        self._reading = reading
        self._url = url
        self._lanes: dict[str, Database] = {}
        self._writer = Writer(writing) if self.dialect == "sqlite" else None
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="database")

    @property
    def dialect(self) -> DialectName:
        return "postgresql" if self._writing.dialect.name == "postgresql" else "sqlite"

    @property
    def engine(self) -> Engine:
        """The engine that writes; for migrations and for `doctor`, nothing else."""
        return self._writing

    def lane(self, name: str) -> Database:
        """A bulkhead: on PostgreSQL a small pool of its own, so that a flood elsewhere can't starve it.

        On SQLite the one writer serves everybody, so the lane is the database itself.
        """
        if self._url is None:
            return self
        if name not in self._lanes:
            self._lanes[name] = _on_postgresql(self._url, connections=3)
        return self._lanes[name]

    def pools(self) -> dict[str, tuple[int, int]]:
        """Connections in use, and at most, of each pool that was opened."""
        own = {"writer": self._writing, "readers": self._reading} if self._writer else {"main": self._writing}
        found = own | {name: lane.engine for name, lane in self._lanes.items()}
        return {
            name: (engine.pool.checkedout(), engine.pool.size())
            for name, engine in found.items()
            if isinstance(engine.pool, QueuePool)
        }

    def waiting(self) -> int:
        """Changes that wait for SQLite's one writer; on PostgreSQL they wait for connections instead."""
        return self._writer.waiting if self._writer else 0

    def begin(self) -> AbstractContextManager[Session]:
        """A write session: commits at the end of the block, rolls back on an exception.

        Raises Unavailable when the database is full, read-only or away, and RuntimeError on SQLite when this thread
        is in a write transaction already. InDoubt is an Unavailable: PostgreSQL went away at the commit, and only
        looking again tells whether the change was made.
        """
        return self._writer.begin() if self._writer else self._begin_on_server()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one snapshot and can't write. Raises Unavailable when the database is away."""
        with faults_as_refusals(), Session(self._reading) as session, session.begin():
            if self.dialect == "postgresql":
                session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
            yield session

    async def write(self, verb: Callable[[Session], T]) -> T:
        """Run `verb` in a write transaction off the event loop; answers once its change is durable.

        A caller that is cancelled while `verb` runs does not stop it. `verb` sees the caller's context variables.
        """
        context = contextvars.copy_context()

        def run(session: Session) -> T:
            return context.run(verb, session)

        future: Future[Any] = self._writer.submit(run) if self._writer else self._threads.submit(self._write_now, run)
        result: T = await asyncio.wrap_future(future)
        return result

    async def ask(self, query: Callable[[Session], T]) -> T:
        """Run `query` in a read-only session off the event loop."""
        return await asyncio.wrap_future(self._threads.submit(self._read_now, query))

    def database_now(self, session: Session) -> datetime:
        """The database's own clock at this statement, which leases go by: replicas' clocks may differ. UTC."""
        if self.dialect == "postgresql":
            now: datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
            return require_utc(now)
        return parse_rfc3339(session.execute(text("SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')")).scalar_one())

    def close(self) -> None:
        """Finish queued writes and let go of every connection."""
        for lane in self._lanes.values():
            lane.close()
        if self._writer:
            self._writer.close()
        self._threads.shutdown(wait=True)
        self._reading.dispose()
        self._writing.dispose()

    @contextmanager
    def _begin_on_server(self) -> Iterator[Session]:
        with faults_as_refusals(), Session(self._writing) as session, session.begin() as transaction:
            yield session
            with doubts_as_refusals():
                transaction.commit()

    def _write_now(self, verb: Callable[[Session], T]) -> T:
        with self.begin() as session:
            return verb(session)

    def _read_now(self, query: Callable[[Session], T]) -> T:
        with self.read() as session:
            return query(session)


def open_database(url: str | None, data: Path) -> Database:
    """PostgreSQL at `url`, or SQLite in the directory `data`, which is made (for this user only) when missing.

    Raises Invalid for a URL that is not PostgreSQL's. The caller holds the data directory's ServerLock for SQLite.
    """
    if url is not None:
        return _on_postgresql(url, connections=8)
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = (data / DATABASE_FILE).absolute()
    writing = engines.sqlite_writer(file)
    with writing.connect():
        file.chmod(0o600)  # the first connection makes the file; readers could not
    return Database(writing, engines.sqlite_readers(file, _THREADS))


@contextmanager
def open_for_reading(url: str | None, data: Path) -> Iterator[Database]:
    """A database that is only looked at, by whoever must not become a second writer; also a copy somewhere else.

    Raises Unavailable when there is none.
    """
    if url is not None:
        engine = engines.postgresql(url, 2)
    elif (data / DATABASE_FILE).exists():
        engine = engines.sqlite_readers((data / DATABASE_FILE).absolute(), 1)
    else:
        raise Unavailable(f"There is no {DATABASE_FILE} in {data}.")
    # Both engines are the reading one.
    opened = Database(engine, engine, threads=1)
    try:
        yield opened
    finally:
        opened.close()


def _on_postgresql(url: str, *, connections: int) -> Database:
    engine = engines.postgresql(url, connections)
    return Database(engine, engine, url=url, threads=connections)
