"""Requests, errors and durations of services that send HTTP metrics and no server spans."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from watchkeeper.modules.telemetry.model import HOUR, LARGEST, MINUTE, SECOND, Batch, Dataset, bucket_of
from watchkeeper.modules.telemetry.wire_otlp import name_of, whole

# Name and how many nanoseconds one unit is: the current semantic convention, and the one before it.
_NAMES = {"http.server.request.duration": SECOND, "http.server.duration": SECOND // 1000}
_MOST_SERIES = 20_000
# Nobody serves more in one bucket between two exports, and nothing takes longer: larger figures are a broken sender's.
_MOST_REQUESTS = 10**8
_LONGEST = 30 * 24 * HOUR


@dataclass(frozen=True)
class _Before:
    time: int
    counts: list[int]
    total: float


class RedFromMetrics:
    """Turns duration histograms into rollup rows; cumulative ones are differenced against the point before.

    The first points of a sender only set the baseline. A series that appears later began later (the first error of a
    route, a process that started anew) and counts from zero. A point that is not newer than the one before is ignored.
    """

    def __init__(self) -> None:
        self._last: dict[tuple[Any, ...], _Before] = {}
        self._senders: dict[tuple[Any, ...], int] = {}

    @contextmanager
    def tentatively(self) -> Iterator[None]:
        """What is learned inside is forgotten when it fails: the same points will come again."""
        last, senders = dict(self._last), dict(self._senders)
        try:
            yield
        except BaseException:
            self._last, self._senders = last, senders
            raise

    def rollups(self, metrics: Batch) -> list[Batch]:
        """Rows of `red_minute` and `red_hour` for the histogram points in this batch; empty ones are left out."""
        names = metrics.columns["name"]
        rows = [row for n, name in enumerate(names) if name in _NAMES for row in self._rows(_point(metrics, n))]
        return [batch for batch in (_summed(rows, Dataset.RED_MINUTE), _summed(rows, Dataset.RED_HOUR)) if len(batch)]

    def _rows(self, point: dict[str, Any]) -> Iterable[dict[str, Any]]:
        if not point["buckets"] or point["bounds"] is None:
            return
        counts, total = self._delta(point)
        attributes = orjson.loads(point["attributes"])
        status = whole(attributes.get("http.response.status_code") or attributes.get("http.status_code")) or 0
        unit = _NAMES[point["name"]]
        requests = sum(counts)
        for (lower, upper), given in zip(_edges(point["bounds"]), counts, strict=True):
            if given <= 0:
                continue
            count = min(given, _MOST_REQUESTS)
            yield {
                "time": point["time"],
                "service": point["service"],
                "environment": point["environment"],
                "route": name_of(attributes.get("http.route")) or "",
                "method": name_of(attributes.get("http.request.method") or attributes.get("http.method")) or "",
                "source": "metrics",
                "bucket": bucket_of(_nanoseconds((lower + upper) / 2 * unit)),
                "requests": count,
                "errors": count if status >= 500 else 0,
                "client_errors": count if 400 <= status < 500 else 0,
                "duration_sum": _nanoseconds(total * unit / requests) * count,
                "duration_max": _nanoseconds(upper * unit),
            }

    def _delta(self, point: dict[str, Any]) -> tuple[list[int], float]:
        counts, total = list(point["buckets"]), float(point["sum"] or 0.0)
        if point["temporality"] != "cumulative":
            return counts, total
        nothing = [0] * len(counts), 0.0
        sender = tuple(point[name] for name in ("service", "environment", "name", "resource"))
        # With the start time: two processes that look alike are still two series.
        series = (*sender, point["attributes"], point["start_time"])
        before = self._last.get(series)
        if before is not None and point["time"] <= before.time:
            return nothing
        if len(self._last) >= _MOST_SERIES:
            self._last.clear()
            self._senders.clear()
        self._last[series] = _Before(point["time"], counts, total)
        known_since = self._senders.setdefault(sender, point["time"])
        if before is None:
            return (counts, total) if known_since + SECOND < point["time"] else nothing
        if len(before.counts) != len(counts) or any(a < b for a, b in zip(counts, before.counts, strict=True)):
            return counts, total
        return [a - b for a, b in zip(counts, before.counts, strict=True)], total - before.total


def _point(metrics: Batch, number: int) -> dict[str, Any]:
    return {name: values[number] for name, values in metrics.columns.items()}


def _nanoseconds(value: float) -> int:
    return int(min(max(value, 0.0), _LONGEST))


def _edges(bounds: list[float]) -> list[tuple[float, float]]:
    """Lower and upper end of each bucket; the last one has no upper end and is taken at its lower."""
    lowers = [0.0, *bounds]
    uppers = [*bounds, bounds[-1] if bounds else 0.0]
    return list(zip(lowers, uppers, strict=True))


def _summed(rows: list[dict[str, Any]], dataset: Dataset) -> Batch:
    step = MINUTE if dataset is Dataset.RED_MINUTE else HOUR
    sums: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
    for row in rows:
        key = (
            row["time"] // step * step,
            *(row[k] for k in ("service", "environment", "route", "method", "source", "bucket")),
        )
        held = sums[key]
        for place, name in enumerate(("requests", "errors", "client_errors", "duration_sum")):
            held[place] = min(held[place] + row[name], LARGEST)
        held[4] = max(held[4], row["duration_max"])
    batch = Batch(dataset)
    for key, held in sums.items():
        for name, value in zip(batch.columns, (*key, *held), strict=True):
            batch.columns[name].append(value)
    return batch
