"""Requests, errors and durations, from the rollups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import to_unix_nano
from watchkeeper.modules.catalog import public as catalog
from watchkeeper.modules.telemetry.answers import Health, Red, RedPoint, RouteRed, ServiceRed, health_of, measured
from watchkeeper.modules.telemetry.model import DAY, HOUR, MINUTE, RED_SUMS, Dataset
from watchkeeper.modules.telemetry.parts import added
from watchkeeper.modules.telemetry.query import Telemetry
from watchkeeper.modules.telemetry.ranges import Range

_SUMS = (
    *(f"{added(name)} AS {name}" for name in RED_SUMS),
    "max(duration_max)::BIGINT AS duration_max",
)
_MINUTES_UP_TO = 3 * DAY
_WORST_FIRST = {health: number for number, health in enumerate(Health)}
_SPARK_POINTS = 30


def dataset_for(span: Range, step: int) -> Dataset:
    """Minutes while they are few; hours for long ranges with coarse steps."""
    return Dataset.RED_HOUR if span.length > _MINUTES_UP_TO and step % HOUR == 0 else Dataset.RED_MINUTE


def whole(span: Range, step: int) -> tuple[Dataset, Range]:
    """The rollup to ask, and the range from the start of its minute or hour: rollups carry just that time."""
    dataset = dataset_for(span, step)
    unit = HOUR if dataset is Dataset.RED_HOUR else MINUTE
    return dataset, Range(span.since // unit * unit, span.until)


def last_seen(session: Session) -> dict[str, int]:
    """When anything at all last came from each service."""
    return {one.name: to_unix_nano(one.last_seen) for one in catalog.services(session) if one.last_seen is not None}


def services(telemetry: Telemetry, span: Range, now: int, seen: Mapping[str, int]) -> list[ServiceRed]:
    """Every service that served anything in the range, worst first.

    `seen` is `last_seen`: a service without visitors that sends its metrics is not silent.
    """
    step = max(span.step(), span.length // _SPARK_POINTS // MINUTE * MINUTE)
    dataset, span = whole(span, step)
    of_service: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in _rows(telemetry, dataset, span, step, keys=("service",)):
        of_service[row["service"]].append(row)
    newest = newest_spans(telemetry, span)
    found = [
        _service(name, rows, span, step, max(newest.get(name, 0), seen.get(name, 0)), now)
        for name, rows in of_service.items()
    ]
    return sorted(found, key=lambda one: (_WORST_FIRST[one.health], -(one.red.error_share or 0), one.service))


def newest_spans(telemetry: Telemetry, span: Range, service: str | None = None) -> dict[str, int]:
    """Time of the newest span of each service, of those that sent any in the last two minutes of the range."""
    lately = Range(max(span.since, span.until - 2 * MINUTE), span.until)
    columns = ["service", "max(time) AS newest"]
    rows = telemetry.select(Dataset.SPANS, lately, columns, service=service, tail="GROUP BY service")
    return {row["service"]: row["newest"] for row in rows.dicts()}


def series(
    telemetry: Telemetry,
    service: str,
    span: Range,
    step: int,
    *,
    route: str | None = None,
    environment: str | None = None,
) -> list[RedPoint]:
    """One point a step. Between the first and the last data a step without requests is a measured zero; outside it
    is None, because nobody measured."""
    dataset, span = whole(span, step)
    rows = _rows(telemetry, dataset, span, step, service=service, route=route, environment=environment)
    return _points(rows, span, step)


def routes(telemetry: Telemetry, service: str, span: Range, *, environment: str | None = None) -> list[RouteRed]:
    """Each route and method of a service: failing ones first, then those that take most of its time."""
    step = HOUR if span.length > _MINUTES_UP_TO else MINUTE
    dataset, span = whole(span, step)
    keys = ("route", "method")
    rows = _rows(telemetry, dataset, span, step, keys=keys, service=service, environment=environment, at=False)
    length = _measured(rows, span)
    found: dict[tuple[str, str], Red] = defaultdict(Red)
    for row in rows:
        found[row["route"], row["method"]].add(row)
    routes_found = [RouteRed(route, method, red, length) for (route, method), red in found.items()]
    return sorted(routes_found, key=lambda one: (-one.red.errors, -one.red.duration_sum, one.route, one.method))


def total_of(points: Iterable[RedPoint]) -> Red:
    """All points as one."""
    total = Red()
    for point in points:
        if point.red is not None:
            total.merge(point.red)
    return total


def _service(name: str, rows: list[dict[str, Any]], span: Range, step: int, newest: int, now: int) -> ServiceRed:
    red = Red()
    for row in rows:
        red.add(row)
    newest_minute = max(row["newest"] for row in rows)
    return ServiceRed(
        service=name,
        red=red,
        points=tuple(_points(rows, span, step)),
        newest=max(newest_minute, newest),
        length=_measured(rows, span),
        health=health_of(red, max(newest_minute + MINUTE, newest), now),
    )


def _points(rows: list[dict[str, Any]], span: Range, step: int) -> list[RedPoint]:
    found: dict[int, Red] = defaultdict(Red)
    for row in rows:
        found[row["at"]].add(row)
    first, last = min(found, default=0), max(found, default=0)
    points = []
    for point in span.points(step):
        red = found.get(point) or (Red() if first < point < last else None)
        length = min(point + step, span.until) - max(point, span.since)
        points.append(RedPoint(point, red, length))
    return points


def _measured(rows: list[dict[str, Any]], span: Range) -> int:
    return measured(min((row["oldest"] for row in rows), default=None), span.until, span.length)


def _rows(
    telemetry: Telemetry,
    dataset: Dataset,
    span: Range,
    step: int,
    *,
    keys: tuple[str, ...] = (),
    service: str | None = None,
    route: str | None = None,
    environment: str | None = None,
    at: bool = True,
) -> list[dict[str, Any]]:
    where, parameters = [], []
    for column, value in (("route", route), ("environment", environment)):
        if value is not None:
            where.append(f"{column} = ?")
            parameters.append(value)
    moment = [f"time // {step} * {step} AS at"] if at else []
    columns = [
        "service",
        *moment,
        *(key for key in keys if key != "service"),
        "bucket",
        "source",
        "max(time) AS newest",
        "min(time) AS oldest",
    ]
    rows = telemetry.select(
        dataset,
        span,
        [*columns, *_SUMS],
        where=where,
        parameters=parameters,
        service=service,
        tail="GROUP BY ALL",
    ).dicts()
    # Spans know every single duration; metrics speak only for services that send no server spans.
    best: dict[str, str] = {}
    for row in rows:
        best[row["service"]] = max(best.get(row["service"], ""), row["source"])
    return [row for row in rows if row["source"] == best[row["service"]]]
