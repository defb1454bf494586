"""How ready a service is: checks that other modules bring, run at once and remembered for lists."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog

from watchkeeper.kernel.errors import Refusal
from watchkeeper.modules.catalog.model import Finding, Outcome, Scorecard, Service, scorecard

FRESH_SECONDS = 30.0
_PATIENCE_SECONDS = 5.0
_log = structlog.get_logger("watchkeeper.catalog")


class ReadinessCheck(Protocol):
    """One line of a scorecard. Modules above implement it; `app` registers it."""

    @property
    def key(self) -> str:
        """Stable, such as `telemetry.traces`."""
        ...

    async def check(self, service: Service) -> Finding:
        """What is found for this service now."""
        ...


@dataclass(frozen=True)
class _Remembered:
    card: Scorecard
    of: datetime
    at: float


class ReadinessChecks:
    """The part that knows every check."""

    def __init__(self, checks: Sequence[ReadinessCheck] = ()) -> None:
        self.checks = tuple(checks)
        self._cards: dict[str, _Remembered] = {}
        self._running: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def scorecard(self, service: Service, now: float) -> Scorecard:
        """Every check, run now. One that fails or takes too long counts as unknown. `now` is the monotonic clock's."""
        card = scorecard(list(await asyncio.gather(*(_ask(check, service) for check in self.checks))))
        self._cards[service.name] = _Remembered(card, service.updated_at, now)
        return card

    async def scorecards(self, services: Iterable[Service], now: float, *, patience: float) -> dict[str, Scorecard]:
        """What is known of many services after at most `patience` seconds; the rest is found out meanwhile.

        Nobody waits for a hundred services' checks: a list shows what is there and asks again.
        """
        services = list(services)
        waiting = [one for one in services if one.name not in self._running and not self._is_fresh(one, now)]
        if waiting:
            self._running.update(one.name for one in waiting)
            task = asyncio.get_running_loop().create_task(self._find_out(waiting, now))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            await asyncio.wait({task}, timeout=patience)
        return {one.name: self._cards[one.name].card for one in services if one.name in self._cards}

    async def _find_out(self, services: Sequence[Service], now: float) -> None:
        try:
            # One service after the other: the checks' queries must not crowd out those of people.
            for service in services:
                await self.scorecard(service, now)
        finally:
            self._running.difference_update(one.name for one in services)

    def _is_fresh(self, service: Service, now: float) -> bool:
        known = self._cards.get(service.name)
        return known is not None and known.of == service.updated_at and now - known.at < FRESH_SECONDS


async def _ask(check: ReadinessCheck, service: Service) -> Finding:
    try:
        return await asyncio.wait_for(check.check(service), _PATIENCE_SECONDS)
    except TimeoutError:
        return _unknown(check, "It took too long to find out.")
    except Refusal as refusal:
        return _unknown(check, refusal.detail)
    except Exception:  # noqa: BLE001 (checks come from many modules: a bug in one must not take every page with it)
        _log.exception("readiness check failed", check=check.key, service=service.name)
        return _unknown(check, "It could not be checked; the log says why.")


def _unknown(check: ReadinessCheck, detail: str) -> Finding:
    return Finding(check.key, check.key, Outcome.UNKNOWN, detail)
