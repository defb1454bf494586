"""What other modules are told of requests: counted once, minutes whole, nothing invented."""

from __future__ import annotations

import dataclasses
import itertools
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.telemetry.support import MS, now_of, send, spans
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.modules.telemetry import public
from watchkeeper.modules.telemetry.model import MINUTE, bucket_of
from watchkeeper.modules.telemetry.public import Latency, Telemetry
from watchkeeper.modules.telemetry.wiring import TelemetryStore

HOUR = timedelta(hours=1)
SERVICE = "duet-gateway"


def latency_of(durations: list[int]) -> Latency:
    counts: dict[int, int] = {}
    for duration in durations:
        counts[bucket_of(duration)] = counts.get(bucket_of(duration), 0) + 1
    return Latency(counts, timedelta(microseconds=max(durations, default=0) / 1_000))


def take(store: TelemetryStore, *requests: object) -> None:
    for request in requests:
        send(store, request)
    store.flusher.flush()


def test_requests_are_told_by_how_they_ended(store: TelemetryStore, telemetry: Telemetry, clock: ManualClock) -> None:
    now = now_of(clock)
    take(
        store,
        spans(now - 3 * MINUTE, count=90, seed=1),
        spans(now - 2 * MINUTE, count=7, seed=2, status_code=404),
        spans(now - 2 * MINUTE, count=3, seed=3, status_code=503),
        spans(now - 2 * MINUTE, count=5, seed=4, service="other"),
    )
    found = public.requests(telemetry, SERVICE, clock.now() - HOUR, clock.now())
    assert (found.total, found.good, found.failed, found.refused) == (100, 97, 3, 7)
    assert found.latency.count == 100


def test_requests_are_kept_by_route_method_and_environment(
    store: TelemetryStore, telemetry: Telemetry, clock: ManualClock
) -> None:
    now = now_of(clock) - MINUTE
    for number, route in enumerate(("/a", "/b", "/c")):
        take(store, spans(now, count=number + 1, route=route, seed=number))

    def total(**wanted: object) -> int:
        return public.requests(telemetry, SERVICE, clock.now() - HOUR, clock.now(), **wanted).total  # type: ignore[arg-type]

    assert total() == 6
    assert total(routes=["/a", "/c"]) == 4
    assert total(routes=[]) == 0
    assert total(methods=["GET"]) == 6
    assert total(methods=["POST"]) == 0
    assert total(environment="demo") == 6
    assert total(environment="production") == 0


def test_neighbouring_windows_count_each_request_once(
    store: TelemetryStore, telemetry: Telemetry, clock: ManualClock
) -> None:
    now = now_of(clock)
    for number in range(20):
        take(store, spans(now - (2 * number + 1) * MINUTE + 17_000 * MS, count=number + 1, seed=number))
    edges = [clock.now() - timedelta(minutes=minutes) for minutes in (60, 41, 30, 7, 0)]
    parts = [public.requests(telemetry, SERVICE, since, until).total for since, until in itertools.pairwise(edges)]
    whole = public.requests(telemetry, SERVICE, edges[0], edges[-1]).total
    assert sum(parts) == whole == 210
    along = public.requests_along(telemetry, SERVICE, edges[0], edges[-1], timedelta(minutes=7))
    assert sum(one.requests.total for one in along if one.requests) == 210
    assert along[0].since == edges[0]
    assert along[-1].until == edges[-1]
    assert all(one.until == later.since for one, later in itertools.pairwise(along))


def test_weeks_that_meet_within_an_hour_count_each_request_once(
    store: TelemetryStore, telemetry: Telemetry, clock: ManualClock
) -> None:
    for hours in range(0, 6 * 24, 7):
        take(store, spans(now_of(clock) - hours * 60 * MINUTE - 2 * MINUTE, count=2, seed=hours))
        take(store, spans(now_of(clock) - hours * 60 * MINUTE - 40 * MINUTE, count=3, seed=1000 + hours))
    meet = clock.now() - timedelta(days=2, hours=3, minutes=20)
    edges = [clock.now() - timedelta(days=6, minutes=50), meet, clock.now()]
    found = [public.requests(telemetry, SERVICE, *pair).total for pair in itertools.pairwise(edges)]
    whole = public.requests(telemetry, SERVICE, edges[0], edges[-1]).total
    assert sum(found) == whole == 5 * len(range(0, 6 * 24, 7))
    along = public.requests_along(telemetry, SERVICE, edges[0], edges[-1], timedelta(hours=6))
    assert sum(one.requests.total for one in along if one.requests) == whole


def test_what_was_not_measured_is_told_apart_from_silence(
    store: TelemetryStore, telemetry: Telemetry, clock: ManualClock
) -> None:
    now = now_of(clock)
    take(store, spans(now - 10 * MINUTE, seed=1), spans(now - 8 * MINUTE, seed=2))
    along = public.requests_along(
        telemetry, SERVICE, clock.now() - timedelta(minutes=12), clock.now(), timedelta(minutes=1)
    )
    assert [None if one.requests is None else one.requests.total for one in along[:5]] == [None, None, 1, 0, 1]
    assert {one.requests for one in along[5:]} == {None}


def test_the_newest_request_is_known_to_the_moment_or_the_minute(
    store: TelemetryStore, telemetry: Telemetry, clock: ManualClock
) -> None:
    assert public.newest_request(telemetry, SERVICE, clock.now() - HOUR, clock.now()) is None
    take(store, spans(now_of(clock) - 30 * MINUTE + 1_500 * MS, seed=1))
    assert public.newest_request(telemetry, SERVICE, clock.now() - HOUR, clock.now()) == clock.now() - HOUR / 2
    take(store, spans(now_of(clock) - 41_000 * MS, seed=2))
    found = public.newest_request(telemetry, SERVICE, clock.now() - HOUR, clock.now())
    assert found == clock.now() - timedelta(seconds=41)


@given(st.lists(st.integers(2_000, 10**10), min_size=1, max_size=60), st.integers(2, 10**7))
def test_requests_within_a_limit_are_off_by_no_more_than_those_near_it(durations: list[int], micros: int) -> None:
    found = latency_of(durations).within(timedelta(microseconds=micros))
    limit = micros * 1_000
    surely = sum(duration <= limit / 1.101 for duration in durations)
    perhaps = sum(duration <= limit * 1.101 for duration in durations)
    assert surely - 1e-6 <= found <= perhaps + 1e-6


@given(st.lists(st.integers(2_000, 10**10), max_size=60))
def test_a_percentile_is_never_above_the_longest(durations: list[int]) -> None:
    latency = latency_of(durations)
    for share in (0.0, 0.5, 0.99, 1.0):
        found = latency.percentile(share)
        assert (found is None) == (not durations)
        assert found is None or found <= latency.longest
    assert latency.within(timedelta(days=1)) == len(durations)


def test_an_answer_stays_as_it_was_given(telemetry: Telemetry, clock: ManualClock) -> None:
    found = public.requests(telemetry, SERVICE, clock.now() - HOUR, clock.now())
    assert found.total == 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.total = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        found.latency.buckets[1] = 2  # type: ignore[index]
