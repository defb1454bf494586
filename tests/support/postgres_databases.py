"""Migrated databases for one test each: one that was used is emptied, which takes a tenth of what making one takes."""

from __future__ import annotations

import itertools

import psycopg
from psycopg import sql

from tests.support.postgres import PostgresServer

_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
# What a test may have done to the tables themselves.
_SHAPE = """
SELECT (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_attribute), (SELECT count(*) FROM pg_constraint),
       (SELECT count(*) FROM pg_proc),
       (SELECT string_agg(tgname || tgenabled::text, ' ' ORDER BY tgname) FROM pg_trigger)
"""
_DISCONNECT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


class Databases:
    """Copies of `template` on a server; what comes back is emptied to what the template holds and handed out again."""

    def __init__(self, server: PostgresServer, template: str) -> None:
        self._server = server
        self._template = template
        self._numbers = itertools.count()
        self._free: list[str] = []
        with self._connect(template) as connection:
            self._shape = connection.execute(_SHAPE).fetchone()
            tables = [str(name) for (name,) in connection.execute(_TABLES)]
            said = sql.SQL("SELECT {name} WHERE EXISTS (SELECT FROM {table})")
            self._filled = sql.SQL(" UNION ALL ").join(
                said.format(name=sql.Literal(name), table=sql.Identifier(name)) for name in tables
            )
            filled = [str(name) for (name,) in connection.execute(self._filled)]
            self._sequences = [str(name) for (name,) in connection.execute("SELECT sequencename FROM pg_sequences")]
            self._rows = {name: self._copied(connection, name) for name in filled}

    def take(self) -> str:
        """The name of an empty, migrated database that nobody else has."""
        if self._free:
            return self._free.pop()
        name = f"wk_{next(self._numbers)}"
        self._server.execute(f"CREATE DATABASE {name} TEMPLATE {self._template}")
        return name

    def give_back(self, name: str) -> None:
        """It was used as the state of a Watchkeeper; one whose tables were altered is not handed out again."""
        with self._connect(name) as connection:
            connection.execute(_DISCONNECT)
            if connection.execute(_SHAPE).fetchone() != self._shape:
                return
            # The journal refuses to be emptied, and others refer to each other, by triggers.
            connection.execute("SET session_replication_role = replica")
            filled = {str(found) for (found,) in connection.execute(self._filled)} | set(self._rows)
            for table in filled:
                connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
            for sequence in self._sequences:
                connection.execute(sql.SQL("ALTER SEQUENCE {} RESTART").format(sql.Identifier(sequence)))
            for table, rows in self._rows.items():
                with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))) as copy:
                    copy.write(rows)
        self._free.append(name)

    def _connect(self, name: str) -> psycopg.Connection:
        return psycopg.connect(self._server.url(name), autocommit=True)

    def _copied(self, connection: psycopg.Connection, table: str) -> bytes:
        with connection.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))) as copy:
            return b"".join(bytes(part) for part in copy)
