"""Metric series: gauges as they are, counters as rates, histograms as percentiles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from watchkeeper.modules.telemetry.model import SECOND, Dataset
from watchkeeper.modules.telemetry.query import Telemetry
from watchkeeper.modules.telemetry.ranges import Range

MOST_ROWS = 50_000
MOST_SERIES = 20

Row = dict[str, Any]

# One row for each series and step: the last value of what a sender adds up (cumulative), the sum of what it does not
# (delta). Lists are not added up here, so each point of a delta histogram is a row.
_COLUMNS: dict[str, tuple[str, ...]] = {
    "value": ("avg(value) AS value", "0 AS start_time"),
    "rate a second": (
        "if(any_value(temporality) = 'cumulative', arg_max(value, time), sum(value)) AS value",
        "start_time",
        "temporality",
    ),
    "percentiles": (
        "arg_max(buckets, time) AS buckets",
        "arg_max(bounds, time) AS bounds",
        "start_time",
        "temporality",
        "if(temporality = 'cumulative', 0, time) AS point",
    ),
}


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
    started anew."""
    times = tuple(span.points(step))
    about = telemetry.select(
        Dataset.METRICS, span, ("type", "unit", "monotonic"), where=["name = ?"], parameters=[name], service=service,
        tail="LIMIT 1",
    ).dicts()  # fmt: skip
    shows = _shows(**about[0]) if about else "value"
    # Counters start from the last value before the range, where there is one.
    before = Range(max(0, times[0] - step), span.until)
    rows = telemetry.select(
        Dataset.METRICS,
        before,
        (
            f"time // {step} * {step} AS at",
            "hash(attributes, resource) // 2 AS series",
            "any_value(attributes) AS attributes",
            *_COLUMNS[shows],
        ),
        where=["name = ?"],
        parameters=[name],
        service=service,
        tail=f"GROUP BY ALL ORDER BY 1 DESC, start_time DESC LIMIT {MOST_ROWS + 1}",
    ).dicts()
    cut = len(rows) > MOST_ROWS
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in reversed(rows[:MOST_ROWS]):
        groups[_label(row, group_by)].append(row)
    draw = {"value": _means, "rate a second": _rates, "percentiles": _percentiles}[shows]
    kept = sorted(groups.items())[:MOST_SERIES]
    drawn = [one for label, of_group in kept for one in draw(of_group, times, step, label if group_by else "")]
    unit = about[0]["unit"] if about else None
    return MetricAnswer(name, unit, shows, times, tuple(drawn), cut or len(groups) > MOST_SERIES)


def _shows(type: str, unit: str | None, monotonic: bool | None) -> str:  # noqa: A002, ARG001 (names of columns)
    if type in ("histogram", "exponential_histogram"):
        return "percentiles"
    return "rate a second" if type == "sum" and monotonic else "value"


def _label(row: dict[str, Any], group_by: str | None) -> str:
    if group_by is None:
        return "all"
    return str(orjson.loads(row["attributes"] or "{}").get(group_by, "(none)"))


def _means(rows: list[Row], times: tuple[int, ...], step: int, label: str) -> list[MetricSeries]:  # noqa: ARG001
    """The sum over series of each one's mean in the step."""
    sums: dict[int, float] = defaultdict(float)
    for row in rows:
        if row["value"] is not None:
            sums[row["at"]] += row["value"]
    return [MetricSeries(label or "all", tuple(sums.get(time) for time in times))]


def _rates(rows: list[Row], times: tuple[int, ...], step: int, label: str) -> list[MetricSeries]:
    sums: dict[int, float] = defaultdict(float)
    for row, change in changes(rows, lambda row: [row["value"] or 0.0], times[0]):
        sums[row["at"]] += change[0]
    values = tuple(sums[time] / (step / SECOND) if time in sums else None for time in times)
    return [MetricSeries(label or "all", values)]


def _percentiles(rows: list[Row], times: tuple[int, ...], step: int, label: str) -> list[MetricSeries]:  # noqa: ARG001
    for row in rows:
        for numbers in ("bounds", "buckets"):
            row[numbers] = orjson.loads(row[numbers]) if row[numbers] else []
    counts: dict[int, dict[tuple[float, float], float]] = defaultdict(lambda: defaultdict(float))
    for row, change in changes(rows, lambda row: list(row["buckets"]), times[0]):
        bounds = row["bounds"]
        edges = zip([0.0, *bounds], [*bounds, bounds[-1] if bounds else 0.0], strict=True)
        for edge, count in zip(edges, change, strict=False):
            counts[row["at"]][edge] += count
    # Of several groups only one line each: three of every group are too many to tell apart.
    shares = (0.95,) if label else (0.5, 0.95, 0.99)
    return [
        MetricSeries(
            f"{label} p{share * 100:.0f}".strip(),
            tuple(_quantile(counts[time], share) if time in counts else None for time in times),
        )
        for share in shares
    ]


def changes(rows: Iterable[Row], read: Callable[[Row], list[float]], since: int) -> Iterable[tuple[Row, list[float]]]:
    """What each row adds. The first of a series that is older than the range only tells where it stood; one that began
    within the range counts from nothing."""
    last: dict[int, tuple[int | None, list[float]]] = {}
    for row in rows:
        values = read(row)
        if row["temporality"] != "cumulative":
            yield row, values
            continue
        before = last.get(row["series"])
        last[row["series"]] = (row["start_time"], values)
        if before is None:
            if (row["start_time"] or 0) >= since:
                yield row, values
            continue
        if len(before[1]) != len(values):
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
