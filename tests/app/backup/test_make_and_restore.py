"""A backup of a running Watchkeeper, and what comes back of it."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.app.backup.support import KEY, Attic, key_lock, keys, opened, passphrase_lock, tree
from watchkeeper.app.backup import source
from watchkeeper.app.backup.errors import (
    BackupDamaged,
    Interrupted,
    KeyInsideOnly,
    OtherEngine,
    PlaceNotEmpty,
    TargetFull,
    TargetRefused,
    TargetUnusable,
    WrongKey,
)
from watchkeeper.app.backup.format import Container
from watchkeeper.app.backup.restore import Destination, restore
from watchkeeper.app.backup.targets import Directory
from watchkeeper.kernel.db.lock import AlreadyRunning, ServerLock
from watchkeeper.kernel.db.migrations import DatabaseTooNew
from watchkeeper.kernel.journal import FactFilter, describe_fact, read_facts
from watchkeeper.kernel.journal.verify import verify_chain


def test_everything_comes_back(on_sqlite: Attic, tmp_path: Path) -> None:
    on_sqlite.keep("lamp", "chair")
    on_sqlite.store_part("one", b"PAR1 spans PAR1")
    (on_sqlite.where.intake / "0001.log").write_bytes(b"acknowledged")
    made = on_sqlite.back_up()
    restored = on_sqlite.restore(made, tmp_path / "new")
    assert restored.about.journal_seq == 2
    assert restored.verified is not None
    with opened(tmp_path / "new") as database:
        assert on_sqlite.things(database) == ["lamp", "chair"]
    files = tree(tmp_path / "new")
    assert files["telemetry/parts/spans/2026-03-02/12/one.parquet"] == b"PAR1 spans PAR1"
    assert files["telemetry/intake/0001.log"] == b"acknowledged"


def test_checkpoints_come_back_without_a_line_that_was_being_written(on_sqlite: Attic, tmp_path: Path) -> None:
    keys_folder = on_sqlite.where.checkpoints / "keys"
    keys_folder.mkdir(parents=True)
    (on_sqlite.where.checkpoints / "ab.ndjson").write_bytes(b'{"seq": 1}\n{"se')
    (keys_folder / "ab.pub").write_bytes(b"public")
    on_sqlite.restore(on_sqlite.back_up(), tmp_path / "new")
    files = tree(tmp_path / "new" / "checkpoints")
    assert files == {"ab.ndjson": b'{"seq": 1}\n', "keys/ab.pub": b"public"}


def test_what_was_restored_says_so_in_its_journal_and_the_chain_goes_on(on_sqlite: Attic, tmp_path: Path) -> None:
    on_sqlite.keep("lamp")
    made = on_sqlite.back_up()
    on_sqlite.restore(made, tmp_path / "new")
    with opened(tmp_path / "new") as database, database.read() as session:
        assert verify_chain(session).rows == 2
        newest = read_facts(session, FactFilter(), limit=1)[0]
    assert newest.kind == "backup.restored"
    assert describe_fact(newest).endswith("which had 1 facts.")
    assert newest.data["backup_id"] == made.manifest.about.backup_id


def test_a_backup_has_what_was_acknowledged_before_it_began_while_others_go_on_writing(
    on_sqlite: Attic, tmp_path: Path
) -> None:
    stop = threading.Event()

    def write(name: str) -> None:
        number = 0
        while not stop.is_set():
            on_sqlite.keep(f"{name} {number}")
            number += 1

    writers = [threading.Thread(target=write, args=(f"writer {n}",)) for n in range(4)]
    for writer in writers:
        writer.start()
    try:
        for attempt in range(3):
            before = on_sqlite.keep("acknowledged")
            made = on_sqlite.back_up()
            restored = on_sqlite.restore(made, tmp_path / f"new {attempt}")
            assert restored.about.journal_seq >= before
            assert restored.broken is None
            assert restored.verified is not None
            assert restored.verified.hash == made.manifest.about.journal_hash
    finally:
        stop.set()
        for writer in writers:
            writer.join()


def test_without_passphrase_the_key_is_not_in_it(on_sqlite: Attic, tmp_path: Path) -> None:
    made = on_sqlite.back_up(key_lock())
    assert "installation.key" not in [part.name for part in made.manifest.parts]
    with pytest.raises(WrongKey):
        on_sqlite.restore(made, tmp_path / "new", opened_with=keys(installation=None))
    assert not (tmp_path / "new").exists()
    on_sqlite.restore(made, tmp_path / "new")
    # Who opened it with the key needs it there.
    assert (tmp_path / "new" / "installation.key").read_text() == KEY.secret.hex()


def test_with_a_passphrase_a_new_machine_needs_nothing_else(on_sqlite: Attic, tmp_path: Path) -> None:
    made = on_sqlite.back_up(passphrase_lock())
    container = Container.open(on_sqlite.place.open(made.name), keys(installation=None).open)
    restore(container, Destination(tmp_path / "new"), on_sqlite.clock)
    key_file = tmp_path / "new" / "installation.key"
    assert key_file.read_text() == KEY.secret.hex()
    assert key_file.stat().st_mode & 0o777 == 0o600


def test_restored_files_are_for_their_owner_only(on_sqlite: Attic, tmp_path: Path) -> None:
    on_sqlite.store_part("one", b"PAR1")
    on_sqlite.restore(on_sqlite.back_up(), tmp_path / "new")
    modes = {path.stat().st_mode & 0o077 for path in (tmp_path / "new").rglob("*")}
    assert modes | {(tmp_path / "new").stat().st_mode & 0o077} == {0}


def test_only_an_empty_place_is_restored_into(on_sqlite: Attic, tmp_path: Path) -> None:
    made = on_sqlite.back_up()
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "letter.txt").write_text("dear")
    with pytest.raises(PlaceNotEmpty):
        on_sqlite.restore(made, tmp_path / "new")
    assert tree(tmp_path / "new") == {"letter.txt": b"dear"}


def test_a_restore_can_be_repeated_after_one_that_was_killed(on_sqlite: Attic, tmp_path: Path) -> None:
    made = on_sqlite.back_up()
    (tmp_path / "new" / ".restoring").mkdir(parents=True)
    (tmp_path / "new" / ".restoring" / "half").write_bytes(b"x")
    (tmp_path / "new" / "server.lock").write_bytes(b"")
    on_sqlite.restore(made, tmp_path / "new")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "installation.key",
        "server.lock",
        "watchkeeper.db",
    ]


def test_no_server_starts_in_a_place_that_is_being_restored_into(on_sqlite: Attic, tmp_path: Path) -> None:
    made = on_sqlite.back_up()
    with ServerLock(tmp_path / "new"), pytest.raises(AlreadyRunning):
        on_sqlite.restore(made, tmp_path / "new")


def test_a_flipped_bit_is_refused_and_nothing_is_restored(on_sqlite: Attic, tmp_path: Path) -> None:
    on_sqlite.keep("lamp")
    on_sqlite.store_part("one", b"P" * 5000)
    made = on_sqlite.back_up()
    file = on_sqlite.file(made)
    whole = file.read_bytes()
    for share in (0.5, 0.9):
        changed = bytearray(whole)
        changed[int(len(whole) * share)] ^= 1
        file.write_bytes(changed)
        with pytest.raises(BackupDamaged, match=r"part (state\.sqlite\.gz|telemetry/parts/spans/.*): chunk 1 of 1"):
            on_sqlite.restore(made, tmp_path / "new")
        assert tree(tmp_path / "new").keys() <= {"server.lock"}


def test_a_backup_of_a_later_version_is_refused_before_anything(on_sqlite: Attic, tmp_path: Path) -> None:
    with closing(sqlite3.connect(on_sqlite.data / "watchkeeper.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999_later'")
        connection.commit()
    made = on_sqlite.back_up()
    with pytest.raises(DatabaseTooNew, match="9999_later"):
        on_sqlite.restore(made, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_backup_of_sqlite_does_not_go_into_postgresql(on_sqlite: Attic, tmp_path: Path) -> None:
    made = on_sqlite.back_up()
    with pytest.raises(OtherEngine):
        on_sqlite.restore(made, Destination(tmp_path / "new", "postgresql://somebody@127.0.0.1:1/x"))


def test_telemetry_of_a_shared_volume_goes_where_the_setting_says(on_sqlite: Attic, tmp_path: Path) -> None:
    on_sqlite.store_part("one", b"PAR1")
    made = on_sqlite.back_up()
    on_sqlite.restore(made, Destination(tmp_path / "new", None, tmp_path / "volume"))
    assert tree(tmp_path / "volume") == {"spans/2026-03-02/12/one.parquet": b"PAR1"}
    assert "telemetry" not in {path.name for path in (tmp_path / "new").iterdir()}


def test_a_part_that_is_merged_while_the_backup_runs_is_still_in_it(
    on_sqlite: Attic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = on_sqlite.store_part("one", b"PAR1")
    real = source.read_file

    def swept(path: Path) -> Iterator[bytes]:
        file.unlink(missing_ok=True)
        return real(path)

    monkeypatch.setattr(source, "read_file", swept)
    restored = on_sqlite.restore(on_sqlite.back_up(), tmp_path / "new")
    assert (restored.about.missing, file.exists()) == (0, False)
    assert tree(tmp_path / "new")["telemetry/parts/spans/2026-03-02/12/one.parquet"] == b"PAR1"


def test_a_file_of_telemetry_that_is_lost_already_does_not_stop_a_backup(on_sqlite: Attic) -> None:
    on_sqlite.store_part("one", b"PAR1").unlink()
    made = on_sqlite.back_up()
    assert made.manifest.about.missing == 1


def test_where_files_can_not_be_linked_they_are_copied(
    on_sqlite: Attic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    on_sqlite.store_part("one", b"PAR1")
    on_sqlite.restore(on_sqlite.back_up(), tmp_path / "new")
    assert tree(tmp_path / "new")["telemetry/parts/spans/2026-03-02/12/one.parquet"] == b"PAR1"


def test_a_backup_leaves_nothing_behind_beside_the_data(on_sqlite: Attic) -> None:
    on_sqlite.store_part("one", b"PAR1")
    before = set(tree(on_sqlite.data)) | {"watchkeeper.db-wal", "watchkeeper.db-shm"}
    on_sqlite.back_up()
    assert set(tree(on_sqlite.data)) <= before
    assert not (on_sqlite.data / "backup-staging").exists()


def test_a_full_disk_leaves_nothing_that_looks_like_a_backup(on_sqlite: Attic, monkeypatch: pytest.MonkeyPatch) -> None:
    on_sqlite.store_part("one", os.urandom(3_000_000))
    written = 0
    real = os.write

    def full(descriptor: int, data: Any) -> int:
        nonlocal written
        written += len(data)
        if written > 2_000_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data)

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(TargetFull):
            on_sqlite.back_up()
    assert list(on_sqlite.place.folder.iterdir()) == []
    assert on_sqlite.back_up().size > 3_000_000


def test_a_backup_that_is_stopped_leaves_nothing(on_sqlite: Attic) -> None:
    def stop(size: int) -> None:
        if size:
            raise Interrupted("stop")

    with pytest.raises(Interrupted):
        on_sqlite.maker().make(on_sqlite.place, key_lock(), "bak_1", stop)
    assert list(on_sqlite.place.folder.iterdir()) == []
    assert not (on_sqlite.data / "backup-staging").exists()


class Rotten(Directory):
    """A disk that forgets a bit of what it is given."""

    def write(self, name: str, blocks: Any) -> None:
        super().write(name, blocks)
        content = bytearray((self.folder / name).read_bytes())
        content[len(content) // 2] ^= 4
        (self.folder / name).write_bytes(content)


def test_what_can_not_be_read_back_is_no_backup(on_sqlite: Attic) -> None:
    rotten = Rotten(on_sqlite.place.folder)
    with pytest.raises(BackupDamaged):
        on_sqlite.back_up(place=rotten)
    assert list(rotten.folder.iterdir()) == []


def test_a_place_that_is_not_there_is_not_made(on_sqlite: Attic, tmp_path: Path) -> None:
    with pytest.raises(TargetUnusable, match="mount"):
        on_sqlite.back_up(place=Directory(tmp_path / "not mounted"))
    assert not (tmp_path / "not mounted").exists()


def test_a_place_inside_the_data_directory_is_refused(on_sqlite: Attic) -> None:
    (on_sqlite.data / "backups").mkdir()
    with pytest.raises(TargetRefused, match="lost with it"):
        on_sqlite.back_up(place=Directory(on_sqlite.data / "backups"))


def test_a_key_that_is_only_in_the_database_locks_no_backup_of_it(on_sqlite: Attic) -> None:
    maker = on_sqlite.maker(key_in_database=True)
    with pytest.raises(KeyInsideOnly, match="PASSPHRASE_FILE"):
        maker.make(on_sqlite.place, key_lock(), "bak_1", lambda _size: None)
    made = maker.make(on_sqlite.place, passphrase_lock(), "bak_1", lambda _size: None)
    assert made.locked_by == "passphrase"
