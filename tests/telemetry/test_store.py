"""What was acknowledged is stored once, whatever happens in between."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.telemetry.support import MS, logs, now_of, send, spans, store_on
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Unavailable
from watchkeeper.modules.telemetry import maintenance, query_red
from watchkeeper.modules.telemetry import store as parts_store
from watchkeeper.modules.telemetry.errors import Busy, DiskFull
from watchkeeper.modules.telemetry.intake_log import IntakeLog, frame_of, read_frames
from watchkeeper.modules.telemetry.model import DAY, HOUR, MINUTE, Dataset, Decoded, Part, Signal
from watchkeeper.modules.telemetry.query import Telemetry
from watchkeeper.modules.telemetry.ranges import Range
from watchkeeper.modules.telemetry.wiring import TelemetryStore

ALWAYS = Range(0, 2**62)


def _count(telemetry: Telemetry, dataset: Dataset = Dataset.SPANS) -> int:
    rows = telemetry.select(dataset, ALWAYS, ["count(*) AS n"]).rows
    return rows[0][0] if rows else 0


def test_what_arrived_is_there_after_a_flush_and_its_log_is_gone(
    store: TelemetryStore, telemetry: Telemetry, clock: ManualClock, tmp_path: Path
) -> None:
    send(store, spans(now_of(clock), count=30))
    assert _count(telemetry) == 0
    assert store.flusher.flush() == 30
    assert _count(telemetry) == 30
    assert list((tmp_path / "telemetry-data/telemetry/intake").glob("*.log")) == []
    assert store.decoder.pending_bytes == 0


def test_what_a_killed_server_acknowledged_is_stored_by_the_next(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    with store_on(database, clock, first) as store:
        send(store, spans(now_of(clock), count=7))
        send(store, logs(now_of(clock), "a line"))
        shutil.copytree(first, second)  # as the disk is when the process dies
        store.decoder.give_back(0)
        for segment in (first / "telemetry/intake").glob("*.log"):
            segment.unlink()
        store.log.seal()
    with store_on(database, clock, second) as store:
        store.flusher.flush()
        telemetry = store.telemetry(database)
        assert _count(telemetry) == 7
        assert _count(telemetry, Dataset.LOGS) == 1
        telemetry.close()


def test_a_segment_whose_parts_are_listed_is_not_stored_again(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    with store_on(database, clock, tmp_path / "data") as store:
        send(store, spans(now_of(clock), count=5))
        (segment,) = (tmp_path / "data/telemetry/intake").glob("*.log")
        kept = segment.read_bytes()
        store.flusher.flush()
        segment.write_bytes(kept)  # the crash came between listing the parts and deleting the segment
    with store_on(database, clock, tmp_path / "data") as store:
        assert store.flusher.flush() == 0
        telemetry = store.telemetry(database)
        assert _count(telemetry) == 5
        telemetry.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=6), st.data())
def test_a_segment_cut_anywhere_gives_its_whole_frames_and_nothing_else(
    bodies: list[bytes], data: st.DataObject
) -> None:
    frames = [frame_of(Signal.LOGS, number, body) for number, body in enumerate(bodies)]
    whole = b"".join(frames)
    cut = data.draw(st.integers(0, len(whole)))
    ends = [sum(map(len, frames[: n + 1])) for n in range(len(frames))]
    path = Path("/dev/shm") / f"wk-cut-{id(data)}"
    path.write_bytes(whole[:cut])
    try:
        found = [frame.body for frame in read_frames(path)]
    finally:
        path.unlink()
    assert found == bodies[: sum(end <= cut for end in ends)]


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=1, max_size=100), st.data())
def test_a_flipped_bit_ends_the_reading_before_the_damaged_frame(body: bytes, data: st.DataObject) -> None:
    frame = bytearray(frame_of(Signal.TRACES, 1, body))
    frame[data.draw(st.integers(0, len(frame) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path = Path("/dev/shm") / f"wk-flip-{id(data)}"
    path.write_bytes(frame_of(Signal.TRACES, 0, b"good") + bytes(frame))
    try:
        assert [one.body for one in read_frames(path)] == [b"good"]
    finally:
        path.unlink()


def test_a_full_disk_refuses_and_recovers_without_a_restart(clock: ManualClock, tmp_path: Path) -> None:
    log = IntakeLog(tmp_path, min_free_bytes=2**60)
    decoded = Decoded(Signal.LOGS, None)  # type: ignore[arg-type]
    with pytest.raises(DiskFull):
        log.append(decoded, 1, b"x").result()
    assert log.is_full
    log._min_free = 0
    log.append(decoded, 1, b"x").result()
    assert not log.is_full
    log.close()


def test_a_log_folder_that_went_away_is_a_refusal_and_no_crash(tmp_path: Path) -> None:
    log = IntakeLog(tmp_path / "log", min_free_bytes=0)
    (tmp_path / "log").rmdir()
    with pytest.raises(Unavailable, match="can't be written"):
        log.append(Decoded(Signal.LOGS, None), 1, b"x").result()  # type: ignore[arg-type]
    log.close()


def test_more_than_may_wait_is_refused_until_it_is_stored(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    with store_on(database, clock, tmp_path / "data", max_pending_mb=2) as store:
        big = logs(now_of(clock), *["x" * 10_000] * 150)
        send(store, big)
        with pytest.raises(Busy):
            send(store, big)
        store.flusher.flush()
        send(store, big)


def test_a_batch_that_is_sent_twice_is_kept_once(
    store: TelemetryStore, telemetry: Telemetry, clock: ManualClock
) -> None:
    batch = spans(now_of(clock), count=10)
    send(store, batch)
    send(store, batch)
    store.flusher.flush()
    assert _count(telemetry) == 10
    send(store, batch)
    store.flusher.flush()
    clock.advance(timedelta(hours=2))
    store.maintenance.merge()
    assert _count(telemetry) == 10


def test_late_spans_land_in_their_own_hour(store: TelemetryStore, telemetry: Telemetry, clock: ManualClock) -> None:
    now = now_of(clock)
    send(store, spans(now - 3 * HOUR, count=2, seed=1))
    send(store, spans(now, count=3, seed=2))
    store.flusher.flush()
    with store.flusher._db.read() as session:
        hours = {part.min_time // HOUR for part in parts_store.live(session, Dataset.SPANS, 0, 2**62)}
    assert hours == {(now - 3 * HOUR) // HOUR, now // HOUR}


@settings(max_examples=15, deadline=None)
@given(st.lists(st.lists(st.integers(1, 5_000), min_size=1, max_size=20), min_size=1, max_size=5))
def test_rollups_add_up_however_the_spans_were_split(batches: list[list[int]]) -> None:
    from tempfile import TemporaryDirectory

    from tests.conftest import NOON, SCRIPTS
    from watchkeeper.kernel.db.database import open_database
    from watchkeeper.kernel.db.migrations import Migrations

    clock = ManualClock(NOON)
    with TemporaryDirectory() as folder:
        database = open_database(None, Path(folder))
        Migrations(SCRIPTS).migrate(database.engine)
        with store_on(database, clock, Path(folder)) as store:
            telemetry = store.telemetry(database)
            for seed, durations in enumerate(batches):
                for number, duration in enumerate(durations):
                    send(store, spans(now_of(clock), duration=duration * MS, seed=seed * 100 + number))
                store.flusher.flush()
            span = Range(now_of(clock) - HOUR, now_of(clock) + HOUR)
            before = query_red.services(telemetry, span, now_of(clock), {})[0].red
            clock.advance(timedelta(hours=2))
            store.maintenance.merge()
            after = query_red.services(telemetry, span, now_of(clock), {})[0].red
            flat = sorted(duration for durations in batches for duration in durations)
            assert before == after
            assert before.requests == len(flat)
            assert before.duration_sum == sum(flat) * MS
            assert before.duration_max == flat[-1] * MS
            telemetry.close()
        database.close()


def test_merging_keeps_every_row_and_leaves_few_files(
    store: TelemetryStore, telemetry: Telemetry, clock: ManualClock
) -> None:
    for seed in range(20):
        send(store, spans(now_of(clock), count=3, seed=seed))
        store.flusher.flush()
    store.maintenance.merge()
    with store.flusher._db.read() as session:
        live = parts_store.live(session, Dataset.SPANS, 0, 2**62)
    assert _count(telemetry) == 60
    assert len(live) < 20
    clock.advance(timedelta(hours=2))
    store.maintenance.merge()
    with store.flusher._db.read() as session:
        assert len(parts_store.live(session, Dataset.SPANS, 0, 2**62)) == 1
    assert _count(telemetry) == 60


def test_merged_files_outlive_the_questions_that_read_them_and_then_go(
    store: TelemetryStore, clock: ManualClock, tmp_path: Path
) -> None:
    for seed in range(8):
        send(store, spans(now_of(clock), seed=seed))
        store.flusher.flush()
    store.maintenance.merge()
    files = lambda: list((tmp_path / "telemetry-data").rglob("spans/**/*.parquet"))  # noqa: E731
    assert len(files()) == 9
    assert store.maintenance.sweep() == 0
    clock.advance(timedelta(minutes=6))
    assert store.maintenance.sweep() >= 8
    assert len(files()) == 1


def test_an_unreadable_part_is_set_aside_and_the_rest_still_answers(
    store: TelemetryStore, telemetry: Telemetry, clock: ManualClock, tmp_path: Path
) -> None:
    for seed in range(8):
        send(store, spans(now_of(clock), seed=seed))
        store.flusher.flush()
    broken = next((tmp_path / "telemetry-data").rglob("spans/**/*.parquet"))
    broken.write_bytes(b"PAR1 this is no Parquet PAR1")
    store.maintenance.merge()
    assert _count(telemetry) == 7
    assert broken.with_suffix(".unreadable").exists()


@pytest.mark.parametrize("damage", ["gone", "broken"])
def test_a_question_is_answered_from_the_other_parts_when_one_is_lost(
    store: TelemetryStore, telemetry: Telemetry, clock: ManualClock, tmp_path: Path, damage: str
) -> None:
    for seed in range(3):
        send(store, spans(now_of(clock), seed=seed))
        store.flusher.flush()
    lost = next((tmp_path / "telemetry-data").rglob("spans/**/*.parquet"))
    if damage == "gone":
        lost.unlink()
    else:
        lost.write_bytes(lost.read_bytes()[:-20])
    assert _count(telemetry) == 2


def test_raw_data_goes_after_a_week_and_rollups_stay(
    store: TelemetryStore, telemetry: Telemetry, clock: ManualClock
) -> None:
    send(store, spans(now_of(clock), count=4))
    store.flusher.flush()
    clock.advance(timedelta(days=8))
    store.maintenance.apply_retention()
    assert _count(telemetry) == 0
    assert _count(telemetry, Dataset.RED_MINUTE) > 0
    clock.advance(timedelta(days=90))
    store.maintenance.apply_retention()
    assert _count(telemetry, Dataset.RED_MINUTE) == 0
    assert _count(telemetry, Dataset.RED_HOUR) > 0


def test_the_oldest_raw_data_goes_first_when_the_disk_share_is_used_up(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    with store_on(database, clock, tmp_path / "data", max_disk_gb=0.00001) as store:
        for day in (3, 2, 1):
            send(store, spans(now_of(clock) - day * DAY, count=50, seed=day))
            store.flusher.flush()
        store.maintenance.apply_retention()
        with database.read() as session:
            left = parts_store.live(session, Dataset.SPANS, 0, 2**62)
            assert len(left) < 3
            assert all(part.min_time >= now_of(clock) - 2 * DAY for part in left)


def _part(number: int, hour: int, level: int = 0, rows: int = 10) -> Part:
    time = hour * HOUR
    return Part(f"p{number}", Dataset.SPANS, level, time, time + MINUTE, rows, 100, f"x/{number}", ("a",))


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(1, 1_500_000)), max_size=40),
    st.integers(0, 6),
)
def test_no_part_is_merged_twice_and_none_across_hours(shapes: list[tuple[int, int, int]], now: int) -> None:
    live = [_part(number, *shape) for number, shape in enumerate(shapes)]
    groups = maintenance.chosen(live, now * HOUR)
    merged = [part.id for group in groups for part in group]
    assert len(merged) == len(set(merged))
    for group in groups:
        assert len(group) > 1
        assert len({part.min_time // HOUR for part in group}) == 1
        assert sum(part.rows for part in group) <= maintenance.MOST_ROWS


def test_services_past_the_limit_are_rejected_and_counted(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    with store_on(database, clock, tmp_path / "data", max_services=2) as store:
        for seed, name in enumerate(("a", "b", "c")):
            send(store, spans(now_of(clock), service=name, seed=seed))
        store.flusher.flush()
        telemetry = store.telemetry(database)
        names = telemetry.select(Dataset.SPANS, ALWAYS, ["DISTINCT service"], tail="ORDER BY service").rows
        assert names == [("a",), ("b",)]
        telemetry.close()


def test_routes_past_the_limit_are_counted_together(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    with store_on(database, clock, tmp_path / "data", max_routes=10) as store:
        for number in range(15):
            send(store, spans(now_of(clock), route=f"/users/{number:02}", seed=number))
        store.flusher.flush()
        telemetry = store.telemetry(database)
        found = query_red.routes(telemetry, "duet-gateway", Range(now_of(clock) - HOUR, now_of(clock) + HOUR))
        assert len(found) == 11
        assert {one.route: one.red.requests for one in found}["(other)"] == 5
        telemetry.close()
