"""A SQLite file that belongs to one service: few threads, a connection each, write-ahead log."""

from __future__ import annotations

import asyncio
import contextvars
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


class Store:
    """Runs queries off the event loop, within the caller's trace."""

    def __init__(
        self, path: Path, schema: str, *, fill: Callable[[sqlite3.Cursor], None] | None = None, threads: int = 3
    ) -> None:
        self._path = path
        self._local = threading.local()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="store")
        first = sqlite3.connect(path)
        first.execute("PRAGMA journal_mode = WAL")
        first.executescript(schema)
        if fill is not None:
            fill(first.cursor())
        first.commit()
        first.close()

    async def read(self, query: Callable[[sqlite3.Cursor], T]) -> T:
        """The answer of `query` on one snapshot."""
        return await self._run(query, "BEGIN")

    async def write(self, change: Callable[[sqlite3.Cursor], T]) -> T:
        """Make `change` in a transaction of its own; undone when it raises."""
        return await self._run(change, "BEGIN IMMEDIATE")

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)

    async def _run(self, verb: Callable[[sqlite3.Cursor], T], begin: str) -> T:
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: context.run(self._transaction, verb, begin)
        )

    def _transaction(self, verb: Callable[[sqlite3.Cursor], T], begin: str) -> T:
        connection = self._connection()
        connection.execute(begin)
        try:
            result = verb(connection.cursor())
        except BaseException:
            connection.rollback()
            raise
        connection.commit()
        return result

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            # check_same_thread: closing a pool's threads drops their connections from another thread.
            connection = sqlite3.connect(self._path, timeout=5, isolation_level=None, check_same_thread=False)
            connection.execute("PRAGMA synchronous = NORMAL")
            self._local.connection = connection
        return connection
