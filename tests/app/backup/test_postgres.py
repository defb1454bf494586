"""PostgreSQL: one snapshot for the dump and everything that belongs to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from tests.app.backup.support import Attic, keys, opened, passphrase_lock, tree
from tests.support.postgres import PostgresServer
from watchkeeper.app.backup import postgres
from watchkeeper.app.backup.drill import drill
from watchkeeper.app.backup.errors import OtherEngine, PlaceNotEmpty, StateUnreadable, ToolMissing
from watchkeeper.app.backup.make import Made
from watchkeeper.app.backup.model import Drilled
from watchkeeper.app.backup.restore import Destination
from watchkeeper.kernel.keys import key_in_database


@pytest.fixture
def empty_url(postgres: PostgresServer, postgres_url: str) -> Iterator[str]:
    name = f"{postgres_url.rsplit('/', 1)[1]}_empty"
    postgres.execute(f"CREATE DATABASE {name}")
    yield postgres.url(name)
    postgres.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def drilled(attic: Attic, made: Made, url: str | None) -> Drilled:
    return drill(made.name, attic.place.open(made.name), keys().open, attic.clock, database_url=url)


def databases(server: PostgresServer) -> set[str]:
    with psycopg.connect(server.url()) as connection:
        return {row[0] for row in connection.execute("SELECT datname FROM pg_database")}


def test_everything_comes_back(on_postgresql: Attic, empty_url: str, tmp_path: Path) -> None:
    on_postgresql.keep("lamp", "chair")
    on_postgresql.store_part("one", b"PAR1")
    made = on_postgresql.back_up(passphrase_lock())
    restored = on_postgresql.restore(made, Destination(tmp_path / "new", empty_url))
    assert (restored.broken, restored.about.journal_seq) == (None, 2)
    assert "telemetry/parts/spans/2026-03-02/12/one.parquet" in tree(tmp_path / "new")
    assert not [name for name in tree(tmp_path / "new") if "pgdump" in name]
    with opened(tmp_path / "new", empty_url) as database:
        assert on_postgresql.things(database) == ["lamp", "chair"]
        with database.begin() as session:
            assert len(key_in_database(session).secret) == 32


def test_the_dump_and_what_is_said_of_it_are_of_one_snapshot_while_others_write(
    on_postgresql: Attic, empty_url: str, tmp_path: Path
) -> None:
    stop = threading.Event()

    def write(name: str) -> None:
        while not stop.is_set():
            on_postgresql.keep(name)

    writers = [threading.Thread(target=write, args=(f"writer {n}",)) for n in range(4)]
    for writer in writers:
        writer.start()
    try:
        before = on_postgresql.keep("acknowledged")
        made = on_postgresql.back_up()
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    restored = on_postgresql.restore(made, Destination(tmp_path / "new", empty_url))
    assert restored.about.journal_seq >= before
    assert restored.verified is not None
    assert restored.verified.rows == restored.about.journal_seq


def test_only_an_empty_database_is_restored_into(on_postgresql: Attic, tmp_path: Path) -> None:
    on_postgresql.keep("lamp")
    made = on_postgresql.back_up()
    with pytest.raises(PlaceNotEmpty, match="database is not empty"):
        on_postgresql.restore(made, Destination(tmp_path / "new", on_postgresql.url))
    assert on_postgresql.things() == ["lamp"]


def test_a_backup_of_postgresql_wants_a_database(on_postgresql: Attic, tmp_path: Path) -> None:
    with pytest.raises(OtherEngine, match="--database-url"):
        on_postgresql.restore(on_postgresql.back_up(), tmp_path / "new")


def test_a_drill_uses_a_database_of_its_own_and_leaves_none(on_postgresql: Attic, postgres: PostgresServer) -> None:
    on_postgresql.keep("lamp")
    on_postgresql.store_part("one", b"PAR1")
    made = on_postgresql.back_up()
    before = databases(postgres)
    found = drilled(on_postgresql, made, on_postgresql.url)
    assert (found.finding, found.journal_seq) == (None, 1)
    assert databases(postgres) == before
    assert on_postgresql.things() == ["lamp"]


def test_a_drill_drops_what_one_that_was_killed_left(on_postgresql: Attic, postgres: PostgresServer) -> None:
    old, running = "watchkeeper_drill_20260228_aaaaaaaaaaaa", "watchkeeper_drill_20260302_bbbbbbbbbbbb"
    for name in (old, running):
        postgres.execute(f"CREATE DATABASE {name}")
    assert drilled(on_postgresql, on_postgresql.back_up(), on_postgresql.url).ok
    assert {old, running} & databases(postgres) == {running}
    postgres.execute(f"DROP DATABASE {running}")


def test_a_journal_that_was_edited_before_the_backup_is_found_by_its_drill(on_postgresql: Attic) -> None:
    on_postgresql.keep("lamp", "chair", "table")
    with on_postgresql.database.begin() as session:
        session.execute(text("ALTER TABLE journal DISABLE TRIGGER journal_refuses_edits"))
        session.execute(text("UPDATE journal SET actor = 'per_bob' WHERE seq = 2"))
        session.execute(text("ALTER TABLE journal ENABLE TRIGGER journal_refuses_edits"))
    found = drilled(on_postgresql, on_postgresql.back_up(), on_postgresql.url)
    assert found.finding == "the journal does not verify: seq 2: the row was changed"


def test_an_old_program_is_refused_with_both_versions() -> None:
    with pytest.raises(ToolMissing, match=r"pg_dump is of version \d+, the server of 99"):
        postgres.Tools.find("pg_dump", least=99)
    with pytest.raises(ToolMissing, match="not installed"):
        postgres.Tools.find("pg_no_such_program")


def test_no_password_is_on_a_command_line() -> None:
    found = postgres.environment_of("postgresql://me:se%40cret@db.internal:5433/wk?sslmode=require")
    assert found["PGPASSWORD"] == "se@cret"
    assert (found["PGHOST"], found["PGPORT"], found["PGUSER"]) == ("db.internal", "5433", "me")
    assert (found["PGDATABASE"], found["PGSSLMODE"]) == ("wk", "require")


def test_a_database_that_is_away_is_no_bug(on_postgresql: Attic, tmp_path: Path) -> None:
    made = on_postgresql.back_up()
    with pytest.raises(StateUnreadable, match="can't be reached"):
        on_postgresql.restore(made, Destination(tmp_path / "new", "postgresql://watchkeeper@127.0.0.1:9/x"))


def test_a_server_of_its_own_serves_a_drill_where_no_other_does(on_postgresql: Attic, postgres: PostgresServer) -> None:
    on_postgresql.keep("lamp")
    made = on_postgresql.back_up()
    assert drilled(on_postgresql, made, None).finding is None
    postgres.execute("DO $$ BEGIN CREATE ROLE plain LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    assert on_postgresql.url is not None
    # A role that may make no database next to the others.
    found = drilled(on_postgresql, made, on_postgresql.url.replace("watchkeeper@", "plain@"))
    assert (found.finding, found.journal_seq) == (None, 1)
