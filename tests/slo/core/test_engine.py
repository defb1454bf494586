"""The engine watches objectives: it fires once, knows what it does not know, and counts again what changes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.slo.support import Stage, slo
from watchkeeper.modules.slo import reading, store_counts
from watchkeeper.modules.slo.model import Counts, Status

SECONDS = timedelta(seconds=15)
MINUTES = timedelta(minutes=1)


def outage_from(stage: Stage, name: str = "api", *, error: float = 1.0, lasts: timedelta | None = None) -> None:
    """From now on this share of a hundred events a minute is bad."""
    start = stage.clock.now().timestamp()
    end = start + lasts.total_seconds() if lasts is not None else float("inf")
    stage.tape.by_slo[name] = lambda minute: (100.0 * (1 - error) if start <= minute < end else 100.0, 100.0)


def test_good_events_keep_the_budget_whole(stage: Stage) -> None:
    stage.put(slo())
    stage.steady("api")
    stage.run(2 * MINUTES)
    found = stage.figures()
    assert (found.status, found.share, found.budget.remaining) == (Status.MET, 1.0, 1.0)
    assert found.counts.total == pytest.approx(100 * 60 * 24 * 30, rel=0.01)
    assert found.covered == pytest.approx(1.0, abs=0.01)
    assert stage.alerts() == []


def test_an_outage_pages_once_and_ends_once(stage: Stage) -> None:
    stage.put(slo())
    stage.steady("api")
    stage.run()
    outage_from(stage, lasts=10 * MINUTES)
    stage.run(40 * MINUTES)
    pages = [one for one in stage.alerts() if one.action == "page"]
    assert len(pages) == 1
    assert pages[0].resolved_at is not None
    assert pages[0].started_at - stage.clock.now() + 40 * MINUTES <= 75 * timedelta(seconds=1)
    told = [fact.kind for fact in stage.facts() if fact.data.get("action") == "page"]
    assert told == ["slo.alert_fired", "slo.alert_resolved"]
    fired = stage.facts("slo.alert_fired")[0]
    assert (fired.data["action"], fired.data["dedup_key"], fired.service) == ("page", "slo/api/main/page", "gateway")
    assert "14.4x over 1h and 5m" in fired.data["rules"]


def test_it_fires_within_a_step_of_the_closed_form(stage: Stage) -> None:
    """The tape tells a whole minute at once, so it can only be early by what the minute holds."""
    stage.put(slo())
    stage.steady("api")
    stage.run()
    began = stage.clock.now()
    outage_from(stage, error=0.1)
    stage.run(12 * MINUTES)
    page = next(one for one in stage.alerts() if one.action == "page")
    assert timedelta(minutes=8.64) - MINUTES <= page.started_at - began <= timedelta(minutes=8.64) + SECONDS


def test_two_replicas_page_once(stage: Stage) -> None:
    stage.put(slo())
    stage.steady("api")
    other = stage.another_engine()
    stage.run()
    other.run_once()
    outage_from(stage)
    for _ in range(12):
        stage.clock.advance(SECONDS)
        stage.engine.run_once()
        other.run_once()
    assert len([one for one in stage.alerts() if one.action == "page"]) == 1
    assert len(stage.facts("slo.alert_fired")) == 1


def test_a_restart_neither_pages_again_nor_forgets(stage: Stage) -> None:
    stage.put(slo())
    stage.steady("api")
    stage.run()
    outage_from(stage)
    stage.run(3 * MINUTES)
    before = stage.figures().counts
    stage.engine = stage.another_engine()
    stage.run()
    assert stage.figures().counts.bad == pytest.approx(before.bad)
    assert len(stage.alerts()) == 1
    stage.steady("api")
    stage.clock.advance(timedelta(hours=7))
    stage.engine = stage.another_engine()
    stage.run()
    assert stage.alerts(open_only=True) == []


def test_what_comes_back_soon_pages_nobody_again(stage: Stage) -> None:
    stage.put(slo())
    stage.steady("api")
    stage.run()
    start = stage.clock.now().timestamp()
    stage.tape.by_slo["api"] = lambda m: (0.0 if int(m - start) // 60 % 12 < 1 and m >= start else 100.0, 100.0)
    stage.run(16 * MINUTES)
    facts = stage.facts("slo.alert_fired")
    assert [fact.data["repeated"] for fact in facts if fact.data["action"] == "page"][:2] == [False, True]
    assert len({fact.data["alert"] for fact in facts if fact.data["action"] == "page"}) == 1


def test_a_source_that_says_nothing_is_an_alert_and_no_uptime(stage: Stage) -> None:
    stage.put(slo())
    start = stage.clock.now().timestamp()
    stage.tape.by_slo["api"] = lambda minute: (100.0, 100.0) if minute < start + 600 else None
    stage.run(20 * MINUTES)
    assert [(one.kind, one.action) for one in stage.alerts()] == [("source_silent", "page")]
    found = stage.figures()
    assert found.status is Status.SILENT
    assert found.burns[timedelta(hours=1)].covered < 0.95
    stage.steady("api")
    stage.run(MINUTES)
    assert stage.alerts(open_only=True) == []


def test_a_source_that_refuses_is_told_with_its_reason(stage: Stage) -> None:
    stage.put(slo())
    stage.tape.problem = "prometheus answered 503"
    stage.run(8 * MINUTES)
    alert = stage.alerts()[0]
    assert alert.kind == "source_silent"
    assert "prometheus answered 503" in alert.detail
    assert stage.figures().problem == "prometheus answered 503"


def test_what_was_never_heard_is_no_alert(stage: Stage) -> None:
    stage.put(slo())
    stage.run(20 * MINUTES)
    assert stage.alerts() == []
    assert stage.figures().status is Status.NO_DATA


def test_an_outage_of_the_source_keeps_a_page_open(stage: Stage) -> None:
    stage.put(slo())
    stage.steady("api")
    stage.run()
    outage_from(stage)
    stage.run(3 * MINUTES)
    stage.tape.by_slo["api"] = lambda _minute: None
    stage.run(6 * MINUTES)
    assert "burn" in [one.kind for one in stage.alerts(open_only=True)]


def test_maintenance_neither_pages_nor_spends_even_after_it(stage: Stage) -> None:
    stage.put(slo())
    stage.steady("api")
    stage.run()
    now = stage.clock.now()
    stage.records(
        lambda records: records.exclude(
            "maintenance", service="gateway", slos=(), since=now, until=now + 10 * MINUTES,
            reason="a new disk", by="alice", source="api",
        )
    )  # fmt: skip
    outage_from(stage, lasts=10 * MINUTES)
    stage.run(30 * MINUTES)
    assert stage.alerts() == []
    found = stage.figures()
    assert found.budget.spent == 0
    assert (found.excluded.bad, found.excluded.total) == (1000, 1000)


def test_an_exclusion_of_the_past_gives_back_what_it_covers_until_it_is_withdrawn(stage: Stage) -> None:
    stage.put(slo())
    stage.steady("api")
    stage.run()
    began = stage.clock.now()
    outage_from(stage, lasts=5 * MINUTES)
    stage.run(20 * MINUTES)
    assert stage.figures().counts.bad == pytest.approx(500)
    made = stage.records(
        lambda records: records.exclude(
            "maintenance", service=None, slos=("api",), since=began, until=began + 5 * MINUTES,
            reason="was planned", by="alice", source="api",
        )
    )  # fmt: skip
    stage.run()
    assert stage.figures().counts.bad == pytest.approx(0)
    stage.records(lambda records: records.withdraw_exclusion(made.id, reason="was not", by="alice", source="api"))
    stage.run()
    assert stage.figures().counts.bad == pytest.approx(500)
    # The agreement reads stored hours, and leaves out what it says itself.
    with stage.database.read() as session:
        kept = reading.counts_between(session, "api", "main", began, began + timedelta(hours=1), ("maintenance",))
    assert kept.bad == pytest.approx(500)


def test_late_data_changes_the_past_visibly(stage: Stage) -> None:
    stage.put(slo())
    stage.steady("api")
    stage.run(90 * MINUTES)
    hour = stage.clock.now().replace(minute=0, second=0) - timedelta(hours=1)
    before = stage.figures().counts
    for minute in range(10):
        stage.tape.say("api", hour + minute * MINUTES, 40.0, 100.0)
    stage.run(10 * MINUTES)
    after = stage.figures().counts
    assert after.bad - before.bad == pytest.approx(600)
    with stage.database.read() as session:
        found = store_counts.all_revisions(session, slo="api")
    assert [(one.hour, one.before.bad, one.after.bad) for one in found] == [(hour, 0, pytest.approx(600))]
    assert stage.facts("slo.hours_revised")[0].data["hours"] == 1


def test_a_cold_start_fires_nothing_that_was_not_spent(stage: Stage) -> None:
    """At 1 % errors the first alert is due after 216 minutes, not within two."""
    stage.put(slo())
    start = stage.clock.now().timestamp()
    stage.tape.by_slo["api"] = lambda minute: (99.0, 100.0) if minute >= start else None
    stage.run(30 * MINUTES)
    assert stage.alerts() == []
    found = stage.figures()
    assert found.burns[timedelta(hours=1)].rate == pytest.approx(5, rel=0.02)
    assert found.burns[timedelta(hours=1)].covered == pytest.approx(0.5, abs=0.01)


def test_good_minutes_can_be_counted_instead_of_events(stage: Stage) -> None:
    stage.put(slo(slices={"length": "1m", "target": 0.95}))
    start = stage.clock.now().timestamp()
    stage.tape.by_slo["api"] = lambda m: (90.0 if start <= m < start + 180 else 96.0, 100.0) if m >= start else None
    stage.run(10 * MINUTES + SECONDS)
    counts = stage.figures().counts
    assert (counts.bad, counts.total) == (3, 10)


@pytest.mark.parametrize(("method", "bad", "total"), [("weighted", 10 * (2 * 10 + 1), 300), ("worst", 100, 100)])
def test_a_journey_is_made_of_its_services(stage: Stage, method: str, bad: float, total: float) -> None:
    parts = [{"slo": "api", "weight": 2}, {"slo": "chat"}]
    stage.put(
        slo(),
        slo("chat", service="chat", indicator={"kind": "availability", "service": "chat"}),
        slo("journey", indicator={"kind": "composite", "method": method, "parts": parts}),
    )
    start = stage.clock.now().timestamp()
    stage.tape.by_slo["api"] = lambda minute: (90.0, 100.0) if minute >= start else None
    stage.tape.by_slo["chat"] = lambda minute: (99.0, 100.0) if minute >= start else None
    stage.run(10 * MINUTES)
    counts = stage.figures("journey").counts
    assert counts == Counts(pytest.approx(10 * total - bad), 10 * total, pytest.approx(600))


def test_a_changed_target_keeps_what_was_counted_and_a_changed_indicator_does_not(stage: Stage) -> None:
    stage.put(slo())
    start = stage.clock.now().timestamp()
    stage.tape.by_slo["api"] = lambda minute: (99.0, 100.0) if minute >= start else None
    stage.run(10 * MINUTES)
    stage.put(slo(objectives=[{"target": 0.9}]))
    stage.run()
    found = stage.figures()
    # Ten minutes of 1 % errors, of a budget of 10 % for thirty days.
    assert (found.counts.bad, found.budget.spent) == (pytest.approx(10), pytest.approx(0.1 * 10 / (30 * 24 * 60)))
    assert stage.facts("slo.changed")[0].data["counted_anew"] is False
    stage.tape.by_slo.clear()
    stage.put(slo(indicator={"kind": "availability", "service": "gateway", "routes": ["/v2/*"]}))
    stage.run()
    assert stage.figures().counts.total == 0
    assert stage.facts("slo.changed")[1].data["counted_anew"] is True
