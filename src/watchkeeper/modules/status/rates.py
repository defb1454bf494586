"""How often one network address may ask for a subscription."""

from __future__ import annotations

import math

from watchkeeper.kernel.clock import Clock
from watchkeeper.modules.status.errors import AskedTooOften

_HOUR = 3_600.0
_MOST_KNOWN = 10_000


class Rates:
    """A bucket for each address, which fills within an hour. Each replica counts for itself, in memory only."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def require(self, who: str, per_hour: int) -> None:
        """Raises AskedTooOften when one more is one too many."""
        now, most = self._clock.monotonic(), float(per_hour)
        left, since = self._buckets.get(who, (most, now))
        left = min(most, left + (now - since) * most / _HOUR)
        if left < 1:
            wait = math.ceil((1 - left) * _HOUR / most)
            raise AskedTooOften("Too many subscriptions were asked for from here.", retry_after_seconds=wait)
        if who not in self._buckets and len(self._buckets) >= _MOST_KNOWN:
            self._buckets.clear()
        self._buckets[who] = (left - 1, now)
