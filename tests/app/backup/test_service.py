"""Backups of a server: by order and by the clock, each with its fact."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from tests.app.backup.support import KEY, PASSPHRASE, Attic
from watchkeeper.app.backup import status
from watchkeeper.app.backup.errors import BackupRunning, Interrupted, TargetRefused, TargetUnusable
from watchkeeper.app.backup.make import Maker
from watchkeeper.app.backup.schedule import Schedule
from watchkeeper.app.backup.service import BY_SCHEDULE, Backups, Order
from watchkeeper.app.backup.settings import BackupSettings
from watchkeeper.app.backup.watch import BackupWatch
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.journal import Fact, FactFilter, describe_fact, read_facts
from watchkeeper.kernel.web.access import Actor, Scope
from watchkeeper.kernel.work import Recurring, Task, Worker

BOB = Actor("per_bob", "person", "Bob", frozenset({Scope.READ}))
TASK = Task("wrk_1", "recurring.backup.schedule", "recurring.backup.schedule", {}, 1, 1)


@dataclass
class Server:
    """An attic with a target, looked after every so often."""

    attic: Attic
    backups: Backups
    schedule: Schedule
    watch: BackupWatch

    def look(self, *, after: timedelta = timedelta(0)) -> None:
        """One look of the schedule."""
        self.attic.clock.advance(after)
        self.schedule.act(TASK)

    def order(self, by: str = "per_alice") -> Order:
        order = Order(new_id("bak"), by, "api")
        self.backups.reserve(order.backup_id)
        return order

    def facts(self, kind: str = "backup.") -> list[Fact]:
        with self.attic.database.read() as session:
            return read_facts(session, FactFilter(kinds=(kind,)), limit=1000, newest_first=False)

    def kinds(self) -> list[str]:
        return [fact.kind.removeprefix("backup.") for fact in self.facts()]

    def names(self) -> list[str]:
        return self.attic.place.names()

    def banners(self) -> list[str]:
        with self.attic.database.read() as session:
            self.watch.refresh(session)
        return [banner.text for banner in self.watch.banners(BOB)]


def server_of(attic: Attic, **changes: object) -> Server:
    settings = BackupSettings.model_validate({"target": str(attic.place.folder), **changes})
    clock, db = attic.clock, attic.database
    backups = Backups(db, clock, settings, Maker(attic.where, clock, KEY))
    return Server(attic, backups, Schedule(db, clock, backups), BackupWatch(db, clock, settings))


@pytest.fixture
def server(on_sqlite: Attic) -> Server:
    return server_of(on_sqlite)


@pytest.fixture
def broken(server: Server) -> Server:
    """Its target is not mounted."""
    folder = server.attic.place.folder
    folder.rename(folder.with_name("unplugged"))
    return server


def plug_in(server: Server) -> None:
    folder = server.attic.place.folder
    folder.with_name("unplugged").rename(folder)


def test_a_backup_is_a_fact_that_says_what_is_in_it_and_not_where_it_lies(server: Server) -> None:
    server.attic.keep("lamp")
    made = server.backups.make(server.order())
    fact = server.facts()[0]
    assert (fact.kind, fact.actor, fact.subject_id) == ("backup.made", "per_alice", made.manifest.about.backup_id)
    assert (fact.data["journal_seq"], fact.data["bytes"], fact.data["scheduled"]) == (1, made.size, False)
    assert str(server.attic.place.folder) not in str(fact.data)
    assert describe_fact(fact) == f"The backup {made.name} was made and verified: facts up to 1."


def test_a_failed_backup_is_a_fact_that_names_no_folder(broken: Server) -> None:
    with pytest.raises(TargetUnusable):
        broken.backups.make(broken.order())
    fact = broken.facts()[0]
    assert (fact.kind, fact.data["code"]) == ("backup.failed", "backup.target_unusable")
    assert describe_fact(fact) == "A backup failed: The place for backups can't be used."


def test_a_bug_is_recorded_as_a_failure_too(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Maker, "make", stumble)
    with pytest.raises(ZeroDivisionError):
        server.backups.make(server.order())
    assert server.facts()[0].data["reason"] == "ZeroDivisionError"
    assert server.backups.running is None


def test_one_runs_at_a_time(server: Server) -> None:
    order = server.order()
    with pytest.raises(BackupRunning):
        server.order()
    server.backups.make(order)
    server.backups.make(server.order())
    assert len(server.names()) == 2


def test_without_a_target_somebody_has_to_say_where(on_sqlite: Attic) -> None:
    server = server_of(on_sqlite, target=None)
    with pytest.raises(TargetRefused, match=r"backup\.target"):
        server.backups.make(server.order())
    server.look()
    assert server.kinds() == ["failed"]
    assert server.banners() == []


def test_the_schedule_makes_one_a_day(server: Server) -> None:
    for _ in range(3 * 24):
        server.look(after=timedelta(hours=1))
    made = server.facts("backup.made")
    assert len(made) == 4  # one at once, then at each 03:15
    assert all(fact.data["scheduled"] and fact.actor == BY_SCHEDULE for fact in made)
    assert [fact.at.hour for fact in made] == [13, 4, 4, 4]


def test_days_that_nobody_was_there_are_made_up_for_by_one(server: Server) -> None:
    server.look()
    server.look(after=timedelta(days=9))
    server.look(after=timedelta(minutes=1))
    assert len(server.facts("backup.made")) == 2


def test_a_backup_by_hand_counts_for_the_day(server: Server) -> None:
    server.backups.make(server.order())
    server.look(after=timedelta(hours=1))
    assert len(server.facts("backup.made")) == 1


def test_a_failed_one_is_tried_again_each_hour_and_told_until_one_is_good(broken: Server) -> None:
    for _ in range(60):
        broken.look(after=timedelta(minutes=2))
    assert broken.kinds() == ["failed", "failed"]
    assert broken.banners() == ["The last backup failed: The place for backups can't be used."]
    plug_in(broken)
    broken.look(after=timedelta(hours=1))
    assert broken.kinds()[2:] == ["made"]
    assert broken.banners() == []


def test_it_is_done_once_whichever_replica_looks(database_of_both: tuple[Server, Server]) -> None:
    workers = []
    for replica in database_of_both:
        recurring = Recurring("backup.schedule", timedelta(minutes=1), replica.schedule)
        workers.append(Worker(replica.attic.database, replica.attic.clock, {}, recurring=[recurring], lane="backup"))
    threads = [threading.Thread(target=worker.run_once) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for worker in workers:
        worker.stop()
    assert len(database_of_both[0].facts("backup.made")) == 1


@pytest.fixture
def database_of_both(on_postgresql: Attic) -> tuple[Server, Server]:
    return server_of(on_postgresql), server_of(on_postgresql)


def test_a_drill_follows_the_first_backup_and_comes_back_each_month(server: Server) -> None:
    for _ in range(62 * 4):
        server.look(after=timedelta(hours=6))
    drills = server.facts("backup.drilled")
    assert [fact.data["ok"] for fact in drills] == [True, True, True]
    assert drills[1].at - drills[0].at == timedelta(days=30)
    assert drills[-1].data["name"] in server.names()
    assert not [path for path in server.attic.data.iterdir() if path.name.startswith("wk-drill")]


def test_a_drill_that_finds_damage_says_where_and_is_told_to_everybody(server: Server) -> None:
    server.attic.store_part("one", b"P" * 200_000)
    made = server.backups.make(server.order())
    file = server.attic.file(made)
    content = bytearray(file.read_bytes())
    content[-100_000] ^= 1
    file.write_bytes(content)
    server.look(after=timedelta(minutes=1))
    fact = server.facts("backup.drilled")[0]
    assert fact.data["ok"] is False
    assert "telemetry/parts/spans/2026-03-02/12/one.parquet" in fact.data["finding"]
    assert fact.data["backup_id"] == made.manifest.about.backup_id
    assert server.banners() == ["The last restore drill failed."]
    server.look(after=timedelta(hours=1))
    assert len(server.facts("backup.drilled")) == 1
    server.look(after=timedelta(days=1))
    assert server.kinds()[-1] == "made"
    server.look(after=timedelta(minutes=1))
    assert server.facts("backup.drilled")[-1].data["ok"] is True
    assert server.banners() == []


def test_a_drill_is_of_a_backup_of_its_own(server: Server) -> None:
    foreign = server.attic.place.folder / "watchkeeper-20990101T031500Z-00000000.wkbackup"
    foreign.write_bytes(b"of another Watchkeeper")
    server.look()
    server.look(after=timedelta(minutes=1))
    assert server.facts("backup.drilled")[0].data["ok"] is True


def test_a_drill_clears_away_what_one_that_was_killed_left(server: Server) -> None:
    left = server.attic.data / "wk-drill-abcdefgh"
    left.mkdir()
    (left / "watchkeeper.db").write_bytes(b"x")
    server.look()
    server.look(after=timedelta(minutes=1))
    assert server.facts("backup.drilled")[0].data["ok"] is True
    assert not left.exists()


def test_a_drill_that_can_not_open_the_backup_is_a_failed_one(server: Server, on_sqlite: Attic) -> None:
    secret = on_sqlite.home / "passphrase"
    secret.write_text(PASSPHRASE + "\n")
    locked = server_of(on_sqlite, passphrase_file=secret)
    locked.backups.make(locked.order())
    secret.write_text("another passphrase of ours")
    locked.look(after=timedelta(minutes=1))
    fact = locked.facts("backup.drilled")[0]
    assert (fact.data["ok"], fact.data["finding"]) == (False, "The backup does not open with this passphrase or key")


def test_old_backups_go_and_each_is_a_fact(on_sqlite: Attic) -> None:
    server = server_of(on_sqlite, keep_days=3)
    letter = on_sqlite.place.folder / "letter.txt"
    letter.write_text("dear")
    foreign = on_sqlite.place.folder / "watchkeeper-20200101T031500Z-00000000.wkbackup"
    foreign.write_text("of another Watchkeeper")
    for _ in range(10):
        server.look(after=timedelta(days=1))
    made, removed = server.facts("backup.made"), server.facts("backup.removed")
    assert len(made) == 10
    assert [fact.data["name"] for fact in removed] == [fact.data["name"] for fact in made[: len(removed)]]
    assert server.names() == [foreign.name, *(fact.data["name"] for fact in made[len(removed) :])]
    assert len(server.names()) == 1 + 4
    assert letter.exists()
    with on_sqlite.database.read() as session:
        assert [one.removed for one in status.made_backups(session, 100)] == [False] * 4 + [True] * 6


def test_while_backups_fail_the_last_good_one_stays(on_sqlite: Attic) -> None:
    server = server_of(on_sqlite, keep_days=1)
    server.look()
    folder = on_sqlite.place.folder
    folder.rename(folder.with_name("unplugged"))
    for _ in range(5):
        server.look(after=timedelta(days=1))
    plug_in(server)
    assert len(server.names()) == 1
    assert "removed" not in server.kinds()


def test_a_backup_that_is_too_old_is_told_to_everybody(server: Server) -> None:
    assert server.banners() == []  # the first one is on its way
    server.attic.clock.advance(timedelta(hours=2))
    assert server.banners() == ["There is no backup yet."]
    server.backups.make(server.order())
    server.attic.clock.advance(timedelta(hours=24))
    assert server.banners() == []
    server.attic.clock.advance(timedelta(hours=6))
    assert server.banners() == ["The last good backup is 30 h old."]


def test_the_state_is_read_from_the_journal(server: Server) -> None:
    def known() -> status.BackupStatus:
        with server.attic.database.read() as session:
            return status.backup_status(session, server.backups.settings)

    assert (known().last_good_at, known().last_drill_at, known().target_configured) == (None, None, True)
    taken = server.attic.clock.now()
    server.look()
    server.look(after=timedelta(minutes=2))
    assert (known().last_good_at, known().last_drill_ok) == (taken, True)
    assert known().last_drill_at == server.attic.clock.now()


def test_a_server_that_stops_ends_its_backup_and_says_so(server: Server) -> None:
    server.backups.stop()
    with pytest.raises(Interrupted):
        server.backups.make(server.order())
    assert server.names() == []
    assert server.facts()[0].data["reason"] == "Interrupted: the server stopped"


def test_a_passphrase_of_the_settings_locks_it(on_sqlite: Attic, tmp_path: Path) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text(PASSPHRASE + "\n")
    server = server_of(on_sqlite, passphrase_file=secret)
    assert server.backups.make(server.order()).locked_by == "passphrase"
    assert server.facts()[0].data["locked_by"] == "passphrase"
