"""What other modules may ask of telemetry: how many requests there were, how they ended, and how long they took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock, from_unix_nano, to_unix_nano
from watchkeeper.modules.telemetry import query_red, store
from watchkeeper.modules.telemetry.answers import Red
from watchkeeper.modules.telemetry.errors import QueryTooSlow
from watchkeeper.modules.telemetry.model import DAY, HOUR, MINUTE, bucket_bounds, percentile
from watchkeeper.modules.telemetry.places import SEEN_WITHIN
from watchkeeper.modules.telemetry.query import Telemetry
from watchkeeper.modules.telemetry.query_counts import (
    RequestCount,
    VersionCount,
    counter_growth,
    counter_minutes,
    event_counts,
    event_times,
    gauge_values,
    minutes_seen,
    request_counts,
    version_counts,
)
from watchkeeper.modules.telemetry.ranges import Range

__all__ = [
    "Latency",
    "QueryTooSlow",
    "RequestCount",
    "Requests",
    "Telemetry",
    "VersionCount",
    "Window",
    "counter_growth",
    "counter_minutes",
    "event_counts",
    "event_times",
    "gauge_values",
    "minutes_seen",
    "newest_request",
    "places_in_use",
    "request_counts",
    "requests",
    "requests_along",
    "share_below",
    "version_counts",
]


@dataclass(frozen=True)
class Latency:
    """How long requests took, as counts of buckets that each are a tenth wider than the one before."""

    buckets: Mapping[int, int]
    longest: timedelta

    @property
    def count(self) -> int:
        return sum(self.buckets.values())

    def within(self, limit: timedelta) -> float:
        """How many took at most `limit`. Exact where that is a bucket's bound; else a share of one bucket is
        estimated, which is at most the requests within 10 % of the limit."""
        nanoseconds = limit / timedelta(microseconds=1) * 1_000
        return sum(count * share_below(bucket, nanoseconds) for bucket, count in self.buckets.items())

    def percentile(self, share: float) -> timedelta | None:
        """The `share` quantile (0..1), at most 10 % off; None of nothing."""
        found = percentile(self.buckets.items(), share)
        return None if found is None else min(timedelta(microseconds=found / 1_000), self.longest)


@dataclass(frozen=True)
class Requests:
    """Requests of one group, by how they ended.

    `failed` are answers with 5xx and spans that failed without a status code: the service's fault. `refused` are 4xx:
    the caller's.
    """

    total: int
    failed: int
    refused: int
    latency: Latency

    @property
    def good(self) -> int:
        """All that did not fail."""
        return self.total - self.failed


@dataclass(frozen=True)
class Window:
    """One stretch of time. `requests` is None where nothing was measured, which is not the same as no requests."""

    since: datetime
    until: datetime
    requests: Requests | None


def requests(
    telemetry: Telemetry,
    service: str,
    since: datetime,
    until: datetime,
    *,
    routes: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
    environment: str | None = None,
) -> Requests:
    """The requests that a service served in [since, until), which begin and end on whole minutes.

    `routes` and `methods` keep those of any of them; `environment` those of one. Raises QueryTooSlow or Unavailable.
    """
    total = Red()
    for piece in _pieces(_minutes(since, until)):
        for route in query_red.routes(telemetry, service, piece, environment=environment):
            if (routes is None or route.route in routes) and (methods is None or route.method in methods):
                total.merge(route.red)
    return _frozen(total)


def requests_along(
    telemetry: Telemetry,
    service: str,
    since: datetime,
    until: datetime,
    step: timedelta,
    *,
    route: str | None = None,
    environment: str | None = None,
) -> list[Window]:
    """The same in steps of whole minutes, counted from 1970 on: the first and the last may be cut short.

    Ranges over three days in steps of hours are told by whole hours.
    """
    width = max(MINUTE, step // timedelta(microseconds=1) * 1_000 // MINUTE * MINUTE)
    _, span = query_red.whole(_minutes(since, until), width)
    points = query_red.series(telemetry, service, span, width, route=route, environment=environment)
    return [
        Window(
            from_unix_nano(max(point.time, span.since)),
            from_unix_nano(min(point.time + width, span.until)),
            None if point.red is None else _frozen(point.red),
        )
        for point in points
    ]


def newest_request(telemetry: Telemetry, service: str, since: datetime, until: datetime) -> datetime | None:
    """When the newest span of the service that is stored began, of the last two minutes of the range, else the minute
    of its newest request. None: nothing was measured, and nobody can say how the service does."""
    span = _minutes(since, until)
    exact = query_red.newest_spans(telemetry, span, service).get(service)
    if exact is not None:
        return from_unix_nano(exact)
    measured = [p.time for p in query_red.series(telemetry, service, span, MINUTE) if p.red is not None]
    return from_unix_nano(measured[-1]) if measured else None


def _minutes(since: datetime, until: datetime) -> Range:
    start = to_unix_nano(since) // MINUTE * MINUTE
    end = to_unix_nano(until) // MINUTE * MINUTE
    return Range(start, max(end, start + MINUTE))


def _pieces(span: Range) -> list[Range]:
    """The range as its whole hours, which are few to count however long it is, and the minutes at both ends."""
    first, last = -(-span.since // HOUR) * HOUR, span.until // HOUR * HOUR
    if span.length <= DAY or first >= last:
        return [span]
    pieces = [Range(span.since, first), Range(first, last), Range(last, span.until)]
    return [piece for piece in pieces if piece.length > 0]


def _frozen(red: Red) -> Requests:
    latency = Latency(MappingProxyType(dict(red.buckets)), timedelta(microseconds=red.duration_max / 1_000))
    return Requests(red.requests, red.errors, red.client_errors, latency)


def share_below(bucket: int, nanoseconds: float) -> float:
    """Which share of a latency bucket's requests took at most so long, as if they were evenly spread in it."""
    lower, upper = bucket_bounds(bucket)
    return min(1.0, max(0.0, (nanoseconds - lower) / (upper - lower)))


def places_in_use(session: Session, clock: Clock) -> int:
    """Folders that parts were stored in within a day; each replica reads only its own."""
    return len(store.places(session, since=clock.now() - SEEN_WITHIN))
