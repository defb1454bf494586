"""Due work: done at least once, by one at a time, with its next step in the same transaction."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from watchkeeper.kernel import journal, work
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.journal import FactFilter
from watchkeeper.kernel.work import Backoff, Handler, Recurring, Task, Transactional, Worker, store
from watchkeeper.kernel.work.tables import work as rows

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
AT_ONCE = Backoff(first=timedelta(0), most_attempts=3)


@dataclass
class Bell:
    """A handler that notes each ring, and fails as often as it is told."""

    failures: int = 0
    rings: list[str] = field(default_factory=list)
    then: Callable[[Session, Task], None] = lambda _session, _task: None

    def act(self, task: Task) -> str:
        self.rings.append(task.key)
        if self.failures:
            self.failures -= 1
            raise LookupError("no clapper")
        return task.key

    def finish(self, session: Session, task: Task, result: Any) -> None:
        assert result == task.key
        self.then(session, task)


def _enqueue(database: Database, key: str, *, due_at: datetime = LONG_AGO, kind: str = "bell") -> bool:
    with database.begin() as session:
        return work.enqueue(session, kind=kind, key=key, due_at=due_at, payload={"n": 1})


def _worker(database: Database, handlers: Mapping[str, Handler], **options: Any) -> Worker:
    options.setdefault("backoff", AT_ONCE)
    return Worker(database, ManualClock(LONG_AGO), handlers, **options)


def _states(database: Database) -> dict[str, str]:
    with database.read() as session:
        return {row.key: row.state for row in session.execute(select(rows))}


def test_a_due_row_is_done_once_and_one_of_tomorrow_waits(database: Database) -> None:
    bell = Bell()
    _enqueue(database, "now")
    _enqueue(database, "later", due_at=datetime(2100, 1, 1, tzinfo=UTC))
    worker = _worker(database, {"bell": bell})
    assert worker.run_once() == 1
    assert worker.run_once() == 0
    assert bell.rings == ["now"]
    assert _states(database) == {"now": "done", "later": "due"}


def test_the_same_key_is_enqueued_once_however_often_it_is_tried(database: Database) -> None:
    assert _enqueue(database, "once")
    assert not _enqueue(database, "once")
    _worker(database, {"bell": Bell()}).run_once()
    assert not _enqueue(database, "once")


def test_a_failure_is_tried_again_under_the_same_key(database: Database) -> None:
    bell = Bell(failures=2)
    _enqueue(database, "ring")
    worker = _worker(database, {"bell": bell})
    while worker.run_once():
        pass
    assert bell.rings == ["ring"] * 3
    assert _states(database) == {"ring": "done"}


def test_a_row_that_keeps_failing_is_kept_and_the_journal_says_so(database: Database) -> None:
    _enqueue(database, "ring")
    worker = _worker(database, {"bell": Bell(failures=99)})
    while worker.run_once():
        pass
    assert _states(database) == {"ring": "failed"}
    with database.read() as session:
        (fact,) = journal.read_facts(session, FactFilter(kinds=("work.failed",)))
        assert fact.data["attempts"] == 3
        assert fact.data["error"] == "LookupError"
        assert "no clapper" not in str(fact)


def test_the_next_step_stands_or_falls_with_the_row_that_asked_for_it(database: Database) -> None:
    def then(session: Session, task: Task) -> None:
        work.enqueue(session, kind="other", key=f"{task.key}.next", due_at=LONG_AGO, payload={})
        if task.attempts == 1:
            raise LookupError

    _enqueue(database, "first")
    worker = _worker(database, {"bell": Bell(then=then)})
    worker.run_once()
    assert _states(database) == {"first": "due"}
    worker.run_once()
    assert _states(database) == {"first": "done", "first.next": "due"}


def test_a_holder_whose_lease_ran_out_can_record_nothing(database: Database) -> None:
    _enqueue(database, "ring")
    with database.begin() as session:
        now = database.database_now(session)
        (late,) = store.lease(session, ("bell",), now=now, length=timedelta(seconds=1), most=1)
        (taken_over,) = store.lease(
            session, ("bell",), now=now + timedelta(seconds=2), length=timedelta(seconds=1), most=1
        )
    assert taken_over.token > late.token
    with database.begin() as session:
        assert not store.mark_done(session, late, now=now)
        assert not store.renew(session, late, until=now)
        assert store.mark_done(session, taken_over, now=now)


def test_a_row_of_a_dead_holder_is_taken_over_when_its_lease_ends(database: Database) -> None:
    _enqueue(database, "ring")
    with database.begin() as session:
        store.lease(session, ("bell",), now=database.database_now(session), length=timedelta(hours=1), most=1)
    bell = Bell()
    worker = _worker(database, {"bell": bell})
    assert worker.run_once() == 0
    with database.begin() as session:
        session.execute(update(rows).values(lease_until=LONG_AGO))
    assert worker.run_once() == 1
    assert bell.rings == ["ring"]


def test_a_handler_that_outlasts_its_lease_keeps_it(database: Database) -> None:
    slow_calls: list[str] = []

    class Slow(Bell):
        def act(self, task: Task) -> str:
            slow_calls.append(task.key)
            time.sleep(1.2)
            return task.key

    _enqueue(database, "ring")
    workers = [_worker(database, {"bell": Slow()}, lease=timedelta(milliseconds=600)) for _ in range(2)]
    first = threading.Thread(target=workers[0].run_once)
    first.start()
    time.sleep(0.9)
    assert workers[1].run_once() == 0
    first.join()
    assert slow_calls == ["ring"]
    assert _states(database) == {"ring": "done"}


def test_workers_side_by_side_do_each_row_once(database: Database) -> None:
    for number in range(40):
        _enqueue(database, f"ring-{number}")
    bell = Bell()
    workers = [_worker(database, {"bell": bell}, threads=3) for _ in range(3)]

    def drain(worker: Worker) -> None:
        while worker.run_once():
            pass

    threads = [threading.Thread(target=drain, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for worker in workers:
        drain(worker)
    assert sorted(bell.rings) == sorted(f"ring-{number}" for number in range(40))


def test_work_of_a_kind_nobody_handles_here_is_left_alone(database: Database) -> None:
    _enqueue(database, "ring", kind="unheard")
    assert _worker(database, {"bell": Bell()}).run_once() == 0
    assert _states(database) == {"ring": "due"}


def test_recurring_work_runs_once_a_tick_across_replicas_and_once_after_a_long_sleep(database: Database) -> None:
    ticks: list[str] = []
    tick = Recurring("sweep", timedelta(hours=1), Transactional(lambda _session, task: ticks.append(task.key)))
    replicas = [_worker(database, {}, recurring=[tick]) for _ in range(3)]
    for replica in replicas:
        replica.run_once()
    assert len(ticks) == 1
    with database.begin() as session:
        session.execute(update(rows).values(due_at=LONG_AGO))
    for replica in replicas:
        replica.run_once()
    assert len(ticks) == 2


def test_recurring_work_that_fails_is_never_given_up(database: Database) -> None:
    attempts: list[int] = []

    def fail(_session: Session, task: Task) -> None:
        attempts.append(task.attempts)
        raise LookupError

    worker = _worker(database, {}, recurring=[Recurring("sweep", timedelta(hours=1), Transactional(fail))])
    for _ in range(6):
        worker.run_once()
    assert len(attempts) == 6
    assert set(_states(database).values()) == {"due"}


def test_a_started_worker_finds_what_is_enqueued_and_stops_when_told(database: Database) -> None:
    bell = Bell()
    worker = _worker(database, {"bell": bell})
    worker.start()
    _enqueue(database, "ring")
    worker.wake()
    deadline = time.monotonic() + 5
    while _states(database).get("ring") != "done" and time.monotonic() < deadline:
        time.sleep(0.02)
    worker.stop()
    assert bell.rings == ["ring"]


def test_old_done_rows_are_pruned_and_failed_ones_kept(database: Database) -> None:
    _enqueue(database, "good")
    _enqueue(database, "bad", kind="broken")
    worker = _worker(database, {"bell": Bell(), "broken": Bell(failures=99)})
    while worker.run_once():
        pass
    with database.begin() as session:
        later = database.database_now(session) + timedelta(days=1)
        assert store.prune(session, before=later) == 1
    assert _states(database) == {"bad": "failed"}


@given(st.integers(1, 1000), st.floats(0, 1, exclude_max=True))
def test_a_pause_is_never_negative_and_never_longer_than_the_cap(attempts: int, chance: float) -> None:
    backoff = Backoff()
    assert timedelta(0) <= backoff.pause(attempts, chance) <= backoff.longest


@pytest.mark.parametrize("attempts", [1, 2, 3])
def test_pauses_double(attempts: int) -> None:
    backoff = Backoff(first=timedelta(seconds=1))
    assert backoff.pause(attempts + 1, 0.5) == 2 * backoff.pause(attempts, 0.5)


@dataclass
class Gate:
    """A handler that waits until it is opened."""

    opened: threading.Event = field(default_factory=threading.Event)
    entered: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def act(self, task: Task) -> None:
        self.entered.release()
        self.opened.wait(20)

    def finish(self, session: Session, task: Task, result: Any) -> None:
        pass


def test_a_kind_whose_peer_hangs_leaves_room_for_the_others(database: Database) -> None:
    stuck, bell = Gate(), Bell()
    for number in range(6):
        _enqueue(database, f"stuck.{number}", kind="stuck")
    worker = _worker(database, {"stuck": stuck, "bell": bell}, lane="notify", threads=4, most_of_kind=2)
    worker.start()
    try:
        assert stuck.entered.acquire(timeout=10)
        assert stuck.entered.acquire(timeout=10)
        for number in range(5):
            _enqueue(database, f"ring.{number}")
        worker.wake()
        assert _until(lambda: len(bell.rings) == 5), "two of the four threads are nobody's but the bell's"
        assert not stuck.entered.acquire(timeout=0.2), "no third row of the stuck kind was begun"
        stuck.opened.set()
        assert _until(lambda: set(_states(database).values()) == {"done"})
    finally:
        stuck.opened.set()
        worker.stop()


def test_a_slow_row_does_not_hold_up_those_that_come_after_it(database: Database) -> None:
    slow, bell = Gate(), Bell()
    _enqueue(database, "slow", kind="slow")
    worker = _worker(database, {"slow": slow, "bell": bell}, threads=2)
    worker.start()
    try:
        assert slow.entered.acquire(timeout=10)
        _enqueue(database, "ring")
        worker.wake()
        assert _until(lambda: bell.rings == ["ring"])
    finally:
        slow.opened.set()
        worker.stop()


def _until(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 15
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds()
