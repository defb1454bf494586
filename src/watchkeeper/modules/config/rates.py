"""How often one token may ask."""

from __future__ import annotations

import math

from watchkeeper.kernel.clock import Clock

_MOST = 10_000


class Rates:
    """A bucket for each token that fills with `per_second` and holds as many; 0 lets everybody ask as they like."""

    def __init__(self, clock: Clock, per_second: int) -> None:
        self._clock, self._per_second = clock, per_second
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait(self, actor: str) -> int:
        """0 when this one may ask now, else in how many whole seconds."""
        if self._per_second == 0:
            return 0
        now = self._clock.monotonic()
        left, since = self._buckets.get(actor, (float(self._per_second), now))
        left = min(float(self._per_second), left + (now - since) * self._per_second)
        if left < 1:
            return max(1, math.ceil((1 - left) / self._per_second))
        if len(self._buckets) >= _MOST:
            self._buckets.clear()
        self._buckets[actor] = (left - 1, now)
        return 0
