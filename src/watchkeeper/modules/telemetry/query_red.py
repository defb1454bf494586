"""Requests, errors and durations, from the rollups."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from watchkeeper.modules.telemetry.answers import Health, Red, RedPoint, RouteRed, ServiceRed, health_of
from watchkeeper.modules.telemetry.model import DAY, HOUR, Dataset
from watchkeeper.modules.telemetry.query import Telemetry
from watchkeeper.modules.telemetry.ranges import Range

_SUMS = (
    "sum(requests)::BIGINT AS requests",
    "sum(errors)::BIGINT AS errors",
    "sum(client_errors)::BIGINT AS client_errors",
    "sum(duration_sum)::BIGINT AS duration_sum",
    "max(duration_max)::BIGINT AS duration_max",
)
_MINUTES_UP_TO = 3 * DAY
_WORST_FIRST = {health: number for number, health in enumerate(Health)}
_SPARK_POINTS = 30


def dataset_for(span: Range, step: int) -> Dataset:
    """Minutes while they are few; hours for long ranges with coarse steps."""
    return Dataset.RED_HOUR if span.length > _MINUTES_UP_TO and step % HOUR == 0 else Dataset.RED_MINUTE


def services(telemetry: Telemetry, span: Range, now: int) -> list[ServiceRed]:
    """Every service that served anything in the range, worst first."""
    step = max(span.step(), span.length // _SPARK_POINTS // (60 * 10**9) * 60 * 10**9)
    rows = _rows(telemetry, span, step, keys=("service",))
    totals: dict[str, Red] = defaultdict(Red)
    along: dict[str, dict[int, Red]] = defaultdict(lambda: defaultdict(Red))
    newest: dict[str, int] = {}
    first: dict[str, int] = {}
    for row in rows:
        name = row["service"]
        totals[name].add(row)
        along[name][row["at"]].add(row)
        newest[name] = max(newest.get(name, 0), row["newest"])
        first[name] = min(first.get(name, row["oldest"]), row["oldest"])
    points = span.points(step)
    found = [
        ServiceRed(
            service=name,
            red=red,
            series=tuple(along[name].get(point) for point in points),
            first=first[name],
            newest=newest[name],
            health=health_of(red, newest[name] + 60 * 10**9, now),
        )
        for name, red in totals.items()
    ]
    return sorted(found, key=lambda one: (_WORST_FIRST[one.health], -(one.red.error_share or 0), one.service))


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
    rows = _rows(telemetry, span, step, service=service, route=route, environment=environment)
    found: dict[int, Red] = defaultdict(Red)
    for row in rows:
        found[row["at"]].add(row)
    if not found:
        return [RedPoint(point, None) for point in span.points(step)]
    first, last = min(found), max(found)
    return [
        RedPoint(point, found.get(point) or (Red() if first < point < last else None)) for point in span.points(step)
    ]


def routes(telemetry: Telemetry, service: str, span: Range, *, environment: str | None = None) -> list[RouteRed]:
    """Each route and method of a service, the one that takes most of its time first."""
    step = HOUR if span.length > _MINUTES_UP_TO else 60 * 10**9
    rows = _rows(telemetry, span, step, keys=("route", "method"), service=service, environment=environment, at=False)
    found: dict[tuple[str, str], Red] = defaultdict(Red)
    for row in rows:
        found[row["route"], row["method"]].add(row)
    routes_found = [RouteRed(route, method, red) for (route, method), red in found.items()]
    return sorted(routes_found, key=lambda one: (-one.red.errors, -one.red.duration_sum, one.route, one.method))


def _rows(
    telemetry: Telemetry,
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
        dataset_for(span, step),
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
