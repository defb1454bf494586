"""Telemetry's API: who may ask, what a question may look like, and that an answer is whole and bounded."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from tests.telemetry.console import Console
from tests.telemetry.support import MS, counter, histogram, logs, spans
from watchkeeper.modules.telemetry.engine import Engine
from watchkeeper.modules.telemetry.errors import QueryTooSlow
from watchkeeper.modules.telemetry.model import MINUTE

# What is asked of the database, the list of parts, is tested on both engines beside the queries.
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
TRACE = (b"t" * 16).hex()
PATHS = [
    "services",
    "services/duet-gateway/red",
    "services/duet-gateway/routes",
    "traces",
    f"traces/{TRACE}",
    "logs",
    "logs/histogram",
    "metrics?service=duet-gateway",
    "metrics/query?service=duet-gateway&name=duet.offers",
    "metrics/chart?service=duet-gateway&name=duet.offers",
    "charts/duet-gateway/traffic",
    "charts/duet-gateway/errors",
    "charts/duet-gateway/latency",
]
paths = pytest.mark.parametrize("path", PATHS)
INJECTIONS = [
    "' OR 1=1 --",
    "'; DROP TABLE telemetry_parts; --",
    "\\",
    "%",
    "_",
    "a' UNION SELECT 1 --",
    '"',
    "$1",
    "?",
]


def fill(console: Console) -> None:
    """A little of everything."""
    at = console.now - 2 * MINUTE
    request = spans(at, count=3)
    request.resource_spans[0].scope_spans[0].spans[0].trace_id = b"t" * 16
    console.take(
        request,
        spans(at, count=2, seed=2, status_code=500, duration=300 * MS, route="/v1/slow"),
        logs(at, "one", "two", severity=17, trace_id=b"t" * 16, **{"user.id": 7}),
        counter([(at - MINUTE, 10.0), (at, 70.0)]),
        histogram(at, [0, 5, 0], [0.1, 0.2], name="duet.age"),
    )


def pages_of(console: Console, path: str) -> list[list[dict[str, Any]]]:
    """All pages of a list."""
    found, cursor = [], ""
    while True:
        page = console.get(f"{path}{cursor}")
        assert page.keys() == {"items", "next"}
        found.append(page["items"])
        if page["next"] is None:
            return found
        cursor = f"&cursor={page['next']}"


@paths
def test_reading_telemetry_needs_the_right_to_read(console: Console, path: str) -> None:
    fill(console)
    assert console.ask(f"/api/v1/telemetry/{path}", {}).status_code == 401
    assert console.api(path, "intake").status_code == 403
    assert console.api(path, "read").status_code == 200


def test_services_tell_requests_errors_and_durations(console: Console) -> None:
    fill(console)
    (service,) = console.get("services")
    red = service["red"]
    assert (service["service"], service["health"]) == ("duet-gateway", "failing")
    assert (red["requests"], red["errors"], red["client_errors"], red["error_share"]) == (5, 2, 0, 0.4)
    assert red["requests_per_second"] == pytest.approx(5 / 120, rel=1e-2)
    assert red["p50_ms"] == pytest.approx(20, rel=0.1)
    assert red["p99_ms"] == pytest.approx(300, rel=0.1)
    assert red["max_ms"] == 300
    assert service["newest"] == "2026-03-02T11:58:00.002000Z"


def test_a_series_has_a_point_for_each_step_and_null_where_nothing_was_measured(console: Console) -> None:
    fill(console)
    series = console.get("services/duet-gateway/red?since=10m&step=1m")
    assert series["step_seconds"] == 60
    assert [None if p["red"] is None else p["red"]["requests"] for p in series["points"]] == [None] * 8 + [5, None]
    assert console.get("services/duet-gateway/red?route=/v1/slow&since=10m")["points"][8]["red"]["requests"] == 2
    assert console.get("services/duet-gateway/red?environment=production")["points"][0]["red"] is None


def test_routes_are_told_worst_first(console: Console) -> None:
    fill(console)
    found = console.get("services/duet-gateway/routes")
    assert [(one["route"], one["method"], one["red"]["requests"]) for one in found] == [
        ("/v1/slow", "GET", 2),
        ("/v1/offers", "GET", 3),
    ]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 5),
        ("service=duet-gateway", 5),
        ("service=other", 0),
        ("status=error", 2),
        ("status=ok", 3),
        ("status=", 5),
        ("route=/v1/slow", 2),
        ("environment=demo", 5),
        ("environment=production", 0),
        ("min_duration=100", 2),
        ("max_duration=100", 3),
        ("min_duration=&max_duration=", 5),
        ("q=SLOW", 2),
        ("since=1m", 0),
        ("until=1m", 5),
        ("until=5m", 0),
    ],
)
def test_requests_are_found(console: Console, query: str, count: int) -> None:
    fill(console)
    assert len(console.get(f"traces?{query}")["items"]) == count


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 2),
        ("q=ONE", 1),
        ("service=duet-gateway&severity=error", 2),
        ("severity=fatal", 0),
        ("severity=&trace_id=", 2),
        (f"trace_id={TRACE}", 2),
        ("attr.user.id=7", 2),
        ("attr.user.id=8", 0),
        ("environment=demo", 2),
    ],
)
def test_log_lines_are_found(console: Console, query: str, count: int) -> None:
    fill(console)
    assert len(console.get(f"logs?{query}")["items"]) == count
    histogram_found = console.get(f"logs/histogram?{query}")
    assert sum(sum(one["values"]) for one in histogram_found["series"]) == count


@pytest.mark.parametrize("path", ["traces?limit=2", "traces?limit=2&order=slowest", "logs?limit=1"])
def test_pages_hold_each_item_once_and_the_last_has_no_next(console: Console, path: str) -> None:
    fill(console)
    pages = pages_of(console, path)
    items = [str(item) for page in pages for item in page]
    assert len(items) == len(set(items)) == (5 if path.startswith("traces") else 2)
    assert all(pages)


def test_what_arrives_later_moves_nothing_on_the_following_pages(console: Console) -> None:
    fill(console)
    first = console.get("traces?limit=2")
    console.take(spans(console.now - MINUTE, count=4, seed=9))
    rest = pages_of(console, f"traces?limit=2&cursor={first['next']}")[0]
    assert not {one["span_id"] for one in first["items"]} & {one["span_id"] for one in rest}
    assert len(rest) == 2


def test_metrics_are_listed_and_asked(console: Console) -> None:
    fill(console)
    assert [(one["name"], one["type"], one["series"]) for one in console.get("metrics?service=duet-gateway")] == [
        ("duet.age", "histogram", 1),
        ("duet.offers", "sum", 1),
    ]
    found = console.get("metrics/query?service=duet-gateway&name=duet.offers&since=10m")
    assert found["shows"] == "rate a second"
    assert [value for value in found["chart"]["series"][0]["values"] if value is not None] == [1.0]
    chart = console.get("metrics/chart?service=duet-gateway&name=duet.offers&since=10m&group_by=")
    assert chart == found["chart"]


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("services?since=yesterday", "query.since"),
        ("services?since=1m&until=5m", "query.since"),
        ("services?since=0001-01-01T00:00:00Z", "query.since"),
        ("logs?since=2000-01-01T00:00:00Z", "query.since"),
        ("logs?until=now", "query.until"),
        ("logs?limit=0", "query.limit"),
        ("logs?limit=201", "query.limit"),
        ("logs?severity=loud", "query.severity"),
        ("logs?trace_id=xyz", "query.trace_id"),
        ("logs?q=" + "x" * 501, "query.q"),
        ("logs?" + "&".join(f"attr.{n}=1" for n in range(9)), "query.attr.*"),
        ("logs?cursor=AAAA", "query.cursor"),
        ("traces?cursor=" + "W" * 40, "query.cursor"),
        ("traces?min_duration=-1", "query.min_duration"),
        ("traces?min_duration=nan", "query.min_duration"),
        ("traces?order=random", "query.order"),
        ("traces?status=fine", "query.status"),
        ("services/x/red?step=90s", "query.step"),
        ("services/x/red?step=1m&since=30d", "query.step"),
        ("services/x/red?step=0m", "query.step"),
        ("traces/0123", "path.trace_id"),
        ("traces/" + "A" * 32, "path.trace_id"),
        (f"traces/{TRACE}?near=-1", "query.near"),
        (f"traces/{TRACE}?near=99999999999999999999", "query.near"),
        ("metrics", "query.service"),
        ("metrics/query?service=x", "query.name"),
    ],
)
def test_a_question_that_makes_no_sense_is_told_where(console: Console, path: str, where: str) -> None:
    answer = console.api(path)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert where in [error["where"] for error in problem["errors"]]
    assert problem["code"]


@pytest.mark.parametrize("text", INJECTIONS)
def test_what_a_user_types_is_only_ever_a_value(console: Console, text: str) -> None:
    fill(console)
    params = {"service": text, "route": text, "environment": text, "q": text, f"attr.{text}": text}
    for path in ("traces", "logs", "logs/histogram"):
        for name, value in params.items():
            answer = console.api(f"{path}?{urlencode({name: value})}")
            assert answer.status_code == 200, answer.text
    assert console.get(f"metrics?{urlencode({'service': text})}") == []
    query = urlencode({"service": "duet-gateway", "name": "duet.offers", "group_by": text})
    assert console.api(f"metrics/query?{query}").status_code == 200
    assert len(console.get("traces")["items"]) == 5


def test_a_question_that_takes_too_long_is_answered_in_words(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object, **__: object) -> None:
        raise QueryTooSlow("Stopped after 10 s: ask for a shorter time range or one service.")

    fill(console)
    monkeypatch.setattr(Engine, "query", slow)
    answer = console.api("logs?since=7d")
    assert answer.status_code == 504
    assert answer.json()["code"] == "telemetry.query_too_slow"
    assert "shorter time range" in answer.json()["detail"]


def test_a_chart_marks_what_happened_to_the_service(console: Console) -> None:
    fill(console)
    chart = console.get("charts/duet-gateway/latency?since=10m")
    assert [one["label"] for one in chart["series"]] == ["p50", "p95", "p99"]
    assert len(chart["times"]) == len(chart["series"][0]["values"])
    assert chart["marks"] == []
    console.declare("duet-gateway")
    (mark,) = console.get("charts/duet-gateway/latency?until=2026-03-02T12:01:00Z")["marks"]
    assert mark["at"] == console.now // 10**9
    assert mark["href"].startswith("/timeline")


def test_the_newest_step_is_not_drawn_before_its_data_can_be_there(console: Console) -> None:
    console.take(spans(console.now - 2 * MINUTE, count=60), spans(console.now + 1, count=1, seed=2))
    chart = console.get("charts/duet-gateway/traffic?since=5m&until=2026-03-02T12:00:05Z")
    assert chart["series"][0]["values"][-3:] == [1.0, 0.0, None]
    points = console.get("services/duet-gateway/red?since=5m&until=2026-03-02T12:00:05Z")["points"]
    assert points[-1]["red"]["requests"] == 1
