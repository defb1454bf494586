"""Traces: lists without gaps or repeats, and trees that are drawn whatever points where."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.telemetry.support import MS, now_of, send, spans
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.modules.telemetry import query_red, query_traces
from watchkeeper.modules.telemetry.errors import TraceNotFound
from watchkeeper.modules.telemetry.model import DAY, HOUR, MINUTE
from watchkeeper.modules.telemetry.query import Telemetry
from watchkeeper.modules.telemetry.query_traces import TraceFilter, lay_out
from watchkeeper.modules.telemetry.ranges import Range
from watchkeeper.modules.telemetry.wiring import TelemetryStore


def _recent(clock: ManualClock, length: int = HOUR) -> Range:
    return Range(now_of(clock) - length, now_of(clock) + MINUTE)


def test_every_request_is_on_exactly_one_page_of_the_list(
    store: TelemetryStore, telemetry: Telemetry, clock: ManualClock
) -> None:
    now = now_of(clock)
    rnd = random.Random(5)
    for seed in range(12):
        # Some share an instant, so that only the tie-breaker tells them apart.
        send(
            store, spans(now - rnd.choice([MINUTE, 90 * MINUTE, 5 * HOUR]), count=5, seed=seed, duration=seed * MS + 1)
        )
    store.flusher.flush()
    for order in ("newest", "slowest"):
        wanted = TraceFilter(service="duet-gateway", order=order)  # type: ignore[arg-type]
        seen: list[str] = []
        after: tuple[int, str] | None = None
        while True:
            rows = query_traces.requests(telemetry, _recent(clock, DAY), wanted, 7, after)
            seen += [row.span_id for row in rows]
            if len(rows) < 7:
                break
            after = (rows[-1].time if order == "newest" else rows[-1].duration, rows[-1].span_id)
        assert len(seen) == len(set(seen)) == 60


def test_traces_are_found_by_result_duration_route_and_name(
    store: TelemetryStore, telemetry: Telemetry, clock: ManualClock
) -> None:
    now = now_of(clock) - MINUTE
    send(store, spans(now, route="/a%b", count=3, seed=1, duration=5 * MS))
    send(store, spans(now, route="/a_b", count=2, seed=2, duration=500 * MS, status_code=500))
    store.flusher.flush()

    def count(**wanted: Any) -> int:
        return len(query_traces.requests(telemetry, _recent(clock), TraceFilter(**wanted), 50, None))

    assert count(service="duet-gateway") == 5
    assert count() == 5
    assert count(failed=True) == 2
    assert count(failed=False) == 3
    assert count(min_duration=100 * MS) == 2
    assert count(max_duration=100 * MS) == 3
    assert count(route="/a%b") == 3
    assert count(text="A%B") == 3
    assert count(text="a_b") == 2
    assert count(service="' OR 1=1 --") == 0
    assert count(text="'; DROP TABLE x; --") == 0


@pytest.mark.parametrize(
    ("code", "error", "failed"),
    [(200, False, False), (404, True, False), (503, False, True), (200, True, False), (None, True, True)],
)
def test_failed_requests_are_listed_as_many_as_are_counted(
    store: TelemetryStore, telemetry: Telemetry, clock: ManualClock, code: int | None, error: bool, failed: bool
) -> None:
    request = spans(now_of(clock) - MINUTE, status_code=code or 0)
    span = request.resource_spans[0].scope_spans[0].spans[0]
    if code is None:
        del span.attributes[2]
    span.status.code = 2 if error else 0
    send(store, request)
    store.flusher.flush()
    listed = query_traces.requests(telemetry, _recent(clock), TraceFilter(service="duet-gateway", failed=True), 9, None)
    (route,) = query_red.routes(telemetry, "duet-gateway", _recent(clock))
    assert (len(listed), route.red.errors) == (failed, failed)


def test_a_trace_is_found_with_all_its_spans_and_an_unknown_one_is_not(
    store: TelemetryStore, telemetry: Telemetry, clock: ManualClock
) -> None:
    now = now_of(clock)
    request = spans(now - 2 * HOUR, count=3)
    found = request.resource_spans[0].scope_spans[0].spans
    for span in found:
        span.trace_id = b"t" * 16
    found[1].parent_span_id = found[0].span_id
    found[2].parent_span_id = b"missing!"
    send(store, request)
    store.flusher.flush()
    trace = query_traces.trace(telemetry, (b"t" * 16).hex(), now)
    assert len(trace.spans) == 3
    assert sum(span.parent_missing for span in trace.spans) == 1
    near = query_traces.trace(telemetry, (b"t" * 16).hex(), now, near=now - 2 * HOUR)
    assert near == trace
    with pytest.raises(TraceNotFound):
        query_traces.trace(telemetry, "0" * 31 + "1", now)


def _row(span_id: str, parent: str | None, time: int, duration: int) -> dict[str, Any]:
    return {"span_id": span_id, "parent_span_id": parent, "time": time, "duration": duration, "service": "s",
            "status": "ok", "status_code": None}  # fmt: skip


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(st.integers(0, 8), st.none() | st.integers(0, 9), st.integers(0, 1000), st.integers(0, 1000)),
        min_size=1,
        max_size=12,
    )
)
def test_a_waterfall_shows_each_span_once_within_its_bounds_whatever_points_where(
    shapes: list[tuple[int, int | None, int, int]],
) -> None:
    rows = [_row(f"s{own}", None if parent is None else f"s{parent}", at, took) for own, parent, at, took in shapes]
    trace = lay_out("t" * 32, rows)
    shown = [span.data["span_id"] for span in trace.spans]
    assert sorted(shown) == sorted({row["span_id"] for row in rows})
    for span in trace.spans:
        assert 0 <= span.start <= 1
        assert span.start + span.width <= 1 + 1e-9
        assert span.depth >= 0
    places = {span.data["span_id"]: number for number, span in enumerate(trace.spans)}
    depths = {span.data["span_id"]: span.depth for span in trace.spans}
    for span in trace.spans:
        if span.depth > 0:
            parent = span.data["parent_span_id"]
            assert places[parent] < places[span.data["span_id"]]
            assert span.depth == depths[parent] + 1


def _critical(*rows: dict[str, Any]) -> set[str]:
    return {span.data["span_id"] for span in lay_out("t" * 32, rows).spans if span.on_critical_path}


def test_the_critical_path_has_every_step_that_the_whole_waited_for() -> None:
    assert _critical(
        _row("root", None, 0, 100),
        _row("first", "root", 5, 40),
        _row("inside", "first", 10, 30),
        _row("beside", "root", 6, 20),
        _row("second", "root", 50, 45),
        _row("afterwards", "root", 120, 30),
    ) == {"root", "first", "inside", "second"}


def test_what_goes_on_after_the_answer_held_it_up_only_until_then() -> None:
    found = _critical(
        _row("root", None, 0, 100),
        _row("mail", "root", 90, 500),
        _row("smtp", "mail", 300, 200),
        _row("db", "root", 0, 80),
    )
    assert found == {"root", "mail", "db"}


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 100), st.integers(0, 100)), min_size=1, max_size=12))
def test_spans_of_the_critical_path_hang_together_and_never_run_beside_each_other(
    shapes: list[tuple[int, int, int]],
) -> None:
    rows = [
        _row(f"s{n}", f"s{parent}" if parent < n else None, at, took) for n, (parent, at, took) in enumerate(shapes)
    ]
    path = _critical(*rows)
    on_path = [row for row in rows if row["span_id"] in path]
    assert len([row for row in on_path if row["parent_span_id"] is None]) == 1
    for row in on_path:
        parent = row["parent_span_id"]
        assert parent is None or parent in path
        siblings = sorted(
            (one for one in on_path if one["parent_span_id"] == parent), key=lambda one: (one["time"], one["duration"])
        )
        whole = next((one["time"] + one["duration"] for one in rows if one["span_id"] == parent), 10**9)
        for one, later in itertools.pairwise(siblings):
            assert min(one["time"] + one["duration"], whole) <= later["time"]
