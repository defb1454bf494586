"""Counts from the embedded telemetry: what was sent is what an objective counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.slo.support import SETTINGS, Stage, slo
from tests.telemetry.support import MS, counter, logs, now_of, send, spans, store_on
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.modules.slo import reading
from watchkeeper.modules.slo.counting import paired, ratio_counts
from watchkeeper.modules.slo.engine import Engine
from watchkeeper.modules.slo.model import Status
from watchkeeper.modules.slo.sources_embedded import Embedded
from watchkeeper.modules.telemetry.errors import QueryTooSlow
from watchkeeper.modules.telemetry.query import Telemetry
from watchkeeper.modules.telemetry.wiring import TelemetryStore

GATEWAY = "duet-gateway"
S = 1_000 * MS


@dataclass
class Live(Stage):
    """A stage whose source is a real telemetry store."""

    store: TelemetryStore | None = None
    telemetry: Telemetry | None = None

    def another_engine(self) -> Engine:
        assert self.telemetry is not None
        return Engine(self.database, self.clock, (Embedded(self.telemetry),), SETTINGS)

    def send(self, request: Any) -> None:
        assert self.store is not None
        send(self.store, request)
        self.store.flusher.flush()

    @property
    def nano(self) -> int:
        return now_of(self.clock)


@pytest.fixture
def live(database: Database, clock: ManualClock, tmp_path: Path) -> Iterator[Live]:
    with store_on(database, clock, tmp_path / "telemetry-data") as store:
        telemetry = store.telemetry(database)
        yield Live(database, clock, store, telemetry)
        telemetry.close()


def of_gateway(kind: str, **said: Any) -> dict[str, Any]:
    return {"kind": kind, "service": GATEWAY, **said}


def test_requests_that_failed_are_bad_and_those_refused_are_not(live: Live) -> None:
    live.put(
        slo(service=GATEWAY, indicator=of_gateway("availability")),
        slo("strict", service=GATEWAY, indicator=of_gateway("availability", bad=["5xx", "4xx"])),
        slo("lenient", service=GATEWAY, indicator=of_gateway("availability", uncounted=["4xx"])),
    )
    for status, count in ((200, 90), (503, 4), (404, 6)):
        live.send(spans(live.nano - 30 * S, count=count, status_code=status, seed=status))
    live.run()
    assert (live.figures().counts.bad, live.figures().counts.total) == (4, 100)
    assert (live.figures("strict").counts.bad, live.figures("strict").counts.total) == (10, 100)
    assert (live.figures("lenient").counts.bad, live.figures("lenient").counts.total) == (4, 94)


def test_an_answer_is_bad_or_uncounted_but_not_both() -> None:
    with pytest.raises(ValidationError, match="4xx either in bad or in uncounted"):
        slo(indicator=of_gateway("availability", bad=["5xx", "4xx"], uncounted=["4xx"]))


def test_routes_and_environments_choose_what_counts(live: Live) -> None:
    for name, chosen in {
        "only": {"routes": ["/v1/*"]},
        "without": {"exclude_routes": ["/v1/offers"]},
        "elsewhere": {"environment": "staging"},
        "posts": {"methods": ["POST"]},
    }.items():
        live.put(slo(name, service=GATEWAY, indicator=of_gateway("availability", **chosen)))
    live.send(spans(live.nano - 30 * S, count=7, route="/v1/offers"))
    live.send(spans(live.nano - 30 * S, count=5, route="/v2/offers", seed=2))
    live.run()
    totals = {name: live.figures(name).counts.total for name in ("only", "without", "elsewhere", "posts")}
    assert totals == {"only": 7, "without": 5, "elsewhere": 0, "posts": 0}


def test_each_percentile_of_a_latency_is_an_objective(live: Live) -> None:
    objectives = [
        {"name": "p50", "target": 0.5, "threshold": "100ms"},
        {"name": "p95", "target": 0.95, "threshold": "500ms"},
    ]
    live.put(slo(service=GATEWAY, indicator=of_gateway("latency"), objectives=objectives))
    for milliseconds, count in ((20, 60), (300, 30), (900, 10)):
        live.send(spans(live.nano - 40 * S, count=count, duration=milliseconds * MS, seed=milliseconds))
    live.run()
    with live.database.read() as session:
        half, most = reading.figures(session, live.engine, live.clock.now(), "api")
    assert (half.objective.name, half.counts.good, half.counts.total) == ("p50", 60, 100)
    assert (most.objective.name, most.counts.good, most.counts.total) == ("p95", 90, 100)
    assert most.budget.spent / half.budget.spent == pytest.approx(2.0 / 0.8)


def test_a_counter_that_starts_anew_loses_nothing_and_gains_nothing(live: Live) -> None:
    ratio = {
        "kind": "ratio",
        "good": {"service": GATEWAY, "counter": "good"},
        "total": {"service": GATEWAY, "counter": "all"},
    }
    live.put(slo(service=GATEWAY, indicator=ratio))
    begin = live.nano - 300 * S
    for name, values in {"all": (100, 160, 10, 30), "good": (100, 150, 10, 28)}.items():
        points = [(begin + number * 60 * S, float(value)) for number, value in enumerate(values)]
        # The process began anew before the third point.
        live.send(counter(points[:2], name=name, start=begin - 600 * S))
        live.send(counter(points[2:], name=name, start=begin + 100 * S))
    live.run()
    counts = live.figures().counts
    assert (counts.total, counts.good) == (100 + 60 + 10 + 20, 100 + 50 + 10 + 18)


def test_events_are_counted_by_name_and_attributes(live: Live) -> None:
    live.put(
        slo(
            service=GATEWAY,
            indicator={
                "kind": "ratio",
                "bad": {"service": GATEWAY, "event": "match.closed", "where": {"how": "declined"}},
                "total": {"service": GATEWAY, "event": "match.closed"},
            },
        )
    )
    for how, count in (("accepted", 3), ("declined", 1)):
        request = logs(live.nano - 60 * S, *["x"] * count, how=how)
        for record in request.resource_logs[0].scope_logs[0].log_records:
            record.event_name = "match.closed"
        live.send(request)
    live.run()
    assert (live.figures().counts.bad, live.figures().counts.total) == (1, 4)


def event(at: int, name: str, key: str, **attributes: Any) -> Any:
    request = logs(at, name, report=key, **attributes)
    request.resource_logs[0].scope_logs[0].log_records[0].event_name = name
    return request


def test_a_response_that_never_comes_is_bad_when_its_time_is_over(live: Live) -> None:
    live.put(
        slo(
            service=GATEWAY,
            indicator=of_gateway(
                "responses", started="report.filed", finished="report.triaged", key="report",
                where={"level": "critical"},
            ),
            objectives=[{"name": "p95", "target": 0.95, "threshold": "15m"}],
        )
    )  # fmt: skip
    filed = live.nano
    live.send(event(filed, "report.filed", "a", level="critical"))
    live.send(event(filed, "report.filed", "b", level="critical"))
    live.send(event(filed, "report.filed", "c", level="low"))
    live.clock.advance(timedelta(minutes=5))
    live.send(event(filed + 290 * S, "report.triaged", "a"))
    live.run()
    assert (live.figures().counts.good, live.figures().counts.total) == (1, 1)
    live.clock.advance(timedelta(minutes=11))
    live.run()
    assert (live.figures().counts.good, live.figures().counts.total) == (1, 2)
    assert live.figures().burns[timedelta(hours=1)].counts.bad == 1


def test_a_heartbeat_that_stops_is_late_minute_by_minute(live: Live) -> None:
    live.put(
        slo(
            service=GATEWAY,
            indicator=of_gateway("freshness", event="backup.done"),
            objectives=[{"target": 0.9, "threshold": "5m"}],
        )
    )
    live.send(event(live.nano, "backup.done", "x"))
    live.run(timedelta(minutes=20), every=timedelta(minutes=1))
    counts = live.figures().counts
    assert (counts.good, counts.total) == (6, 20)
    # And before it beat for the first time it was not late: it was not there.
    assert counts.measured == pytest.approx(1200)


def test_silence_of_a_service_is_not_uptime(live: Live) -> None:
    live.put(slo(service=GATEWAY, indicator=of_gateway("availability")))
    live.send(spans(live.nano - S, count=10))
    live.run(timedelta(minutes=15), every=timedelta(seconds=30))
    found = live.figures()
    assert found.status is Status.SILENT
    assert found.counts.measured <= 7 * 60


@pytest.mark.parametrize("cumulative", [True, False])
def test_a_counter_that_is_not_told_any_more_is_not_zero_and_one_of_deltas_is(live: Live, cumulative: bool) -> None:
    """The service goes on speaking of other things: a release that lost a metric is no quiet night."""
    live.put(
        slo(
            service=GATEWAY,
            indicator={
                "kind": "ratio",
                "good": {"service": GATEWAY, "counter": "good"},
                "total": {"service": GATEWAY, "counter": "all"},
            },
        )
    )
    for minute in range(20):
        if minute < 8:
            for name in ("all", "good"):
                points = [(live.nano - S, 100.0 + minute * 10)]
                live.send(counter(points, name=name, start=live.nano - 3600 * S, cumulative=cumulative))
        live.send(spans(live.nano - S, count=3, seed=minute))
        live.clock.advance(timedelta(minutes=1))
        live.run()
    measured = live.figures().burns[timedelta(hours=1)].counts.measured
    if cumulative:
        assert live.figures().status is Status.SILENT
        assert [one.dedup_key for one in live.alerts()] == ["slo/source/slo:api"]
        assert measured <= 14 * 60
    else:
        assert live.alerts() == []
        assert measured >= 19 * 60


def test_a_store_that_does_not_answer_is_a_problem_and_no_zero(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    live.put(slo(service=GATEWAY, indicator=of_gateway("availability")))
    live.send(spans(live.nano - S, count=10))
    live.run()

    def too_slow(*_args: Any, **_named: Any) -> Any:
        raise QueryTooSlow("The query took longer than 10 s.")

    monkeypatch.setattr(Telemetry, "select", too_slow)
    live.run(timedelta(minutes=7), every=timedelta(seconds=30))
    assert live.figures().problem == "The query took longer than 10 s."
    assert [one.kind for one in live.alerts(open_only=True)] == ["source_silent"]


@given(
    begun=st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 5_000)), max_size=30),
    ended=st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 5_000)), max_size=30),
    within=st.floats(1, 600),
    cut=st.integers(1, 80),
)
def test_pairs_add_up_however_time_is_cut(begun: list, ended: list, within: float, cut: int) -> None:
    begun, ended = sorted(begun, key=lambda one: one[1]), sorted(ended, key=lambda one: one[1])
    whole = paired(begun, ended, within, 0, 6_000)
    edge = cut * 60
    pieces = [paired(begun, ended, within, 0, edge - 1e-6), paired(begun, ended, within, edge, 6_000)]
    for place in (0, 1):
        assert sum(one[place] for one in whole.values()) == sum(one[place] for part in pieces for one in part.values())
    assert all(0 <= good <= total for good, total in whole.values())


@given(
    total=st.dictionaries(st.integers(0, 5), st.floats(0, 1e9), max_size=6),
    part=st.dictionaries(st.integers(0, 5), st.floats(0, 1e9), max_size=6),
    good=st.booleans(),
)
def test_good_is_never_more_than_all(total: dict, part: dict, good: bool) -> None:
    assert all(0 <= one[0] <= one[1] for one in ratio_counts(total, part, part_is_good=good).values())
