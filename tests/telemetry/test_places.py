"""Replicas with telemetry folders of their own: nobody reads, merges, deletes or sets aside what lies elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from tests.telemetry.support import logs, now_of, send, spans, store_on
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.modules.telemetry import store as parts_store
from watchkeeper.modules.telemetry.model import Dataset
from watchkeeper.modules.telemetry.parts import PLACE_FILE, PartFolder
from watchkeeper.modules.telemetry.places import SEEN_WITHIN
from watchkeeper.modules.telemetry.ranges import Range
from watchkeeper.modules.telemetry.tables import telemetry_parts
from watchkeeper.modules.telemetry.wiring import TelemetryStore

ALWAYS = Range(0, 2**62)
Two = tuple[TelemetryStore, TelemetryStore]


@pytest.fixture
def two(database: Database, clock: ManualClock, tmp_path: Path) -> Iterator[Two]:
    """Two replicas on one database, with 8 parts of one span each on the first and 3 on the second."""
    with ExitStack() as open_stores:
        here, there = (open_stores.enter_context(store_on(database, clock, tmp_path / name)) for name in ("a", "b"))
        for store, count in ((here, 8), (there, 3)):
            for seed in range(count):
                send(store, spans(now_of(clock), seed=seed))
                store.flusher.flush()
        yield here, there


def count(store: TelemetryStore, database: Database, dataset: Dataset = Dataset.SPANS) -> int:
    telemetry = store.telemetry(database)
    rows = telemetry.select(dataset, ALWAYS, ["count(*) AS n"]).rows
    telemetry.close()
    return rows[0][0] if rows else 0


def listed(database: Database, store: TelemetryStore) -> int:
    with database.read() as session:
        return len(parts_store.live(session, Dataset.SPANS, 0, 2**62, place=store.folder.place_id))


def test_each_answers_from_what_it_can_see_and_takes_nothing_off_the_list(two: Two, database: Database) -> None:
    here, there = two
    for _ in range(2):
        assert (count(here, database), count(there, database)) == (8, 3)
    assert (listed(database, here), listed(database, there)) == (8, 3)


def test_each_merges_its_own(two: Two, database: Database, clock: ManualClock) -> None:
    here, there = two
    clock.advance(timedelta(hours=2))
    assert there.maintenance.merge() >= 1
    assert (listed(database, here), listed(database, there)) == (8, 1)
    here.maintenance.merge()
    assert (listed(database, here), listed(database, there)) == (1, 1)
    assert (count(here, database), count(there, database)) == (8, 3)


def test_each_retires_and_deletes_its_own(two: Two, database: Database, clock: ManualClock) -> None:
    here, there = two
    clock.advance(timedelta(days=8))
    there.maintenance.apply_retention()
    assert (listed(database, here), listed(database, there)) == (8, 0)
    clock.advance(timedelta(minutes=6))
    assert here.maintenance.sweep() == 0
    assert there.maintenance.sweep() > 0
    assert len(list(here.folder.root.rglob("spans/**/*.parquet"))) == 8


def test_the_disk_share_is_each_places_own(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    with (
        store_on(database, clock, tmp_path / "large") as large,
        store_on(database, clock, tmp_path / "small", max_disk_gb=0.000001) as small,
    ):
        for store in (large, small):
            send(store, logs(now_of(clock), "a line"))
            store.flusher.flush()
        small.maintenance.apply_retention()
        assert (count(large, database, Dataset.LOGS), count(small, database, Dataset.LOGS)) == (1, 0)


def test_upkeep_of_each_place_is_work_of_its_own(two: Two) -> None:
    names = {one.name for store in two for one in store.recurring()}
    assert len(names) == 2


def test_replicas_that_share_a_folder_are_one_place(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    with (
        store_on(database, clock, tmp_path / "a", directory=shared) as here,
        store_on(database, clock, tmp_path / "b", directory=shared) as there,
    ):
        send(here, spans(now_of(clock)))
        here.flusher.flush()
        assert count(there, database) == 1
        here.others.look_now_and_then()
        assert here.others.count == 0
        assert {one.name for one in here.recurring()} == {one.name for one in there.recurring()}


def test_everybody_is_told_while_another_place_is_written_to(two: Two, clock: ManualClock, database: Database) -> None:
    here, _ = two
    here.others.look_now_and_then()
    (banner,) = here.banners(None)  # type: ignore[arg-type]
    assert banner.text.startswith("Telemetry of one other replica is not visible here")
    clock.advance(SEEN_WITHIN + timedelta(minutes=1))
    here.others.look_now_and_then()
    assert here.banners(None) == []  # type: ignore[arg-type]


def test_the_last_answer_about_others_stands_while_the_database_is_away(two: Two, clock: ManualClock) -> None:
    here, _ = two
    here.others.look_now_and_then()
    clock.advance(timedelta(minutes=1))
    here.others.db = _Away()  # type: ignore[assignment]
    here.others.look_now_and_then()
    assert here.others.count == 1


class _Away:
    def read(self) -> None:
        from watchkeeper.kernel.errors import Unavailable

        raise Unavailable("Away.")


def test_parts_of_an_earlier_release_or_a_restored_backup_belong_to_whoever_has_the_files(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    with store_on(database, clock, tmp_path / "a") as here:
        send(here, spans(now_of(clock), count=5))
        here.flusher.flush()
    with database.begin() as session:
        session.execute(update(telemetry_parts).values(place=None))
    (tmp_path / "a/telemetry/parts" / PLACE_FILE).unlink()
    with store_on(database, clock, tmp_path / "b") as there:
        assert count(there, database) == 0
    with database.read() as session:
        assert set(session.execute(select(telemetry_parts.c.place)).scalars()) == {None}
    with store_on(database, clock, tmp_path / "a") as here:
        assert count(here, database) == 5


def test_a_place_keeps_its_name_and_a_damaged_one_is_named_anew(tmp_path: Path) -> None:
    name = PartFolder(tmp_path / "parts").place_id
    assert PartFolder(tmp_path / "parts").place_id == name
    assert [path.name for path in (tmp_path / "parts").iterdir()] == [PLACE_FILE]
    (tmp_path / "parts" / PLACE_FILE).write_bytes(b"\xff")
    renamed = PartFolder(tmp_path / "parts").place_id
    assert renamed != name
    assert PartFolder(tmp_path / "parts").place_id == renamed
