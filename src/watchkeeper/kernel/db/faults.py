"""Which database errors mean "not now" rather than "a bug"."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from watchkeeper.kernel.errors import Unavailable

_SQLITE = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk reports an error",
    sqlite3.SQLITE_READONLY: "the database is read-only",
    sqlite3.SQLITE_CANTOPEN: "the database can't be opened",
    sqlite3.SQLITE_BUSY: "the database is busy",
}
_POSTGRESQL = {
    "53": "the database server is out of resources",  # 53100 is a full disk
    "57": "the database server is stopping or cancelled the query",
    "58": "the database server reports a system error",
    "08": "the database server can't be reached",
    "25006": "the database is read-only",
    "40": "the database could not serialise the change",
}


class InDoubt(Unavailable):
    """The connection broke while the change was made durable: it was made, or it was not."""

    code = "kernel.in_doubt"
    title = "Not known whether it was done"


@contextmanager
def doubts_as_refusals() -> Iterator[None]:
    """Around a commit on a server: raise `InDoubt` where its answer was lost."""
    try:
        yield
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        raise InDoubt(
            "The database went away at the end of the change: it was made whole, or not at all. Look again, or repeat "
            "the request with the same Idempotency-Key."
        ) from error


@contextmanager
def faults_as_refusals() -> Iterator[None]:
    """Raise `Unavailable` for a database that is full, read-only, busy or away; other errors pass as they are."""
    try:
        yield
    except PoolTimeout as error:
        raise Unavailable("The database has no free connection.") from error
    except DBAPIError as error:
        reason = _reason(error)
        if reason is None:
            raise
        raise Unavailable(f"Nothing was changed: {reason}.") from error


def _reason(error: DBAPIError) -> str | None:
    origin = error.orig
    if isinstance(origin, sqlite3.Error):
        return _SQLITE.get((getattr(origin, "sqlite_errorcode", 0) or 0) & 0xFF)
    state = getattr(origin, "sqlstate", None)
    if state is None:
        # psycopg gives no state where the connection broke before the server could answer.
        return "the database server can't be reached" if isinstance(error, OperationalError) else None
    return _POSTGRESQL.get(state) or _POSTGRESQL.get(state[:2])
