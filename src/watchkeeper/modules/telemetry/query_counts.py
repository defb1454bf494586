"""Counts by minute or hour, for whoever adds them up: requests, what counters grew by, events, and pairs of events.

All times are Unix seconds; ranges begin and end on whole steps.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from watchkeeper.modules.telemetry.model import HOUR, MINUTE, SECOND, Dataset
from watchkeeper.modules.telemetry.parts import FAILED, added
from watchkeeper.modules.telemetry.query import Telemetry, json_path
from watchkeeper.modules.telemetry.query_metrics import changes
from watchkeeper.modules.telemetry.ranges import Range

_LOOKS_BACK = 15 * MINUTE  # how far before a range a counter's last value is looked for
_MOST_EVENTS = 200_000


@dataclass(frozen=True, slots=True)
class RequestCount:
    """Requests of one route, method and latency bucket, in the step that begins at `at`."""

    at: int
    service: str
    environment: str
    route: str
    method: str
    bucket: int
    requests: int
    errors: int
    client_errors: int


def request_counts(
    telemetry: Telemetry, since: int, until: int, *, hourly: bool = False, service: str | None = None
) -> list[RequestCount]:
    """Everything that was served in [since, until), by minute or by hour.

    Of a service that sends both, spans are counted and metrics are not: they speak of the same requests.
    """
    dataset, step = (Dataset.RED_HOUR, HOUR) if hourly else (Dataset.RED_MINUTE, MINUTE)
    rows = telemetry.select(
        dataset,
        _range(since, until),
        (
            f"time // {step} * {step} // {SECOND} AS at",
            "service",
            "coalesce(environment, '') AS environment",
            "route",
            "method",
            "bucket",
            "source",
            *(f"{added(name)} AS {name}" for name in ("requests", "errors", "client_errors")),
        ),
        service=service,
        tail="GROUP BY ALL",
    ).rows
    best: dict[str, str] = {}
    for row in rows:
        best[row[1]] = max(best.get(row[1], ""), row[6])
    return [RequestCount(*row[:6], *row[7:]) for row in rows if row[6] == best[row[1]]]


def minutes_seen(telemetry: Telemetry, since: int, until: int) -> dict[str, set[int]]:
    """By service, the minutes in which anything at all came from it."""
    found: dict[str, set[int]] = defaultdict(set)
    for dataset in (Dataset.RED_MINUTE, Dataset.METRICS, Dataset.LOGS):
        rows = telemetry.select(
            dataset,
            _range(since, until),
            ("service", f"time // {MINUTE} * {MINUTE} // {SECOND} AS at"),
            tail="GROUP BY ALL",
        ).rows
        for service, at in rows:
            found[service].add(at)
    return dict(found)


def counter_growth(
    telemetry: Telemetry, service: str, name: str, where: Mapping[str, str], since: int, until: int
) -> dict[int, float]:
    """By minute, what a counter grew by, over all its series that have these attributes. One that goes back started
    anew. A minute without points is left out."""
    conditions, parameters = _having(where)
    span = _range(since, until)
    rows = telemetry.select(
        Dataset.METRICS,
        Range(max(0, span.since - _LOOKS_BACK), span.until),
        (
            f"time // {MINUTE} * {MINUTE} AS at",
            "hash(attributes, resource) // 2 AS series",
            "if(any_value(temporality) = 'cumulative', arg_max(value, time), sum(value)) AS value",
            "start_time",
            "temporality",
        ),
        where=["name = ?", *conditions],
        parameters=[name, *parameters],
        service=service,
        tail="GROUP BY ALL ORDER BY 1, start_time",
    ).dicts()
    grown: dict[int, float] = defaultdict(float)
    for row, change in changes(rows, lambda row: [row["value"] or 0.0], span.since):
        if row["at"] >= span.since:
            grown[row["at"] // SECOND] += max(0.0, change[0])
    return dict(grown)


def counter_minutes(
    telemetry: Telemetry, service: str, name: str, where: Mapping[str, str], since: int, until: int
) -> set[int]:
    """The minutes in which the value of a counter was told. Of one that is sent as deltas there are none: it is told
    only when it grew, and its silence means nothing."""
    conditions, parameters = _having(where)
    rows = telemetry.select(
        Dataset.METRICS,
        _range(since, until),
        (f"DISTINCT time // {MINUTE} * {MINUTE} // {SECOND} AS at",),
        where=["name = ?", "temporality = 'cumulative'", *conditions],
        parameters=[name, *parameters],
        service=service,
    ).rows
    return {at for (at,) in rows}


def gauge_values(
    telemetry: Telemetry, service: str, name: str, where: Mapping[str, str], since: int, until: int
) -> dict[int, float]:
    """By minute, the largest value that any series of a gauge with these attributes had."""
    conditions, parameters = _having(where)
    rows = telemetry.select(
        Dataset.METRICS,
        _range(since, until),
        (f"time // {MINUTE} * {MINUTE} // {SECOND} AS at", "max(value) AS value"),
        where=["name = ?", "value IS NOT NULL", *conditions],
        parameters=[name, *parameters],
        service=service,
        tail="GROUP BY ALL",
    ).rows
    return dict(rows)


def event_counts(
    telemetry: Telemetry, service: str, name: str, where: Mapping[str, str], since: int, until: int
) -> dict[int, int]:
    """By minute, how many log records had this event name and these attributes."""
    conditions, parameters = _having(where)
    rows = telemetry.select(
        Dataset.LOGS,
        _range(since, until),
        (f"time // {MINUTE} * {MINUTE} // {SECOND} AS at", "count(*) AS events"),
        where=["event_name = ?", *conditions],
        parameters=[name, *parameters],
        service=service,
        tail="GROUP BY ALL",
    ).rows
    return dict(rows)


def event_times(
    telemetry: Telemetry, service: str, name: str, where: Mapping[str, str], key: str, since: float, until: float
) -> list[tuple[str, float]]:
    """(value of the attribute `key`, instant) of each log record with this event name, oldest first."""
    conditions, parameters = _having(where)
    rows = telemetry.select(
        Dataset.LOGS,
        Range(max(0, int(since * SECOND)), int(until * SECOND)),
        ("json_extract_string(attributes, ?) AS key", "time"),
        where=["event_name = ?", *conditions],
        parameters=[name, *parameters],
        columns_parameters=[json_path(key)],
        service=service,
        tail=f"ORDER BY time LIMIT {_MOST_EVENTS}",
    ).rows
    return [(found, at / SECOND) for found, at in rows if found is not None]


def _having(where: Mapping[str, str]) -> tuple[list[str], list[str]]:
    conditions, parameters = [], []
    for name, value in where.items():
        conditions.append("json_extract_string(attributes, ?) = ?")
        parameters += [json_path(name), value]
    return conditions, parameters


def _range(since: int, until: int) -> Range:
    return Range(since * SECOND, until * SECOND)


@dataclass(frozen=True, slots=True)
class VersionCount:
    """Requests of one route that one release of a service answered."""

    version: str
    environment: str
    route: str
    method: str
    requests: int
    errors: int
    client_errors: int
    slow: int
    first: float
    last: float


def version_counts(
    telemetry: Telemetry, service: str, since: int, until: int, *, slower_than: float | None = None
) -> list[VersionCount]:
    """By release, from spans: what of [since, until) is still kept of them. `slow` are those that took longer than so
    many seconds."""
    limit = int((slower_than if slower_than is not None else 1e9) * SECOND)
    rows = telemetry.select(
        Dataset.SPANS,
        _range(since, until),
        (
            "coalesce(version, '') AS version",
            "coalesce(environment, '') AS environment",
            "coalesce(route, '') AS route",
            "coalesce(method, '') AS method",
            "count(*) AS requests",
            f"count(*) FILTER (WHERE {FAILED}) AS errors",
            "count(*) FILTER (WHERE status_code BETWEEN 400 AND 499) AS client_errors",
            f"count(*) FILTER (WHERE duration > {limit}) AS slow",
            f"min(time) / {SECOND} AS first",
            f"max(time) / {SECOND} AS last",
        ),
        where=["kind IN ('server', 'consumer')"],
        service=service,
        tail="GROUP BY ALL",
    ).rows
    return [VersionCount(*row) for row in rows]
