"""What `doctor` says: nothing where all is well, and a clear line for each thing that breaks a promise."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import insert, update
from typer.testing import CliRunner

from tests.conftest import NOON, SCRIPTS, missing
from tests.support.postgres import PostgresMissing, PostgresServer, find_binaries
from tests.support.running import eventually
from watchkeeper.app import doctor_checks
from watchkeeper.app.audit.status import AuditStatus
from watchkeeper.app.audit.store import Delivery
from watchkeeper.app.backup.model import BackupStatus
from watchkeeper.app.cli import cli
from watchkeeper.app.configuration import Configuration, load_configuration
from watchkeeper.app.doctor import examine, file_system, sqlite_library
from watchkeeper.app.doctor_checks import (
    Result,
    backup_age,
    contacts,
    outside_checkpoint,
    second_admin,
    sqlite_synchronous,
    standbys,
)
from watchkeeper.kernel.clock import ManualClock, SystemClock
from watchkeeper.kernel.db.database import Database, open_database
from watchkeeper.kernel.db.migrations import Migrations
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.web.access import Actor, Scope
from watchkeeper.modules.identity.tables import people
from watchkeeper.modules.oncall.paging import store as paging
from watchkeeper.modules.oncall.paging.watching import PagingWatch
from watchkeeper.modules.oncall.policy import Policy
from watchkeeper.modules.oncall.service import Definitions
from watchkeeper.modules.oncall.settings import OncallSettings
from watchkeeper.modules.telemetry.tables import telemetry_parts

MONTH = timedelta(days=30)


@pytest.fixture
def configuration(database: Database, tmp_path: Path) -> Configuration:
    """Of a server that uses the test's database."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700, exist_ok=True)
    url = database.engine.url.render_as_string(hide_password=False) if database.dialect == "postgresql" else None
    return load_configuration({}, data=data, database_url=url)


def found(configuration: Configuration, what: str) -> Result:
    (result,) = [one for one in examine(configuration) if one.what == what]
    return result


def add_person(database: Database, name: str, *, role: str = "admin", verified: bool = True) -> None:
    row = {"id": new_id("per"), "name": name, "role": role, "created_at": NOON, "duties": []}
    row |= {"email": f"{name}@example.org", "email_key": f"{name}@example.org"}
    with database.begin() as session:
        session.execute(insert(people).values(row | {"email_verified_at": NOON if verified else None}))


# --- the machine ---


@pytest.mark.parametrize(("version", "verdict"), [("3.40.1", "warning"), ("3.51.2", "warning"), ("3.51.3", "ok")])
def test_an_old_sqlite_library_is_told(version: str, verdict: str) -> None:
    result = sqlite_library(load_configuration({}), version)
    assert (result.verdict, version in result.detail) == (verdict, True)


def test_on_postgresql_the_sqlite_library_does_not_matter() -> None:
    assert (
        sqlite_library(load_configuration({"WATCHKEEPER_DATABASE_URL": "postgresql://x@y/z"}), "3.7.0").verdict == "ok"
    )


@pytest.mark.parametrize(
    ("kind", "state", "verdict"),
    [("ext4", True, "ok"), ("nfs4", True, "problem"), ("nfs4", False, "ok"), ("tmpfs", True, "warning")],
)
def test_a_file_system_that_cannot_keep_the_state_is_told(tmp_path: Path, kind: str, state: bool, verdict: str) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"disk / ext4 rw 0 0\nother {tmp_path} {kind} rw 0 0\nthird {tmp_path}-not xfs rw 0 0\n")
    assert file_system(tmp_path / "data", mounts, state=state).verdict == verdict


def test_commits_are_synced_by_the_library_that_is_here() -> None:
    assert sqlite_synchronous() == 2


# --- the database ---


def test_a_library_that_does_not_sync_is_a_problem(
    database: Database, configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.dialect == "postgresql":
        # The private server of the tests trades durability for speed.
        assert found(configuration, "durability").verdict == "problem"
        return
    assert found(configuration, "synchronous").verdict == "ok"
    monkeypatch.setattr(doctor_checks, "sqlite_synchronous", lambda: 1)
    assert found(configuration, "synchronous").verdict == "problem"


def test_clocks_that_disagree_are_a_problem(database: Database, configuration: Configuration) -> None:
    assert found(configuration, "clock").verdict == "ok"
    wrong = ManualClock(SystemClock().now() - timedelta(seconds=30))
    (result,) = [one for one in examine(configuration, wrong) if one.what == "clock"]
    assert result.verdict == "problem"
    assert result.detail.startswith("30.")


def test_of_an_older_schema_only_that_is_told(tmp_path: Path) -> None:
    open_database(None, tmp_path / "data").close()
    results = {one.what: one.verdict for one in examine(load_configuration({}, data=tmp_path / "data"))}
    assert results["schema"] == "warning"
    assert "admins" not in results


STANDBYS = [
    ([], "on", "", "ok"),
    ([], "on", "elsewhere", "problem"),
    (["async"], "on", "", "warning"),
    (["async", "async"], "on", "", "warning"),
    ([None], "on", "", "warning"),
    (["sync"], "on", "elsewhere", "ok"),
    (["quorum", "async"], "remote_apply", "ANY 1 (a, b)", "ok"),
    (["sync"], "local", "elsewhere", "warning"),
]


@pytest.mark.parametrize(("states", "commit", "names", "verdict"), STANDBYS)
def test_a_standby_that_nobody_waits_for_is_told(
    states: list[str | None], commit: str, names: str, verdict: str
) -> None:
    assert standbys(states, commit=commit, names=names).verdict == verdict


@pytest.fixture
def durable() -> Iterator[PostgresServer]:
    try:
        server = PostgresServer(durable=True)
    except PostgresMissing as error:
        missing(str(error))
        return
    yield server
    server.close()


def test_a_real_standby_is_told_until_it_is_synchronous(durable: PostgresServer, tmp_path: Path) -> None:
    database = open_database(durable.url(), tmp_path)
    Migrations(SCRIPTS).migrate(database.engine)
    database.close()
    configuration = load_configuration({}, data=tmp_path, database_url=durable.url())
    assert found(configuration, "standby").verdict == "ok"
    assert found(configuration, "durability").verdict == "ok"

    follower = [str(find_binaries() / "pg_receivewal"), "--synchronous", "-D", str(tmp_path), "-d", durable.url()]
    with subprocess.Popen(follower, env={"PGAPPNAME": "follower"}, stderr=subprocess.DEVNULL) as process:
        try:
            eventually(lambda: found(configuration, "standby").verdict == "warning")
            assert "asynchronous" in found(configuration, "standby").detail
            with psycopg.connect(durable.url(), autocommit=True) as connection:
                connection.execute("ALTER SYSTEM SET synchronous_standby_names = 'follower'")
                connection.execute("SELECT pg_reload_conf()")
            eventually(lambda: found(configuration, "standby").verdict == "ok")
        finally:
            process.kill()
    eventually(lambda: found(configuration, "standby").verdict == "problem")


def test_a_key_in_the_database_is_told_on_postgresql(
    database: Database, configuration: Configuration, tmp_path: Path
) -> None:
    expected = "warning" if database.dialect == "postgresql" else "ok"
    assert found(configuration, "installation key").verdict == expected
    server = configuration.server.model_copy(update={"key_file": tmp_path / "key"})
    assert found(replace(configuration, server=server), "installation key").verdict == "ok"


def test_telemetry_in_several_folders_is_told(database: Database, configuration: Configuration) -> None:
    assert found(configuration, "telemetry").verdict == "ok"
    row = {"segment": "s", "dataset": "spans", "level": 0, "min_time": 0, "max_time": 1, "rows": 1, "bytes": 1}
    row |= {"path": "x", "created_at": SystemClock().now()}
    with database.begin() as session:
        for place in ("plc_a", "plc_b"):
            session.execute(insert(telemetry_parts).values(row | {"id": place, "place": place}))
    assert found(configuration, "telemetry").verdict == "warning"
    with database.begin() as session:
        session.execute(update(telemetry_parts).values(place="plc_a"))
    assert found(configuration, "telemetry").verdict == "ok"


# --- people ---


def test_a_single_admin_is_told_until_there_is_a_second(database: Database, configuration: Configuration) -> None:
    assert "set-up link" in found(configuration, "admins").detail
    add_person(database, "alice")
    add_person(database, "victor", role="viewer")
    assert found(configuration, "admins").verdict == "warning"
    add_person(database, "bob")
    assert found(configuration, "admins") == Result("ok", "admins", "2")
    with database.begin() as session:
        session.execute(update(people).where(people.c.name == "bob").values(disabled_at=NOON))
    assert found(configuration, "admins").verdict == "warning"


def test_an_address_that_nobody_confirmed_is_told(database: Database, configuration: Configuration) -> None:
    add_person(database, "alice")
    assert found(configuration, "contacts").verdict == "ok"
    add_person(database, "bob", verified=False)
    assert found(configuration, "contacts").verdict == "warning"
    assert second_admin(2).verdict == "ok"
    assert contacts(3).detail.startswith("3 people's")


# --- who watches the pager ---


def test_who_pages_without_anybody_outside_who_notices_has_not_set_it_up(
    database: Database, configuration: Configuration
) -> None:
    assert found(configuration, "outside watch").verdict == "ok", "nobody is paged yet"
    with database.begin() as session:
        Definitions(session, SystemClock()).put(
            Policy.model_validate({"name": "shop", "default": True, "steps": [{"notify": [{"everyone": True}]}]}),
            by="per_x",
            source="test",
            managed_by="api",
        )
    missing_url = found(configuration, "outside watch")
    assert missing_url.verdict == "problem"
    assert "WATCHKEEPER_ONCALL_HEARTBEAT_URL" in missing_url.detail
    assert banner(database, configuration) == missing_url.detail, "doctor and the banner say the same"
    told = OncallSettings.model_validate({"heartbeat_url": "https://hc.example/7e57"})
    configuration = replace(configuration, oncall=told)
    never = found(configuration, "outside watch")
    assert (never.verdict, banner(database, configuration)) == ("problem", never.detail)
    with database.begin() as session:
        paging.put_watch(session, [], at=SystemClock().now())
        paging.note_heartbeat(session, at=SystemClock().now())
    assert found(configuration, "outside watch").verdict == "ok"
    assert banner(database, configuration) is None
    with database.begin() as session:
        paging.note_heartbeat(session, at=None, failure="hc.example answered 404")
    failed = found(configuration, "outside watch")
    assert failed.verdict == "problem"
    assert "hc.example answered 404" in failed.detail
    assert banner(database, configuration) == failed.detail


def banner(database: Database, configuration: Configuration) -> str | None:
    watch = PagingWatch(database, SystemClock(), configuration.oncall)
    with database.read() as session:
        watch.look(session)
    shown = watch.banners(Actor("per_x", "person", "X", frozenset({Scope.ADMIN}), None, frozenset()))
    return shown[-1].text if shown else None


# --- the record and its copies ---


def seal(**more: object) -> AuditStatus:
    facts = {"facts": 100, "last_seq": 90, "last_at": NOON, "exposed": 10, "outside": True, "exposed_outside": 10}
    return AuditStatus(**{**facts, "sinks": (), **more})  # type: ignore[arg-type]


def test_checkpoints_that_do_not_leave_the_machine_are_told(clock: ManualClock) -> None:
    assert outside_checkpoint(seal(), clock).verdict == "ok"
    assert outside_checkpoint(seal(outside=False, exposed_outside=None), clock).verdict == "warning"
    failing = Delivery("webhook", 80, NOON, NOON, "ConnectError")
    result = outside_checkpoint(seal(sinks=(failing,)), clock)
    assert result.verdict == "warning"
    assert "webhook since 2026-03-02T12:00:00" in result.detail
    clock.advance(timedelta(minutes=16))
    assert outside_checkpoint(seal(), clock).verdict == "warning"
    assert outside_checkpoint(seal(exposed_outside=0), clock).verdict == "ok"


def test_where_no_checkpoint_leaves_doctor_says_so(
    database: Database, configuration: Configuration, tmp_path: Path
) -> None:
    assert found(configuration, "checkpoints").verdict == "warning"
    audit = configuration.audit.model_copy(update={"checkpoint_directory": tmp_path / "elsewhere"})
    assert found(replace(configuration, audit=audit), "checkpoints").verdict == "ok"
    (configuration.server.data / "checkpoints").mkdir()
    (configuration.server.data / "checkpoints" / "x.ndjson").write_text("no checkpoint\n")
    assert found(configuration, "checkpoints").verdict == "problem"


def test_a_backup_that_is_missing_old_or_never_drilled_is_told(clock: ManualClock) -> None:
    none = BackupStatus(last_good_at=None, last_drill_at=None, last_drill_ok=None, target_configured=False)
    good = replace(none, last_good_at=NOON, last_drill_at=NOON, last_drill_ok=True, last_good_drill_at=NOON)

    def verdict(status: BackupStatus) -> str:
        return backup_age(status, clock, drill_every=MONTH).verdict

    assert verdict(none) == "warning"
    assert verdict(good) == "ok"
    assert verdict(replace(good, last_failed_at=NOON, last_failure="DiskFull")) == "warning"
    assert verdict(replace(good, last_drill_ok=False)) == "warning"
    assert verdict(replace(good, last_good_drill_at=NOON - 2 * MONTH)) == "warning"
    clock.advance(timedelta(hours=26))
    assert verdict(good) == "warning"
    assert "26 h old" in backup_age(good, clock, drill_every=MONTH).detail


def test_without_a_backup_doctor_says_so(database: Database, configuration: Configuration) -> None:
    assert found(configuration, "backup").verdict == "warning"


# --- the command ---


def test_warnings_leave_the_exit_code_at_0_and_problems_do_not(tmp_path: Path) -> None:
    data = tmp_path / "data"
    database = open_database(None, data)
    Migrations(SCRIPTS).migrate(database.engine)
    database.close()
    good = CliRunner().invoke(cli, ["doctor", "--data", str(data), "--json"])
    assert good.exit_code == 0, good.output
    assert {one["verdict"] for one in json.loads(good.output)} == {"ok", "warning"}
    data.chmod(0o755)
    assert CliRunner().invoke(cli, ["doctor", "--data", str(data)]).exit_code == 1


def test_it_looks_without_changing_anything(tmp_path: Path) -> None:
    data = tmp_path / "data"
    database = open_database(None, data)
    Migrations(SCRIPTS).migrate(database.engine)
    database.close()
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*") if path.suffix != ".db-shm"}
    time.sleep(0.02)
    CliRunner().invoke(cli, ["doctor", "--data", str(data)])
    after = {path: path.stat().st_mtime_ns for path in before}
    assert after == before
