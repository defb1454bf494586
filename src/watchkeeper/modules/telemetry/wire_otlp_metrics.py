"""OTLP metric points to rows of the dataset `metrics`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import orjson

from watchkeeper.modules.telemetry.model import LARGEST, Batch, Dataset, Decoded, Signal
from watchkeeper.modules.telemetry.window import Window
from watchkeeper.modules.telemetry.wire_otlp import Sender, attributes_of, clean, name_of

TEMPORALITIES = (None, "delta", "cumulative")
MOST_BUCKETS = 512
_Row = dict[str, Any]


def decode_metrics(request: Any, window: Window) -> Decoded:
    """Rows of all points that can be kept; points outside the window or with broken histograms are rejected."""
    decoded = Decoded(Signal.METRICS, Batch(Dataset.METRICS))
    for of_resource in request.resource_metrics:
        sender = Sender.of(of_resource.resource)
        for of_scope in of_resource.scope_metrics:
            scope = name_of(of_scope.scope.name or None)
            for metric in of_scope.metrics:
                _append_metric(decoded, metric, sender, scope, window)
    return decoded


def _append_metric(decoded: Decoded, metric: Any, sender: Sender, scope: str | None, window: Window) -> None:
    kind = metric.WhichOneof("data")
    if kind is None or not metric.name:
        decoded.reject("a metric has no name or no data")
        return
    data = getattr(metric, kind)
    shared = {
        "service": sender.service,
        "environment": sender.environment,
        "version": sender.version,
        "resource": sender.resource,
        "scope": scope,
        "name": clean(metric.name),
        "unit": clean(metric.unit, 64) or None,
        "type": kind,
        "temporality": _temporality(data),
        "monotonic": data.is_monotonic if kind == "sum" else None,
    }
    read = _READERS[kind]
    columns = decoded.batch.columns
    for point in data.data_points:
        if not window.holds(point.time_unix_nano):
            decoded.reject(window.complaint("metric point", point.time_unix_nano))
            continue
        row = read(point)
        if row is None:
            decoded.reject("a histogram's buckets don't fit its bounds")
            continue
        row |= shared
        row["time"] = point.time_unix_nano
        row["start_time"] = start if 0 < (start := point.start_time_unix_nano) <= LARGEST else None
        row["attributes"] = orjson.dumps(attributes_of(point.attributes), option=orjson.OPT_SORT_KEYS).decode()
        for name, values in columns.items():
            values.append(row.get(name))


def _temporality(data: Any) -> str | None:
    number = getattr(data, "aggregation_temporality", 0)
    return TEMPORALITIES[number] if number < len(TEMPORALITIES) else None


def _number(point: Any) -> _Row:
    kind = point.WhichOneof("value")
    value = float(getattr(point, kind)) if kind else None
    return {"value": value if value is not None and math.isfinite(value) else None}


def _histogram(point: Any) -> _Row | None:
    bounds, buckets = list(point.explicit_bounds), list(point.bucket_counts)
    fits = len(buckets) == len(bounds) + 1 or not buckets
    if not fits or len(buckets) > MOST_BUCKETS or bounds != sorted(bounds) or not all(map(math.isfinite, bounds)):
        return None
    return _summed(point) | {"bounds": bounds, "buckets": _counts(buckets)}


def _exponential(point: Any) -> _Row | None:
    """As a histogram with explicit bounds: bucket i of scale s ends at 2^((i + 1) / 2^s)."""
    if len(point.positive.bucket_counts) + len(point.negative.bucket_counts) > MOST_BUCKETS or abs(point.scale) > 20:
        return None
    growth = 2.0 ** (2.0**-point.scale)
    bounds, buckets = [0.0], [sum(point.negative.bucket_counts) + point.zero_count]
    for number, count in enumerate(point.positive.bucket_counts):
        exponent = (point.positive.offset + number + 1) * math.log2(growth)
        if abs(exponent) > 1000:
            return None
        bounds.append(2.0**exponent)
        buckets.append(count)
    return _summed(point) | {"bounds": bounds, "buckets": _counts([*buckets, 0])}


def _summary(point: Any) -> _Row:
    return {"count": min(point.count, LARGEST), "sum": _finite(point.sum)}


def _summed(point: Any) -> _Row:
    row: _Row = {"count": min(point.count, LARGEST)}
    for name in ("sum", "min", "max"):
        row[name] = _finite(getattr(point, name)) if point.HasField(name) else None
    return row


def _counts(buckets: list[int]) -> list[int]:
    return [min(count, LARGEST) for count in buckets]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


_READERS: dict[str, Callable[[Any], _Row | None]] = {
    "gauge": _number,
    "sum": _number,
    "histogram": _histogram,
    "exponential_histogram": _exponential,
    "summary": _summary,
}
