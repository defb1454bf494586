"""Questions to telemetry: complete, bounded, and true to what was sent."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.telemetry.support import MS, logs, now_of, send, spans
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.modules.telemetry import query_logs, query_red
from watchkeeper.modules.telemetry.answers import Health, Red, health_of, measured
from watchkeeper.modules.telemetry.errors import QueryInvalid, QueryTooSlow
from watchkeeper.modules.telemetry.model import DAY, HOUR, MINUTE, SECOND, bucket_bounds, bucket_of, percentile
from watchkeeper.modules.telemetry.query import Telemetry, json_path, like
from watchkeeper.modules.telemetry.query_logs import LogFilter
from watchkeeper.modules.telemetry.ranges import Range, duration_of, range_of
from watchkeeper.modules.telemetry.wiring import TelemetryStore


def _recent(clock: ManualClock, length: int = HOUR) -> Range:
    return Range(now_of(clock) - length, now_of(clock) + MINUTE)


@given(st.integers(0, 9 * HOUR))
def test_a_duration_lies_in_its_bucket(duration: int) -> None:
    lower, upper = bucket_bounds(bucket_of(duration))
    assert duration <= upper * (1 + 1e-9)
    assert duration > lower * (1 - 1e-9) or duration == 0


@given(st.lists(st.integers(1_100, 60 * SECOND), min_size=1, max_size=300), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_a_percentile_from_buckets_is_within_ten_percent(durations: list[int], share: float) -> None:
    red = Red()
    for duration in durations:
        red.add(
            {"requests": 1, "errors": 0, "client_errors": 0, "duration_sum": duration, "duration_max": duration,
             "bucket": bucket_of(duration)}
        )  # fmt: skip
    # The nearest-rank value: the smallest duration that at least this share of all is not above.
    exact = sorted(durations)[max(0, -int(-share * len(durations) // 1) - 1)]
    found = red.quantile(share)
    assert found is not None
    assert exact / 1.1 * 0.999 <= found <= exact * 1.1 * 1.001


def test_nothing_has_no_percentile() -> None:
    assert percentile([], 0.5) is None
    assert Red().quantile(0.99) is None
    assert Red().error_share is None


@pytest.mark.parametrize(
    ("errors", "age", "health"),
    [(0, 0, Health.OK), (1, 0, Health.DEGRADED), (5, 0, Health.FAILING), (100, 301 * SECOND, Health.SILENT)],
)
def test_health_follows_the_share_of_failures_and_silence(errors: int, age: int, health: Health) -> None:
    assert health_of(Red(requests=100, errors=errors), 10 * HOUR - age, 10 * HOUR) is health


@given(st.integers(0, 3 * HOUR), st.integers(MINUTE, 2 * HOUR))
def test_a_rate_is_over_the_time_that_was_measured(before: int, length: int) -> None:
    found = measured(10 * HOUR - before, 10 * HOUR, length)
    assert MINUTE <= found <= max(length, MINUTE)


def test_services_are_shown_worst_first(store: TelemetryStore, telemetry: Telemetry, clock: ManualClock) -> None:
    now = now_of(clock)
    send(store, spans(now - MINUTE, service="well", count=50, seed=1))
    send(store, spans(now - MINUTE, service="broken", count=50, seed=2, status_code=503))
    send(store, spans(now - 20 * MINUTE, service="quiet", count=5, seed=3))
    store.flusher.flush()
    found = query_red.services(telemetry, _recent(clock), now, {})
    assert [(one.service, one.health) for one in found] == [
        ("broken", Health.FAILING),
        ("quiet", Health.SILENT),
        ("well", Health.OK),
    ]
    assert found[0].red.error_share == 1.0
    assert found[0].newest == now - MINUTE + 49 * MS


def test_a_service_without_visitors_that_still_sends_is_not_silent(
    store: TelemetryStore, telemetry: Telemetry, clock: ManualClock
) -> None:
    now = now_of(clock)
    send(store, spans(now - 20 * MINUTE, service="idle"))
    store.flusher.flush()
    (found,) = query_red.services(telemetry, _recent(clock), now, {"idle": now - 9 * SECOND})
    assert (found.health, found.newest) == (Health.OK, now - 9 * SECOND)


def test_client_errors_are_no_failures_of_the_service(
    store: TelemetryStore, telemetry: Telemetry, clock: ManualClock
) -> None:
    send(store, spans(now_of(clock) - MINUTE, count=10, status_code=404))
    store.flusher.flush()
    (found,) = query_red.services(telemetry, _recent(clock), now_of(clock), {})
    assert (found.red.errors, found.red.client_errors) == (0, 10)


def test_time_that_was_not_measured_is_null_and_a_quiet_minute_is_zero(
    store: TelemetryStore, telemetry: Telemetry, clock: ManualClock
) -> None:
    now = now_of(clock)
    send(store, spans(now - 5 * MINUTE, seed=1))
    send(store, spans(now - 3 * MINUTE, seed=2))
    store.flusher.flush()
    span = Range(now - 10 * MINUTE, now)
    points = query_red.series(telemetry, "duet-gateway", span, MINUTE)
    assert [None if p.red is None else p.red.requests for p in points] == [None] * 5 + [1, 0, 1, None, None]


def test_long_ranges_are_answered_from_hours_and_agree_with_minutes(
    store: TelemetryStore, telemetry: Telemetry, clock: ManualClock
) -> None:
    now = now_of(clock)
    for number in range(6):
        send(store, spans(now - number * 20 * HOUR, count=number + 1, seed=number))
    store.flusher.flush()
    week = Range((now - 7 * DAY) // HOUR * HOUR, now + HOUR)
    hours = query_red.series(telemetry, "duet-gateway", week, HOUR)
    assert sum(point.red.requests for point in hours if point.red) == 21
    days = [Range(week.since + n * DAY, week.since + (n + 1) * DAY) for n in range(8)]
    minutes = [p for day in days for p in query_red.series(telemetry, "duet-gateway", day, MINUTE) if p.red]
    assert sum(point.red.requests for point in minutes if point.red) == 21


def test_routes_tell_apart_methods_and_failures(
    store: TelemetryStore, telemetry: Telemetry, clock: ManualClock
) -> None:
    now = now_of(clock) - MINUTE
    send(store, spans(now, route="/a", count=3, seed=1))
    send(store, spans(now, route="/b", count=2, seed=2, status_code=500))
    send(store, spans(now, route="", count=1, seed=3))
    store.flusher.flush()
    found = query_red.routes(telemetry, "duet-gateway", _recent(clock))
    assert [(one.route, one.red.requests, one.red.errors) for one in found] == [("/b", 2, 2), ("/a", 3, 0), ("", 1, 0)]


def test_log_lines_are_found_by_text_severity_attribute_and_trace(
    store: TelemetryStore, telemetry: Telemetry, clock: ManualClock
) -> None:
    now = now_of(clock) - MINUTE
    send(store, logs(now, "user 7 paid 100%", "user 8 left", **{"http.route": "/pay", "user.id": 7}))
    send(store, logs(now, "Database is DOWN", severity=17, trace_id=b"t" * 16, **{'odd "key"': "x"}))
    send(store, logs(now, "<script>alert(1)</script>", service="other"))
    store.flusher.flush()

    def bodies(**wanted: Any) -> list[str]:
        found = query_logs.search(telemetry, _recent(clock), LogFilter(**wanted), 50, None)
        return sorted(row.body for row, _ in found)

    assert len(bodies()) == 4
    assert bodies(text="database is down") == ["Database is DOWN"]
    assert bodies(text="100%") == ["user 7 paid 100%"]
    assert bodies(text="1_0") == []
    assert bodies(severity=13) == ["Database is DOWN"]
    assert bodies(service="other") == ["<script>alert(1)</script>"]
    assert bodies(trace_id=(b"t" * 16).hex()) == ["Database is DOWN"]
    assert bodies(attributes={"http.route": "/pay", "user.id": "7"}) == ["user 7 paid 100%", "user 8 left"]
    assert bodies(attributes={'odd "key"': "x"}) == ["Database is DOWN"]
    assert bodies(attributes={"x' OR 1=1 --": "y"}) == []


def test_every_line_is_on_exactly_one_page(store: TelemetryStore, telemetry: Telemetry, clock: ManualClock) -> None:
    for hour in range(5):
        send(store, logs(now_of(clock) - hour * HOUR, *[f"line {hour}.{n}" for n in range(8)]))
    store.flusher.flush()
    seen: list[str] = []
    after: tuple[int, int] | None = None
    while True:
        found = query_logs.search(telemetry, _recent(clock, DAY), LogFilter(), 6, after)
        seen += [row.body for row, _ in found]
        if len(found) < 6:
            break
        after = (found[-1][0].time, found[-1][1])
    assert sorted(seen) == sorted(f"line {hour}.{n}" for hour in range(5) for n in range(8))


def test_the_histogram_of_lines_adds_up_to_the_list(
    store: TelemetryStore, telemetry: Telemetry, clock: ManualClock
) -> None:
    send(store, logs(now_of(clock) - MINUTE, "a", "b", severity=9))
    send(store, logs(now_of(clock) - 3 * MINUTE, "c", severity=17))
    store.flusher.flush()
    found = query_logs.histogram(telemetry, _recent(clock), LogFilter(), MINUTE)
    assert sorted(level for counts in found.values() for level in counts) == ["ERROR", "INFO"]
    assert sum(sum(counts.values()) for counts in found.values()) == 3


def test_a_question_that_takes_too_long_is_stopped(store: TelemetryStore) -> None:
    with pytest.raises(QueryTooSlow):
        store.engine.query(
            "SELECT count(*) FROM range(1000000000) a, range(1000) b WHERE a.range % 7 = b.range", seconds=0.2
        )
    assert store.engine.query("SELECT 1").rows == [(1,)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "5",
        "5w",
        "0m",
        "-5m",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "999999d",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+10:00",
        "9999-12-31T00:00:00Z",
    ],
)
def test_a_time_that_can_not_be_read_is_refused_with_what_was_expected(text: str) -> None:
    now = datetime(2026, 3, 2, tzinfo=UTC)
    if text == "":
        assert range_of(text, None, now).length == HOUR
        return
    with pytest.raises(QueryInvalid) as refusal:
        range_of(text, None, now)
    assert refusal.value.complaints[0].where == "query.since"


@given(st.integers(1, 400), st.sampled_from("smhd"))
def test_relative_times_mean_what_they_say(count: int, unit: str) -> None:
    seconds = {"s": 1, "m": 60, "h": 3600, "d": 86_400}[unit]
    assert duration_of(f"{count}{unit}", "x") == timedelta(seconds=count * seconds) // timedelta(microseconds=1) * 1000


@given(st.integers(1, 400 * 24), st.integers(0, 10**6))
def test_slices_cover_a_range_without_gap_or_overlap(hours: int, offset: int) -> None:
    span = Range(offset, offset + hours * HOUR)
    pieces = list(span.backwards())
    assert pieces[0].until == span.until
    assert pieces[-1].since == span.since
    assert all(newer.since == older.until for newer, older in itertools.pairwise(pieces))


NAMES = st.text(st.sampled_from("ab*?$.#@[]'\"`~\\/ \n\x01%_{}é😀"), min_size=1, max_size=6)


@given(NAMES, NAMES)
def test_an_attribute_is_found_by_its_name_and_text_by_itself_whatever_characters_they_have(
    name: str, other: str
) -> None:
    attributes = orjson.dumps({name: "wanted", f"{name}{other}": "else"}).decode()
    sql = "SELECT json_extract_string(?, ?) = ?, ? ILIKE ? ESCAPE '\\', ? ILIKE ? ESCAPE '\\'"
    values = [attributes, json_path(name), "wanted", f"{other}{name}", like(name), other, like(f"{name}{other}")]
    assert duckdb.execute(sql, values).fetchone() == (True, True, False)
