"""How busy Duet is through the day, and when members arrive."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

DAY = 86_400.0
_NIGHT = 0.25
_PEAKS = ((12.5, 1.5, 1.0), (20.5, 2.2, 2.0))  # hour, width in hours, height above the night


def busyness(second: float) -> float:
    """Traffic at this second of the day, where 1 is the day's mean: low at night, peaks at noon and in the evening."""
    return _raw(second % DAY / 3600) / _MEAN


def arrivals(source: random.Random, *, mean: float, acceleration: float = 1.0, start: float = 0.0) -> Iterator[float]:
    """Seconds from now at which somebody arrives, for ever: `mean` a second over a day that passes `acceleration` times
    as fast and has reached its second `start`."""
    at = 0.0
    while True:
        # Thinning: candidates at the highest rate of the day, each kept with the chance that its second deserves.
        at += source.expovariate(mean * HIGHEST)
        if source.random() * HIGHEST < busyness(start + at * acceleration):
            yield at


def _raw(hour: float) -> float:
    return _NIGHT + sum(height * _bell(hour, peak, width) for peak, width, height in _PEAKS)


def _bell(hour: float, peak: float, width: float) -> float:
    away = min(abs(hour - peak), 24 - abs(hour - peak))  # the day is a circle
    return math.exp(-((away / width) ** 2) / 2)


_MEAN = sum(_raw(minute / 60) for minute in range(1440)) / 1440
HIGHEST = max(_raw(minute / 60) for minute in range(1440)) / _MEAN * 1.01
