"""Requests counted from duration histograms: nothing twice, nothing lost, whatever order points come in."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.telemetry.support import histogram, now_of, send
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.errors import Unavailable
from watchkeeper.modules.telemetry import query_red
from watchkeeper.modules.telemetry import store as parts_store
from watchkeeper.modules.telemetry.model import HOUR, MINUTE, Batch
from watchkeeper.modules.telemetry.query import Telemetry
from watchkeeper.modules.telemetry.ranges import Range
from watchkeeper.modules.telemetry.red_from_metrics import RedFromMetrics
from watchkeeper.modules.telemetry.window import Window
from watchkeeper.modules.telemetry.wire_otlp_metrics import decode_metrics
from watchkeeper.modules.telemetry.wiring import TelemetryStore

NOW = 1_800_000_000_000_000_000
BOUNDS = [0.01, 0.1, 1.0]
OK = {"http__route": "/v1/offers", "http__request__method": "GET", "http__response__status_code": 200}
FAILED = OK | {"http__response__status_code": 503}


def _point(minute: int, requests: int, *, start: int = 1, **attributes: Any) -> Any:
    return histogram(
        NOW + minute * MINUTE,
        [requests, 0, 0, 0],
        BOUNDS,
        name="http.server.request.duration",
        start=start,
        **(attributes or OK),
    )


def _batch(*requests: Any) -> Batch:
    found = decode_metrics(requests[0], Window.at(NOW + HOUR, 7)).batch
    for request in requests[1:]:
        found.extend(decode_metrics(request, Window.at(NOW + HOUR, 7)).batch)
    return found


def _counted(red: RedFromMetrics, *requests: Any, column: str = "requests") -> int:
    found = red.rollups(_batch(*requests))
    return sum(found[0].columns[column]) if found else 0


def test_the_first_point_is_a_baseline_and_the_next_counts_what_came_since() -> None:
    red = RedFromMetrics()
    assert _counted(red, _point(0, 100)) == 0
    assert _counted(red, _point(1, 130)) == 30
    assert _counted(red, _point(2, 130)) == 0


def test_the_first_failures_of_a_route_are_counted() -> None:
    red = RedFromMetrics()
    _counted(red, _point(0, 100))
    assert _counted(red, _point(1, 110), _point(1, 7, **FAILED), column="errors") == 7


def test_all_series_of_the_first_export_are_baselines() -> None:
    red = RedFromMetrics()
    assert _counted(red, _point(0, 100), _point(0, 7, **FAILED)) == 0


def test_a_process_that_started_anew_counts_from_zero() -> None:
    red = RedFromMetrics()
    _counted(red, _point(0, 100))
    assert _counted(red, _point(1, 20, start=NOW)) == 20


def test_two_processes_that_look_alike_are_not_taken_for_one_that_restarts_each_time() -> None:
    red = RedFromMetrics()
    _counted(red, _point(0, 1_000, start=1), _point(0, 5_000, start=2))
    for minute in range(1, 5):
        assert _counted(red, _point(minute, 1_000 + minute, start=1)) == 1
        assert _counted(red, _point(minute, 5_000 + minute, start=2)) == 1


def test_a_counter_that_goes_back_counts_from_zero() -> None:
    red = RedFromMetrics()
    _counted(red, _point(0, 100))
    assert _counted(red, _point(1, 3)) == 3


def test_an_older_point_after_a_newer_one_counts_nothing() -> None:
    red = RedFromMetrics()
    _counted(red, _point(0, 100), _point(5, 150))
    assert _counted(red, _point(4, 140)) == 0
    assert _counted(red, _point(6, 151)) == 1


def test_delta_points_count_as_they_are() -> None:
    point = _point(0, 12)
    point.resource_metrics[0].scope_metrics[0].metrics[0].histogram.aggregation_temporality = 1
    assert _counted(RedFromMetrics(), point) == 12


@given(st.lists(st.integers(0, 50), min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_repeated_and_late_points_never_count_more_than_there_was(steps: list[int], rnd: random.Random) -> None:
    red, total, points = RedFromMetrics(), 0, [_point(0, 0)]
    for minute, step in enumerate(steps, 1):
        total += step
        points.append(_point(minute, total))
    in_order = sum(_counted(red, point) for point in points)
    assert in_order == total
    shuffled = points + rnd.choices(points, k=5)
    rnd.shuffle(shuffled)
    other = RedFromMetrics()
    assert sum(_counted(other, point) for point in shuffled) <= total


def test_points_of_a_flush_that_failed_are_counted_when_it_succeeds(
    store: TelemetryStore, telemetry: Telemetry, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = now_of(clock)

    def point(minute: int, requests: int) -> Any:
        at = now + (minute - 5) * MINUTE
        return histogram(at, [requests, 0, 0, 0], BOUNDS, name="http.server.request.duration", **OK)

    send(store, point(0, 100))
    store.flusher.flush()
    send(store, point(1, 140))

    def away(*_: Any, **__: Any) -> None:
        raise Unavailable("the database is away")

    with monkeypatch.context() as patched:
        patched.setattr(parts_store, "register", away)
        with pytest.raises(Unavailable):
            store.flusher.flush()
    store.flusher.flush()
    (found,) = query_red.services(telemetry, Range(now - HOUR, now), now, {})
    assert found.red.requests == 40
