"""What telemetry is made of: datasets and their columns, batches of rows, and the latency buckets."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

LARGEST = 2**63 - 1  # what a column of whole numbers can hold

UNKNOWN_SERVICE = "unknown_service"
OTHER_ROUTE = "(other)"


class Signal(StrEnum):
    """The three things OTLP carries; also the last part of each intake path."""

    TRACES = "traces"
    METRICS = "metrics"
    LOGS = "logs"


class Dataset(StrEnum):
    """A table of Parquet parts."""

    SPANS = "spans"
    LOGS = "logs"
    METRICS = "metrics"
    RED_MINUTE = "red_minute"
    RED_HOUR = "red_hour"

    @property
    def is_rollup(self) -> bool:
        return self in (Dataset.RED_MINUTE, Dataset.RED_HOUR)


DATASET_OF = {Signal.TRACES: Dataset.SPANS, Signal.METRICS: Dataset.METRICS, Signal.LOGS: Dataset.LOGS}

# `numbers` is a list of numbers, kept as JSON text: only charts of one metric read it.
Kind = Literal["text", "int", "small", "float", "bool", "numbers"]

# All times and durations are nanoseconds, times since 1970 in UTC. Text may be null unless a query relies on it.
COLUMNS: dict[Dataset, dict[str, Kind]] = {
    Dataset.SPANS: {
        "time": "int",
        "duration": "int",
        "trace_id": "text",
        "span_id": "text",
        "parent_span_id": "text",
        "service": "text",
        "environment": "text",
        "version": "text",
        "name": "text",
        "kind": "text",
        "status": "text",
        "status_message": "text",
        "route": "text",
        "method": "text",
        "status_code": "small",
        "peer": "text",
        "attributes": "text",
        "resource": "text",
        "events": "text",
        "links": "text",
        "scope": "text",
    },
    Dataset.LOGS: {
        "time": "int",
        "observed": "int",
        "service": "text",
        "environment": "text",
        "version": "text",
        "severity": "small",
        "severity_text": "text",
        "body": "text",
        "trace_id": "text",
        "span_id": "text",
        "event_name": "text",
        "attributes": "text",
        "resource": "text",
        "scope": "text",
    },
    Dataset.METRICS: {
        "time": "int",
        "start_time": "int",
        "service": "text",
        "environment": "text",
        "version": "text",
        "name": "text",
        "unit": "text",
        "type": "text",
        "temporality": "text",
        "monotonic": "bool",
        "attributes": "text",
        "value": "float",
        "count": "int",
        "sum": "float",
        "min": "float",
        "max": "float",
        "bounds": "numbers",
        "buckets": "numbers",
        "resource": "text",
        "scope": "text",
    },
    Dataset.RED_MINUTE: {},
    Dataset.RED_HOUR: {},
}

# One row counts the requests of one latency bucket, so that rollups add up by adding rows, whatever split them.
COLUMNS[Dataset.RED_MINUTE] = COLUMNS[Dataset.RED_HOUR] = {
    "time": "int",
    "service": "text",
    "environment": "text",
    "route": "text",
    "method": "text",
    "source": "text",
    "bucket": "small",
    "requests": "int",
    "errors": "int",
    "client_errors": "int",
    "duration_sum": "int",
    "duration_max": "int",
}
RED_KEY = ("time", "service", "environment", "route", "method", "source", "bucket")
RED_SUMS = ("requests", "errors", "client_errors", "duration_sum")

# Buckets grow by a tenth: the geometric middle of one is at most 4.9 % away from anything in it.
BUCKET_BASE = 1.1
BUCKET_UNIT = 1_000  # nanoseconds: bucket 0 is everything up to 1 µs
LAST_BUCKET = 255  # about 10 hours


def bucket_of(duration: int) -> int:
    """The bucket of a duration in nanoseconds: the least b with duration <= 1 µs x 1.1^b, cut to 0..255."""
    if duration <= BUCKET_UNIT:
        return 0
    return min(LAST_BUCKET, math.ceil(math.log(duration / BUCKET_UNIT) / math.log(BUCKET_BASE) - 1e-9))


def bucket_bounds(bucket: int) -> tuple[float, float]:
    """The durations in nanoseconds (above, up to) that a bucket holds."""
    upper = BUCKET_UNIT * BUCKET_BASE**bucket
    return (0.0 if bucket == 0 else upper / BUCKET_BASE, upper)


def percentile(counts: Iterable[tuple[int, int]], share: float) -> float | None:
    """The `share` quantile (0..1) in nanoseconds of (bucket, count) pairs; None of nothing.

    Interpolated inside the bucket, so never further from the true value than the bucket is wide: 10 %.
    """
    ordered = sorted((bucket, count) for bucket, count in counts if count > 0)
    total = sum(count for _, count in ordered)
    if total == 0:
        return None
    rank = share * total
    seen = 0
    for bucket, count in ordered:
        if seen + count >= rank:
            lower, upper = bucket_bounds(bucket)
            return lower + (upper - lower) * max(0.0, rank - seen) / count
        seen += count
    return bucket_bounds(ordered[-1][0])[1]


@dataclass
class Batch:
    """Rows of one dataset, column by column, all of the same length."""

    dataset: Dataset
    columns: dict[str, list[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.columns:
            self.columns = {name: [] for name in COLUMNS[self.dataset]}

    def __len__(self) -> int:
        return len(self.columns["time"])

    def extend(self, other: Batch) -> None:
        """Take over the rows of another batch of the same dataset."""
        for name, values in other.columns.items():
            self.columns[name].extend(values)

    def take(self, rows: Sequence[int]) -> Batch:
        """The rows at these positions."""
        return Batch(self.dataset, {name: [values[n] for n in rows] for name, values in self.columns.items()})

    def by_hour(self) -> dict[int, Batch]:
        """Split by the hour (nanoseconds since 1970, a multiple of an hour) that each row's time is in."""
        times = self.columns["time"]
        if not times:
            return {}
        if min(times) // HOUR == max(times) // HOUR:
            return {times[0] // HOUR * HOUR: self}
        rows: dict[int, list[int]] = {}
        for number, time in enumerate(times):
            rows.setdefault(time // HOUR * HOUR, []).append(number)
        return {hour: self.take(numbers) for hour, numbers in rows.items()}


@dataclass
class Decoded:
    """One OTLP request as rows, with what was not taken and why."""

    signal: Signal
    batch: Batch
    rejected: int = 0
    reason: str = ""
    bytes: int = 0

    def reject(self, reason: str, count: int = 1) -> None:
        """Count records that are not stored; the first reason is the one that is told."""
        self.rejected += count
        self.reason = self.reason or reason


@dataclass(frozen=True)
class Part:
    """One immutable Parquet file. `level` is 0 as flushed and grows as parts are merged."""

    id: str
    dataset: Dataset
    level: int
    min_time: int
    max_time: int
    rows: int
    bytes: int
    path: str
    services: tuple[str, ...] | None
