"""What queries answer: frozen, in nanoseconds and counts; rates and shares are computed from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from watchkeeper.modules.telemetry.model import SECOND, percentile

DEGRADED_ERRORS = 0.01
FAILING_ERRORS = 0.05
SILENT_AFTER = 300 * SECOND
SETTLED_AFTER = 20 * SECOND


class Health(StrEnum):
    """How a service does, worst first. Thresholds are plain shares of failed requests until it has objectives."""

    FAILING = "failing"
    DEGRADED = "degraded"
    SILENT = "silent"
    OK = "ok"


@dataclass
class Red:
    """Requests, errors and durations of one group over one stretch of time."""

    requests: int = 0
    errors: int = 0
    client_errors: int = 0
    duration_sum: int = 0
    duration_max: int = 0
    buckets: dict[int, int] = field(default_factory=dict)

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a rollup row: one latency bucket."""
        self.requests += row["requests"]
        self.errors += row["errors"]
        self.client_errors += row["client_errors"]
        self.duration_sum += row["duration_sum"]
        self.duration_max = max(self.duration_max, row["duration_max"])
        self.buckets[row["bucket"]] = self.buckets.get(row["bucket"], 0) + row["requests"]

    def merge(self, other: Red) -> None:
        """Add what another group counted."""
        self.requests += other.requests
        self.errors += other.errors
        self.client_errors += other.client_errors
        self.duration_sum += other.duration_sum
        self.duration_max = max(self.duration_max, other.duration_max)
        for bucket, count in other.buckets.items():
            self.buckets[bucket] = self.buckets.get(bucket, 0) + count

    @property
    def error_share(self) -> float | None:
        """Failed of all, 0..1; None without requests."""
        return self.errors / self.requests if self.requests else None

    def quantile(self, share: float) -> float | None:
        """Nanoseconds, at most 10 % off; never above the longest seen."""
        found = percentile(self.buckets.items(), share)
        return None if found is None else min(found, float(self.duration_max))

    def per_second(self, length: int) -> float:
        """Requests a second over `length` nanoseconds."""
        return self.requests / (length / SECOND)


@dataclass(frozen=True)
class RedPoint:
    """One step of a series, of which `length` nanoseconds lie in the range.

    `red` is None where nothing was measured: before the first and after the last data.
    """

    time: int
    red: Red | None
    length: int

    @property
    def rate(self) -> float | None:
        """Requests a second."""
        return None if self.red is None else self.red.per_second(self.length)


@dataclass(frozen=True)
class ServiceRed:
    """One service over the range, of which `length` nanoseconds were measured, and along it."""

    service: str
    red: Red
    points: tuple[RedPoint, ...]
    newest: int
    length: int
    health: Health

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.red.per_second(self.length)

    @property
    def rates(self) -> list[float | None]:
        """Requests a second along the range; None where nobody measured."""
        return [rate for _, rate in settled_rates(self.points)]


@dataclass(frozen=True)
class RouteRed:
    """One route of a service; `route` is '' for requests that named none. `length` is how long the service was
    measured."""

    route: str
    method: str
    red: Red
    length: int

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.red.per_second(self.length)


@dataclass(frozen=True)
class SpanRow:
    """A span as lists show it."""

    time: int
    duration: int
    trace_id: str
    span_id: str
    service: str
    name: str
    kind: str
    status: str
    route: str | None
    method: str | None
    status_code: int | None


@dataclass(frozen=True)
class LogRow:
    """A log line."""

    time: int
    service: str
    environment: str
    severity: int
    severity_text: str | None
    body: str
    trace_id: str | None
    span_id: str | None
    attributes: Mapping[str, Any]
    scope: str | None
    resource: Mapping[str, Any]


def settled_rates(points: Sequence[RedPoint]) -> list[tuple[int, float | None]]:
    """(time, requests a second) of each point, without a last step that has only just begun.

    Senders deliver some seconds late, so the rate of a step that is younger than that is too low, and a chart that
    always ends in a dip looks like an outage.
    """
    rates = [(point.time, point.rate) for point in points]
    measured_points = sum(point.red is not None for point in points)
    if measured_points > 1 and points[-1].length < SETTLED_AFTER:
        rates[-1] = (points[-1].time, None)
    return rates


def measured(first: int | None, until: int, length: int) -> int:
    """Nanoseconds of a range that were measured: from the first data on. What was not measured was not zero."""
    return length if first is None else max(60 * SECOND, min(length, until - first))


def health_of(red: Red, newest: int, now: int) -> Health:
    """From the share of failed requests, and from whether it still sends."""
    share = red.error_share or 0.0
    if now - newest > SILENT_AFTER:
        return Health.SILENT
    if share >= FAILING_ERRORS:
        return Health.FAILING
    return Health.DEGRADED if share >= DEGRADED_ERRORS else Health.OK
