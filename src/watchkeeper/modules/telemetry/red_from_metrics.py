"""Requests, errors and durations of services that send HTTP metrics and no server spans."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import orjson

from watchkeeper.modules.telemetry.model import HOUR, MINUTE, SECOND, Batch, Dataset, bucket_of
from watchkeeper.modules.telemetry.wire_otlp import name_of, whole

# Name and how many nanoseconds one unit is: the current semantic convention, and the one before it.
_NAMES = {"http.server.request.duration": SECOND, "http.server.duration": SECOND // 1000}
_MOST_SERIES = 20_000


class RedFromMetrics:
    """Turns duration histograms into rollup rows. Cumulative ones are differenced against the point before, so the
    first point after a start only sets the baseline; a counter that went back started anew."""

    def __init__(self) -> None:
        self._last: dict[tuple[Any, ...], tuple[int, list[int], float]] = {}

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
        for (lower, upper), count in zip(_edges(point["bounds"]), counts, strict=True):
            if count <= 0:
                continue
            middle = int((lower + upper) / 2 * unit)
            yield {
                "time": point["time"],
                "service": point["service"],
                "environment": point["environment"],
                "route": name_of(attributes.get("http.route")) or "",
                "method": name_of(attributes.get("http.request.method") or attributes.get("http.method")) or "",
                "source": "metrics",
                "bucket": bucket_of(middle),
                "requests": count,
                "errors": count if status >= 500 else 0,
                "client_errors": count if 400 <= status < 500 else 0,
                "duration_sum": int(total * unit * count / requests),
                "duration_max": int(upper * unit),
            }

    def _delta(self, point: dict[str, Any]) -> tuple[list[int], float]:
        counts, total = list(point["buckets"]), float(point["sum"] or 0.0)
        if point["temporality"] != "cumulative":
            return counts, total
        series = tuple(point[name] for name in ("service", "environment", "name", "resource", "attributes"))
        before = self._last.get(series)
        if before is None and len(self._last) >= _MOST_SERIES:
            self._last.clear()
        self._last[series] = (point["start_time"] or 0, counts, total)
        if before is None:
            return [0] * len(counts), 0.0
        restarted = before[0] != (point["start_time"] or 0) or len(before[1]) != len(counts)
        if restarted or any(now < then for now, then in zip(counts, before[1], strict=True)):
            return counts, total
        return [now - then for now, then in zip(counts, before[1], strict=True)], total - before[2]


def _point(metrics: Batch, number: int) -> dict[str, Any]:
    return {name: values[number] for name, values in metrics.columns.items()}


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
            held[place] += row[name]
        held[4] = max(held[4], row["duration_max"])
    batch = Batch(dataset)
    for key, held in sums.items():
        for name, value in zip(batch.columns, (*key, *held), strict=True):
            batch.columns[name].append(value)
    return batch
