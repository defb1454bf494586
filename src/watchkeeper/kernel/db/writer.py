"""The one thread that writes to SQLite: queued verbs share a commit, and each has a savepoint of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from watchkeeper.kernel.db.faults import faults_as_refusals
from watchkeeper.kernel.errors import Unavailable

# A commit costs one fsync; more verbs than this in one would make the first of them wait for the last.
_LARGEST_BATCH = 256


@dataclass
class _Job:
    verb: Callable[[Session], Any]
    future: Future[Any]
    result: Any = None
    failure: BaseException | None = None


class Writer:
    """Runs verbs one after the other on one connection, as many to a commit as wait for one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Verbs that have not begun."""
        return self._jobs.qsize()

    def submit(self, verb: Callable[[Session], Any]) -> Future[Any]:
        """A future that is done once the verb's transaction is durable, or has failed and left nothing."""
        future: Future[Any] = Future()
        if self._closed:
            future.set_exception(Unavailable("The database is closed."))
        else:
            self._jobs.put(_Job(verb, future))
        return future

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """A write transaction in the caller's thread. Raises RuntimeError when that thread is in one already."""
        if self._owner == threading.get_ident():
            raise RuntimeError("this thread is already in a write transaction; hand its session on instead")
        with self._lock:
            self._owner = threading.get_ident()
            try:
                with faults_as_refusals(), Session(self._engine) as session, session.begin():
                    yield session
            finally:
                self._owner = None

    def close(self) -> None:
        """Finish what is queued and stop the thread."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            batch = [job]
            last = False
            while len(batch) < _LARGEST_BATCH:
                try:
                    following = self._jobs.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    last = True
                    break
                batch.append(following)
            # A caller that was cancelled while it queued no longer wants the change.
            self._commit_together([one for one in batch if one.future.set_running_or_notify_cancel()])
            if last:
                return

    def _commit_together(self, batch: list[_Job]) -> None:
        if not batch:
            return
        try:
            with self.begin() as session:
                for job in batch:
                    _attempt(session, job)
        except Exception as failure:  # noqa: BLE001 (the commit failed for all of them; each caller is told)
            for job in batch:
                job.future.set_exception(job.failure or failure)
            return
        for job in batch:
            if job.failure is not None:
                job.future.set_exception(job.failure)
            else:
                job.future.set_result(job.result)


def _attempt(session: Session, job: _Job) -> None:
    try:
        with session.begin_nested():
            try:
                with faults_as_refusals():
                    job.result = job.verb(session)
            except Exception as failure:
                job.failure = failure
                raise
    except Exception as failure:  # noqa: BLE001 (handed to the caller; the others of the batch go on)
        job.failure = job.failure or failure
        if failure is not job.failure:
            # The savepoint is gone: the engine gave up the whole transaction, as a full disk makes it do.
            raise job.failure from None
