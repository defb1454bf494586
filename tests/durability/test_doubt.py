"""PostgreSQL goes away at the commit: the caller is told that nobody knows, rather than that nothing was changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from watchkeeper.kernel.db.database import Database, open_database
from watchkeeper.kernel.db.faults import InDoubt
from watchkeeper.kernel.errors import Unavailable


@pytest.fixture
def db(postgres_url: str) -> Iterator[Database]:
    opened = open_database(postgres_url, Path())
    with opened.begin() as session:
        session.execute(text("CREATE TABLE probe (number INTEGER)"))
    yield opened
    opened.close()


def break_connection(session: Session, url: str) -> None:
    """As a server that is killed does it."""
    process = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (process,))


def test_a_connection_that_breaks_at_the_commit_leaves_doubt(db: Database, postgres_url: str) -> None:
    with pytest.raises(InDoubt) as doubt, db.begin() as session:
        session.execute(text("INSERT INTO probe VALUES (1)"))
        break_connection(session, postgres_url)
    assert "Idempotency-Key" in doubt.value.detail
    assert doubt.value.headers["Retry-After"]
    with db.begin() as session:
        session.execute(text("INSERT INTO probe VALUES (2)"))
    with db.read() as session:
        assert session.execute(text("SELECT number FROM probe")).scalars().all() == [2]


def test_a_connection_that_breaks_before_leaves_none(db: Database, postgres_url: str) -> None:
    with pytest.raises(Unavailable) as refusal, db.begin() as session:
        break_connection(session, postgres_url)
        session.execute(text("INSERT INTO probe VALUES (1)"))
    assert not isinstance(refusal.value, InDoubt)
    assert refusal.value.detail.startswith("Nothing was changed")


def test_a_commit_that_is_refused_is_no_doubt(db: Database) -> None:
    with db.begin() as session:
        session.execute(text("CREATE TABLE once (number INTEGER UNIQUE DEFERRABLE INITIALLY DEFERRED)"))
    with pytest.raises(Exception, match="once_number_key"), db.begin() as session:
        session.execute(text("INSERT INTO once VALUES (1), (1)"))
    with db.read() as session:
        assert session.execute(text("SELECT count(*) FROM once")).scalar() == 0
