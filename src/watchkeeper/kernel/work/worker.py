"""The worker: leases due rows, acts, and records the outcome; a killed one's rows are taken over by another."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Unavailable
from watchkeeper.kernel.work import store
from watchkeeper.kernel.work.model import Backoff, Handler, Recurring, Task, WorkFailed

_log = structlog.get_logger("watchkeeper.work")
_POLL_SECONDS = 1.0
_GRACE_SECONDS = 10.0


class LeaseLost(Exception):
    """Another replica has the row: what this attempt would have recorded is rolled back."""


class Worker:
    """Runs the handlers of one lane in threads of its own, so that no other lane can starve it.

    `most_of_kind`: no kind of work has more rows running at once, so that one whose peer hangs leaves room for others.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        handlers: Mapping[str, Handler],
        *,
        recurring: Sequence[Recurring] = (),
        lane: str = "default",
        threads: int = 2,
        most_of_kind: int | None = None,
        lease: timedelta = timedelta(seconds=30),
        backoff: Backoff | None = None,
    ) -> None:
        self._db = db.lane(f"work-{lane}")
        self._clock = clock
        self._recurring = {one.kind: one for one in recurring}
        self._handlers = {**handlers, **{one.kind: one.handler for one in recurring}}
        self._lane = lane
        self._size = threads
        self._most_of_kind = most_of_kind or threads
        self._lease = lease
        self._backoff = backoff or Backoff()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=f"work-{lane}")
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._loop: threading.Thread | None = None
        self._counting = threading.Lock()
        self._running: Counter[str] = Counter()
        self._futures: set[Future[None]] = set()

    def start(self) -> None:
        """Register recurring work and poll until `stop`."""
        self._loop = threading.Thread(target=self._run, name=f"work-{self._lane}-loop", daemon=True)
        self._loop.start()

    def wake(self) -> None:
        """Look now rather than at the next poll; for whoever has just enqueued something."""
        self._wake.set()

    def stop(self) -> None:
        """Take no more rows and let running handlers end within 10 s; the lease of one that does not runs out."""
        self._stopping.set()
        self._wake.set()
        if self._loop is not None:
            self._loop.join(_GRACE_SECONDS)
        with self._counting:
            running = list(self._futures)
        wait(running, _GRACE_SECONDS)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def run_once(self) -> int:
        """Lease what is due, run it to the end, and answer how many rows that were."""
        started = self._start_due()
        for future in started:
            future.result()
        return len(started)

    def _start_due(self) -> list[Future[None]]:
        with self._db.begin() as session:
            self._register_recurring(session)
            tasks = self._lease_due(session)
        return [self._start(task) for task in tasks]

    def _start(self, task: Task) -> Future[None]:
        with self._counting:
            self._running[task.kind] += 1
            future = self._threads.submit(self._run_counted, task)
            self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        return future

    def _run_counted(self, task: Task) -> None:
        try:
            self._run_task(task)
        finally:
            with self._counting:
                self._running[task.kind] -= 1
            self._wake.set()

    def _room(self) -> tuple[int, dict[str, int]]:
        """How many rows may be started now, and how many of each kind; kinds of which none may are left out."""
        with self._counting:
            free = self._size - self._running.total()
            room = {kind: min(free, self._most_of_kind - self._running[kind]) for kind in self._handlers}
        return free, {kind: most for kind, most in room.items() if most > 0}

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                busy = self._anything_due() and bool(self._start_due())
            except Unavailable as refusal:
                _log.warning("work waits for the database", lane=self._lane, reason=refusal.detail)
                busy = False
            except Exception:  # noqa: BLE001 (an edge: the loop must outlive any single row)
                _log.exception("work loop failed", lane=self._lane)
                busy = False
            if not busy:
                self._wake.wait(_POLL_SECONDS)
                self._wake.clear()

    def _anything_due(self) -> bool:
        """A look with a reader first: on SQLite an idle poll must not take the writer."""
        _, room = self._room()
        if not room:
            return False
        with self._db.read() as session:
            now = self._db.database_now(session)
            return store.is_anything_due(session, tuple(room), now=now) or any(
                not store.exists(session, kind) for kind in self._recurring
            )

    def _register_recurring(self, session: Session) -> None:
        now = self._db.database_now(session)
        for kind in self._recurring:
            store.enqueue(session, kind=kind, key=kind, due_at=now, payload={})

    def _lease_due(self, session: Session) -> list[Task]:
        now = self._db.database_now(session)
        free, room = self._room()
        if self._most_of_kind >= self._size:
            return store.lease(session, tuple(room), now=now, length=self._lease, most=free) if room else []
        tasks: list[Task] = []
        for kind, most in room.items():
            if len(tasks) < free:
                tasks += store.lease(session, (kind,), now=now, length=self._lease, most=min(most, free - len(tasks)))
        return tasks

    def _run_task(self, task: Task) -> None:
        with _Renewal(self._db, task, self._lease):
            try:
                result = self._handlers[task.kind].act(task)
                self._finish(task, result)
            except LeaseLost:
                _log.warning("lease lost", kind=task.kind, work=task.id)
            except Unavailable as refusal:
                # The database or the disk is away: the row stays leased and comes back by itself.
                _log.warning("work not recorded", kind=task.kind, work=task.id, reason=refusal.detail)
            except Exception as error:  # noqa: BLE001 (an edge: whatever a handler raises, the row comes back)
                _log.exception("work failed", kind=task.kind, work=task.id, attempts=task.attempts)
                self._give_back(task, error)

    def _finish(self, task: Task, result: Any) -> None:
        recurring = self._recurring.get(task.kind)
        with self._db.begin() as session:
            now = self._db.database_now(session)
            # Fenced first: a late finisher must not write anything.
            if recurring is not None:
                kept = store.mark_waiting(session, task, due_at=now + recurring.every, attempts=0, error=None)
            else:
                kept = store.mark_done(session, task, now=now)
            if not kept:
                raise LeaseLost
            self._handlers[task.kind].finish(session, task, result)

    def _give_back(self, task: Task, error: Exception) -> None:
        reason = type(error).__name__  # the text may quote an address or a token
        recurring = task.kind in self._recurring
        with self._db.begin() as session:
            now = self._db.database_now(session)
            if self._backoff.is_exhausted(task.attempts) and not recurring:
                if store.mark_failed(session, task, now=now, error=reason):
                    failed = WorkFailed(work_id=task.id, work_kind=task.kind, attempts=task.attempts, error=reason)
                    journal.append(session, failed, by="system:worker", source="worker", at=self._clock.now())
                return
            pause = self._backoff.pause(task.attempts, random.random())  # noqa: S311 (jitter, not a secret)
            store.mark_waiting(session, task, due_at=now + pause, attempts=task.attempts, error=reason)


class _Renewal:
    """Keeps a lease alive while its handler runs; a killed process stops renewing and so gives the row up."""

    def __init__(self, db: Database, task: Task, lease: timedelta) -> None:
        self._db = db
        self._task = task
        self._lease = lease
        self._ended = threading.Event()
        self._timer = threading.Timer(lease.total_seconds() / 3, self._renew)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._timer.cancel()

    def _renew(self) -> None:
        while not self._ended.is_set():
            try:
                with self._db.begin() as session:
                    until = self._db.database_now(session) + self._lease
                    if not store.renew(session, self._task, until=until):
                        return
            except Unavailable:
                pass  # tried again below; if the lease runs out meanwhile, the finish is refused
            self._ended.wait(self._lease.total_seconds() / 3)
