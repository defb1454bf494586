"""Metric series: gauges as they are, counters as rates, histograms as percentiles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from watchkeeper.modules.telemetry.model import SECOND, Dataset
from watchkeeper.modules.telemetry.query import Telemetry
from watchkeeper.modules.telemetry.ranges import Range

MOST_POINTS = 200_000
MOST_SERIES = 20
_COLUMNS = ("time", "start_time", "type", "temporality", "monotonic", "attributes", "resource", "value", "count", "sum",
            "bounds", "buckets", "unit")  # fmt: skip


@dataclass(frozen=True)
class MetricName:
    """A metric that a service sends."""

    name: str
    type: str
    unit: str | None
    series: int
    newest: int


@dataclass(frozen=True)
class MetricSeries:
    """One line of a chart; None where nothing was measured."""

    label: str
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class MetricAnswer:
    """Points at `times` (nanoseconds). `shows` says what the values are: value, rate a second, or percentiles."""

    name: str
    unit: str | None
    shows: str
    times: tuple[int, ...]
    series: tuple[MetricSeries, ...]
    cut: bool


def names(telemetry: Telemetry, service: str, span: Range) -> list[MetricName]:
    """Metrics of a service in the range, by name."""
    columns = ["name", "any_value(type) AS type", "any_value(unit) AS unit"]
    columns += ["count(DISTINCT attributes) AS series", "max(time) AS newest"]
    rows = telemetry.select(
        Dataset.METRICS, span, columns, service=service, tail="GROUP BY name ORDER BY name LIMIT 1000"
    )
    return [MetricName(**row) for row in rows.dicts()]


def query(
    telemetry: Telemetry, service: str, name: str, span: Range, step: int, *, group_by: str | None = None
) -> MetricAnswer:
    """A metric over time. Counters become rates: a cumulative one is differenced per series, and one that goes back
    started anew. The first point of a series only sets its baseline."""
    rows = telemetry.select(
        Dataset.METRICS,
        span,
        _COLUMNS,
        where=["name = ?"],
        parameters=[name],
        service=service,
        tail=f"ORDER BY time LIMIT {MOST_POINTS + 1}",
    ).dicts()
    times = tuple(span.points(step))
    cut = len(rows) > MOST_POINTS
    kind = rows[0]["type"] if rows else "gauge"
    unit = rows[0]["unit"] if rows else None
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows[:MOST_POINTS]:
        for numbers in ("bounds", "buckets"):
            row[numbers] = orjson.loads(row[numbers]) if row[numbers] else []
        groups[_label(row, group_by)].append(row)
    if kind in ("histogram", "exponential_histogram"):
        return MetricAnswer(name, unit, "percentiles", times, _percentiles(groups, times, step), cut)
    if kind == "sum" and rows[0]["monotonic"]:
        found = [MetricSeries(label, _rates(of_group, times, step)) for label, of_group in sorted(groups.items())]
        return MetricAnswer(name, unit, "rate a second", times, tuple(found[:MOST_SERIES]), cut)
    found = [MetricSeries(label, _means(of_group, times, step)) for label, of_group in sorted(groups.items())]
    return MetricAnswer(name, unit, "value", times, tuple(found[:MOST_SERIES]), cut or len(found) > MOST_SERIES)


def _label(row: dict[str, Any], group_by: str | None) -> str:
    if group_by is None:
        return "all"
    return str(orjson.loads(row["attributes"] or "{}").get(group_by, "(none)"))


def _means(rows: list[dict[str, Any]], times: tuple[int, ...], step: int) -> tuple[float | None, ...]:
    """The sum over series of each one's mean in the step."""
    per_step: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row["value"] is not None:
            per_step[row["time"] // step * step][row["attributes"] + row["resource"]].append(row["value"])
    return tuple(
        sum(sum(values) / len(values) for values in per_step[time].values()) if time in per_step else None
        for time in times
    )


def _rates(rows: list[dict[str, Any]], times: tuple[int, ...], step: int) -> tuple[float | None, ...]:
    sums: dict[int, float] = defaultdict(float)
    for row, change in _changes(rows, lambda row: [row["value"] or 0.0]):
        sums[row["time"] // step * step] += change[0]
    return tuple(sums[time] / (step / SECOND) if time in sums else None for time in times)


def _percentiles(
    groups: dict[str, list[dict[str, Any]]], times: tuple[int, ...], step: int
) -> tuple[MetricSeries, ...]:
    found = []
    for label, rows in sorted(groups.items())[:MOST_SERIES]:
        counts: dict[int, dict[tuple[float, float], float]] = defaultdict(lambda: defaultdict(float))
        for row, change in _changes(rows, lambda row: list(row["buckets"])):
            bounds = row["bounds"]
            edges = zip([0.0, *bounds], [*bounds, bounds[-1] if bounds else 0.0], strict=True)
            for edge, count in zip(edges, change, strict=False):
                counts[row["time"] // step * step][edge] += count
        for share in (0.5, 0.95, 0.99):
            values = tuple(_quantile(counts[time], share) if time in counts else None for time in times)
            prefix = f"{label} " if len(groups) > 1 else ""
            found.append(MetricSeries(f"{prefix}p{share * 100:.0f}", values))
    return tuple(found)


def _changes(rows: list[dict[str, Any]], read: Any) -> Iterable[tuple[dict[str, Any], list[float]]]:
    last: dict[str, tuple[Any, list[float]]] = {}
    for row in rows:
        values = read(row)
        if row["temporality"] != "cumulative":
            yield row, values
            continue
        series = row["attributes"] + row["resource"]
        before = last.get(series)
        last[series] = (row["start_time"], values)
        if before is None or len(before[1]) != len(values):
            continue
        went_back = before[0] != row["start_time"] or any(new < old for new, old in zip(values, before[1], strict=True))
        yield row, values if went_back else [new - old for new, old in zip(values, before[1], strict=True)]


def _quantile(counts: dict[tuple[float, float], float], share: float) -> float | None:
    total = sum(counts.values())
    if total <= 0:
        return None
    rank, seen = share * total, 0.0
    for (lower, upper), count in sorted(counts.items()):
        if count > 0 and seen + count >= rank:
            return lower + (upper - lower) * max(0.0, rank - seen) / count
        seen += count
    return max(upper for _, upper in counts)
