"""Where backups lie: directories, and buckets of a real server that speaks S3."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.app.backup.support import Attic, keys, opened, passphrase_lock
from tests.conftest import NOON
from tests.support.s3_server import CREDENTIALS, S3Server, s3_server
from watchkeeper.app.backup.errors import BackupDamaged, BackupNotFound, TargetRefused, TargetUnusable
from watchkeeper.app.backup.format import Container
from watchkeeper.app.backup.restore import Destination, restore
from watchkeeper.app.backup.settings import BackupSettings
from watchkeeper.app.backup.targets import Bucket, Directory, find, is_name, name_of, place_of

ID = "bak_abcdefgh000000000000000000"
NAME = "watchkeeper-20260302T120000Z-abcdefgh.wkbackup"
PLAIN = BackupSettings()


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        server.make_bucket("backups")
        yield server


@pytest.fixture
def in_bucket(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> BackupSettings:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    return BackupSettings(s3_endpoint=s3.url)


def test_names_sort_by_time() -> None:
    names = [name_of(ID, NOON + timedelta(seconds=n * 10_000)) for n in range(50)]
    assert names[0] == NAME
    assert names == sorted(names)
    assert all(map(is_name, names))


@pytest.mark.parametrize("name", ["", "x.wkbackup", f".{NAME}.partial", f"{NAME}.old", f"../{NAME}", f"copy-{NAME}"])
def test_other_files_are_no_backups(name: str) -> None:
    assert not is_name(name)


@pytest.mark.parametrize("target", ["s3://", "s3://b", "s3://UPPER/x", "s3:///x", "s3://bucket name/x"])
def test_what_names_no_bucket_is_refused(target: str) -> None:
    with pytest.raises(TargetRefused):
        place_of(target, PLAIN)


def test_a_source_is_a_file_or_the_newest_of_a_directory(tmp_path: Path) -> None:
    for name in (NAME, NAME.replace("0302", "0303"), "letter.txt"):
        (tmp_path / name).write_bytes(b"x")
    assert find(str(tmp_path), PLAIN) == (Directory(tmp_path), NAME.replace("0302", "0303"))
    assert find(str(tmp_path / NAME), PLAIN) == (Directory(tmp_path), NAME)
    assert find(NAME, PLAIN) == (Directory(Path()), NAME)


def test_an_empty_directory_holds_no_backup(tmp_path: Path) -> None:
    with pytest.raises(BackupNotFound):
        find(str(tmp_path), PLAIN)
    with pytest.raises(BackupNotFound):
        Directory(tmp_path).open(NAME)


def test_what_a_crash_left_goes_when_nobody_can_still_be_writing_it(tmp_path: Path) -> None:
    old, young, foreign = tmp_path / f".{NAME}.partial", tmp_path / f".{NAME[:-12]}zz.wkbackup.partial", tmp_path / "x"
    for path in (old, young, foreign):
        path.write_bytes(b"x")
    now = datetime.fromtimestamp(old.stat().st_mtime, UTC)
    os.utime(old, (now.timestamp() - 3 * 86_400,) * 2)
    Directory(tmp_path).clean_up(now=now)
    assert sorted(tmp_path.iterdir()) == sorted([young, foreign])


def test_places_are_told_apart_without_saying_where_they_are(tmp_path: Path) -> None:
    places = [
        Directory(tmp_path),
        Directory(tmp_path / "x"),
        Bucket("b", "x", None, None),
        Bucket("b", "y", None, None),
    ]
    marks = {place.mark for place in places}
    assert len(marks) == 4
    assert not any(str(tmp_path) in mark or "x" in mark for mark in marks)


def test_a_backup_goes_to_a_bucket_and_comes_back(
    on_sqlite: Attic, s3: S3Server, in_bucket: BackupSettings, tmp_path: Path
) -> None:
    on_sqlite.keep("lamp")
    on_sqlite.store_part("large", os.urandom(40_000_000))
    place = place_of("s3://backups/team/a", in_bucket)
    made = on_sqlite.back_up(passphrase_lock(), place)
    assert s3.objects("backups") == {f"team/a/{made.name}": made.size}
    found, name = find("s3://backups/team/a", in_bucket)
    assert name == made.name
    container = Container.open(found.open(name), keys().open)
    restore(container, Destination(tmp_path / "new"), on_sqlite.clock)
    with opened(tmp_path / "new") as database:
        assert on_sqlite.things(database) == ["lamp"]


def test_a_bit_that_was_flipped_in_the_bucket_is_found(
    on_sqlite: Attic, s3: S3Server, in_bucket: BackupSettings
) -> None:
    place = place_of("s3://backups/team/b", in_bucket)
    made = on_sqlite.back_up(place=place)
    content = bytearray(s3.content("backups", f"team/b/{made.name}"))
    content[len(content) // 2] ^= 64
    s3.put("backups", f"team/b/{made.name}", bytes(content))
    with pytest.raises(BackupDamaged, match="part state"):
        Container.open(place.open(made.name), keys().open).verify()


def test_an_upload_that_fails_leaves_nothing_to_be_seen(s3: S3Server, in_bucket: BackupSettings) -> None:
    place = place_of("s3://backups/team/c", in_bucket)

    def blocks() -> Iterator[bytes]:
        yield b"x" * 20_000_000
        raise KeyError("a bug of ours")

    with pytest.raises(KeyError, match="a bug of ours"):
        place.write(NAME, blocks())
    assert place.names() == []
    assert not [key for key in s3.objects("backups") if key.startswith("team/c")]


def test_in_a_bucket_only_backups_are_listed_and_removed(s3: S3Server, in_bucket: BackupSettings) -> None:
    place = place_of("s3://backups/team/d/", in_bucket)
    place.write(NAME, [b"one"])
    s3.put("backups", "team/d/letter.txt", b"x")
    s3.put("backups", f"team/d/deeper/{NAME}", b"x")
    assert place.names() == [NAME]
    place.remove(NAME)
    place.remove(NAME)
    assert place.names() == []
    with pytest.raises(BackupNotFound):
        place.open(NAME)


def test_a_bucket_that_is_not_there_is_said_in_a_word(in_bucket: BackupSettings) -> None:
    place = place_of("s3://nowhere/x", in_bucket)
    for attempt in (place.names, lambda: place.write(NAME, [b"x"])):
        with pytest.raises(TargetUnusable, match=r"^The bucket nowhere can't be used: NoSuchBucket\.$"):
            attempt()


def test_a_store_that_is_away_is_no_bug(in_bucket: BackupSettings) -> None:
    place = place_of("s3://backups/x", BackupSettings(s3_endpoint="http://127.0.0.1:9"))
    with pytest.raises(TargetUnusable, match="can't be reached"):
        place.names()
