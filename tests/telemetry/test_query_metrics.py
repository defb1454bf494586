"""Metric series: no counter runs backwards, no restart is a peak, and many series stay affordable."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from tests.telemetry.support import attribute, counter, histogram, now_of, resource, send
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.modules.telemetry import query_metrics
from watchkeeper.modules.telemetry.model import MINUTE, SECOND
from watchkeeper.modules.telemetry.query import Telemetry
from watchkeeper.modules.telemetry.ranges import Range
from watchkeeper.modules.telemetry.wiring import TelemetryStore

SERVICE = "duet-gateway"


def points(values: list[tuple[int, float, dict[str, Any]]], *, name: str = "m", kind: str = "gauge") -> Any:
    """Points (time, value, attributes) of a gauge, or of an up-and-down counter."""
    request = ExportMetricsServiceRequest()
    of_resource = request.resource_metrics.add()
    resource(of_resource, SERVICE)
    metric = of_resource.scope_metrics.add().metrics.add()
    metric.name = name
    data = metric.gauge if kind == "gauge" else metric.sum
    if kind != "gauge":
        metric.sum.aggregation_temporality = 2
    for time, value, attributes in values:
        point = data.data_points.add()
        point.time_unix_nano, point.as_double = time, value
        for key, text in attributes.items():
            attribute(point, key, text)
    return request


def ask(telemetry: Telemetry, name: str, span: Range, **options: Any) -> query_metrics.MetricAnswer:
    return query_metrics.query(telemetry, SERVICE, name, span, MINUTE, **options)


def known(series: query_metrics.MetricSeries) -> list[float]:
    return [value for value in series.values if value is not None]


def test_counters_become_rates_and_histograms_percentiles(
    store: TelemetryStore, telemetry: Telemetry, clock: ManualClock
) -> None:
    now = now_of(clock)
    points = [(now - (10 - n) * MINUTE, 120.0 * n) for n in range(10)]
    send(store, counter(points))
    for n in range(5):
        send(store, histogram(now - (5 - n) * MINUTE, [0, 10 * n, 0], [0.1, 0.2], name="duet.age"))
    store.flusher.flush()
    span = Range(now - 12 * MINUTE, now)
    rates = query_metrics.query(telemetry, "duet-gateway", "duet.offers", span, MINUTE)
    assert rates.shows == "rate a second"
    assert {value for value in rates.series[0].values if value is not None} == {2.0}
    ages = query_metrics.query(telemetry, "duet-gateway", "duet.age", span, MINUTE)
    assert [one.label for one in ages.series] == ["p50", "p95", "p99"]
    assert [value for value in ages.series[0].values if value is not None] == pytest.approx([0.15] * 4)
    split = query_metrics.query(telemetry, "duet-gateway", "duet.age", span, MINUTE, group_by="http.route")
    assert [one.label for one in split.series] == ["(none) p95"]
    assert [one.name for one in query_metrics.names(telemetry, "duet-gateway", span)] == ["duet.age", "duet.offers"]


@settings(max_examples=100)
@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 2)), min_size=1, max_size=20))
def test_a_counter_that_starts_anew_never_gives_a_negative_rate(values: list[tuple[float, int]]) -> None:
    rows: list[dict[str, Any]] = []
    start = 1
    for number, (value, restarts) in enumerate(values):
        start += restarts
        rows.append(
            {"at": number * MINUTE, "series": 1, "start_time": start, "temporality": "cumulative", "value": value}
        )
    times = tuple(n * MINUTE for n in range(len(values)))
    (series,) = query_metrics._rates(rows, times, MINUTE, "")
    assert all(rate is None or rate >= 0 for rate in series.values)
    assert sum(known(series)) * 60 <= sum(value for value, _ in values) + 1e-3


def test_a_counter_older_than_the_range_starts_from_its_last_value_before_it(
    store: TelemetryStore, telemetry: Telemetry, clock: ManualClock
) -> None:
    now = now_of(clock)
    send(store, counter([(now - 11 * MINUTE, 1_000.0), (now - 10 * MINUTE, 1_060.0), (now - 9 * MINUTE, 1_180.0)]))
    store.flusher.flush()
    (series,) = ask(telemetry, "duet.offers", Range(now - 10 * MINUTE, now)).series
    assert known(series) == [1.0, 2.0]


def test_a_counter_that_began_within_the_range_counts_from_nothing(
    store: TelemetryStore, telemetry: Telemetry, clock: ManualClock
) -> None:
    now = now_of(clock)
    send(store, counter([(now - 5 * MINUTE, 3.0)], name="first.errors", start=now - 6 * MINUTE))
    send(store, counter([(now - 5 * MINUTE, 3e6)], name="old", start=now - 600 * MINUTE))
    store.flusher.flush()
    span = Range(now - 10 * MINUTE, now)
    assert known(ask(telemetry, "first.errors", span).series[0]) == [3 / 60]
    assert known(ask(telemetry, "old", span).series[0]) == []


def test_a_restart_between_two_points_loses_nothing_that_was_told(
    store: TelemetryStore, telemetry: Telemetry, clock: ManualClock
) -> None:
    now = now_of(clock) // MINUTE * MINUTE
    send(store, counter([(now - 5 * MINUTE, 600.0), (now - 4 * MINUTE, 660.0)], start=1))
    send(store, counter([(now - 4 * MINUTE + 30 * SECOND, 60.0), (now - 3 * MINUTE, 120.0)], start=now - 4 * MINUTE))
    store.flusher.flush()
    (series,) = ask(telemetry, "duet.offers", Range(now - 5 * MINUTE, now)).series
    assert known(series) == [2.0, 1.0]


def test_deltas_add_up(store: TelemetryStore, telemetry: Telemetry, clock: ManualClock) -> None:
    now = now_of(clock) // MINUTE * MINUTE
    send(store, counter([(now - 2 * MINUTE + n * 10 * SECOND, 20.0) for n in range(6)], cumulative=False))
    store.flusher.flush()
    (series,) = ask(telemetry, "duet.offers", Range(now - 5 * MINUTE, now)).series
    assert known(series) == [2.0]


def test_series_are_split_and_summed(store: TelemetryStore, telemetry: Telemetry, clock: ManualClock) -> None:
    now = now_of(clock) // MINUTE * MINUTE - MINUTE
    found = [(now + n * SECOND, 10.0 * pool, {"pool": f"p{pool}"}) for pool in range(3) for n in range(4)]
    send(store, points(found, kind="updown"))
    store.flusher.flush()
    span = Range(now - 5 * MINUTE, now + MINUTE)
    assert [known(one) for one in ask(telemetry, "m", span).series] == [[30.0]]
    split = ask(telemetry, "m", span, group_by="pool")
    assert [(one.label, known(one)) for one in split.series] == [("p0", [0.0]), ("p1", [10.0]), ("p2", [20.0])]
    assert [one.label for one in ask(telemetry, "m", span, group_by="' OR 1=1").series] == ["(none)"]


def test_too_many_series_are_cut_and_said_to_be(
    store: TelemetryStore, telemetry: Telemetry, clock: ManualClock
) -> None:
    now = now_of(clock) - MINUTE
    send(store, points([(now, 1.0, {"id": f"{n:03}"}) for n in range(60)]))
    store.flusher.flush()
    answer = ask(telemetry, "m", Range(now - MINUTE, now + MINUTE), group_by="id")
    assert answer.cut
    assert len(answer.series) == query_metrics.MOST_SERIES
    assert known(ask(telemetry, "m", Range(now - MINUTE, now + MINUTE)).series[0]) == [60.0]


@settings(max_examples=60)
@given(
    st.lists(st.floats(0.001, 9.9), min_size=1, max_size=200),
    st.sampled_from([0.5, 0.95, 0.99]),
    st.lists(st.floats(0.01, 9.0), min_size=1, max_size=12, unique=True),
)
def test_a_percentile_of_a_histogram_lies_in_the_right_bucket(
    values: list[float], share: float, bounds: list[float]
) -> None:
    edges = [0.0, *sorted(bounds), 10.0]
    counts: dict[tuple[float, float], float] = {}
    for low, high in itertools.pairwise(edges):
        counts[low, high] = sum(low < value <= high for value in values)
    exact = sorted(values)[max(0, -int(-share * len(values) // 1) - 1)]
    found = query_metrics._quantile(counts, share)
    assert found is not None
    low, high = next((low, high) for low, high in counts if low < exact <= high)
    assert low - 1e-9 <= found <= high + 1e-9


def test_a_metric_nobody_sent_is_empty(telemetry: Telemetry, clock: ManualClock) -> None:
    answer = ask(telemetry, "none", Range(now_of(clock) - 5 * MINUTE, now_of(clock)))
    assert answer.series == ()
    assert answer.times


def test_many_points_are_summed_up_before_they_are_fetched(
    store: TelemetryStore, telemetry: Telemetry, clock: ManualClock
) -> None:
    now = now_of(clock) // MINUTE * MINUTE
    rnd = random.Random(3)
    found = [(now - rnd.randrange(1, 600) * SECOND, float(n % 7), {"n": str(n % 50)}) for n in range(9_000)]
    send(store, points(found))
    store.flusher.flush()
    rows: list[int] = []
    select = telemetry.select

    def counted(*args: Any, **options: Any) -> Any:
        answer = select(*args, **options)
        rows.append(len(answer.rows))
        return answer

    telemetry.select = counted  # type: ignore[method-assign]
    ask(telemetry, "m", Range(now - 10 * MINUTE, now))
    assert rows[-1] <= 50 * 10
