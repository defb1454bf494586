"""Brings facts to those who listen for them, for as long as the server runs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import structlog

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Unavailable
from watchkeeper.kernel.journal.listeners import Dispatcher, Listener

_EVERY_SECONDS = 0.5
_log = structlog.get_logger("watchkeeper.journal")


class Deliveries:
    """One thread that looks for undelivered facts twice a second; replicas take turns by locks in the database."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        listeners: Sequence[Listener],
        *,
        every_seconds: float = _EVERY_SECONDS,
    ) -> None:
        lane = db.lane("listeners")
        self.listeners = tuple(listeners)
        # One each: who waits for something must not hold up the others.
        self._dispatchers = [Dispatcher(lane, clock, (listener,)) for listener in listeners]
        self._every = every_seconds
        self._stopping = threading.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliver while the block lasts; at its end what is being delivered is brought to its end."""
        thread = threading.Thread(target=self._run, name="listeners", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            await asyncio.to_thread(thread.join, 10)

    def run_once(self) -> int:
        """Deliver what is due; answers how many facts were handled."""
        return sum(self._survive(dispatcher) for dispatcher in self._dispatchers)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.run_once()
            self._stopping.wait(self._every)

    def _survive(self, dispatcher: Dispatcher) -> int:
        try:
            return dispatcher.run_once()
        except Unavailable as refusal:
            _log.warning("facts wait to be delivered", reason=refusal.detail)
        except Exception:  # noqa: BLE001 (an edge: the thread must outlive any surprise)
            _log.exception("delivering facts failed")
        return 0
