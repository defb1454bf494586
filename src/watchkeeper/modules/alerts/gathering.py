"""Brings what many requests hold into few transactions: a storm costs commits by the hundred, not one each."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import TooManyRequests, Unavailable
from watchkeeper.kernel.telemetry import metrics
from watchkeeper.modules.alerts.intake import Intake
from watchkeeper.modules.alerts.model import Signal

# Whoever acknowledges in a storm waits for what is being written: at this size about a tenth of a second.
MOST_AT_ONCE = 200
_RETRY_SECONDS = 5
_log = structlog.get_logger("watchkeeper.alerts")
_taken = metrics.counter("watchkeeper.alerts.signals", "Words of alerts that were taken in.")
_refused = metrics.counter("watchkeeper.alerts.signals_refused", "Words of alerts that were answered 429 or 503.")


@dataclass(frozen=True)
class _Waiting:
    signals: Sequence[Signal]
    future: asyncio.Future[None]


class Gatherer:
    """Takes signals in as they come; while one transaction is written, the next gathers."""

    def __init__(self, db: Database, clock: Clock, intake: Intake, *, after: Callable[[], None] = lambda: None) -> None:
        # On PostgreSQL connections of its own: a flood elsewhere must not keep alerts waiting, nor they the console.
        self._db, self._clock, self._intake, self._after = db.lane("alerts-intake"), clock, intake, after
        self._waiting: deque[_Waiting] = deque()
        self._count = 0
        self._writing: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Signals that are not durable yet."""
        return self._count

    async def accept(self, signals: Sequence[Signal]) -> None:
        """Durable when it returns. Raises TooManyRequests or Unavailable, and then none of them is kept."""
        if not signals:
            return
        if self._count + len(signals) > self._intake.settings.most_waiting and self._count:
            _refused.add(len(signals))
            raise TooManyRequests("Too many alerts are waiting to be written.", retry_after_seconds=_RETRY_SECONDS)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(signals, future))
        self._count += len(signals)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.ensure_future(self._write_all())
        # Shielded: a sender that hangs up now has its alerts written all the same.
        await asyncio.shield(future)

    async def _write_all(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft()]
            size = len(batch[0].signals)
            while self._waiting and size + len(self._waiting[0].signals) <= MOST_AT_ONCE:
                batch.append(self._waiting.popleft())
                size += len(batch[-1].signals)
            try:
                await self._write(batch)
            finally:
                self._count -= size

    async def _write(self, batch: list[_Waiting]) -> None:
        signals = [signal for one in batch for signal in one.signals]
        try:
            await self._take(signals)
        except Unavailable as refusal:
            _refused.add(len(signals))
            _fail(batch, refusal)
        except Exception as error:  # noqa: BLE001 (an edge: one request's trouble must not be that of the others)
            if len(batch) == 1:
                _log.exception("alerts could not be taken in", count=len(signals))
                _fail(batch, error)
                return
            _log.warning("a batch of alerts failed; each request by itself now", requests=len(batch))
            for one in batch:
                await self._write([one])
        else:
            _taken.add(len(signals))
            for one in batch:
                if not one.future.done():
                    one.future.set_result(None)
            self._after()

    async def _take(self, signals: Sequence[Signal]) -> None:
        def take(session: Session) -> None:
            self._intake.take(session, signals, self._clock.now())

        await self._db.write(take)


def _fail(batch: Sequence[_Waiting], error: BaseException) -> None:
    for one in batch:
        if not one.future.done():
            one.future.set_exception(error)
