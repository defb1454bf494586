"""Heartbeats: silence is noticed, and only silence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.alerts.support import BY, Stage
from watchkeeper.modules.alerts.beats import Beat, BeatState, Heartbeat, PingKind, Plan, after_ping, at_time
from watchkeeper.modules.alerts.errors import HeartbeatInvalid
from watchkeeper.modules.alerts.heartbeats import Order
from watchkeeper.modules.alerts.model import Severity, Status

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
HOURLY = Plan(HOUR, None, "UTC", 5 * MINUTE)


def add(stage: Stage, plan: Plan = HOURLY, **said: object) -> Heartbeat:
    order = Order(name="nightly-copy", plan=plan, service="shop", severity=Severity.CRITICAL, **said)  # type: ignore[arg-type]
    made: Heartbeat = stage.heartbeats(lambda beats: beats.add(order, **BY))
    return made


def state(stage: Stage) -> BeatState:
    found: Heartbeat = stage.heartbeats(lambda beats: beats.get("nightly-copy"))
    return found.beat.state


def test_silence_makes_it_late_and_then_down_and_a_ping_brings_it_back(stage: Stage) -> None:
    beat = add(stage)
    stage.pass_time(10 * HOUR)
    assert state(stage) is BeatState.NEW
    assert stage.outside.get(f"/ping/{beat.ping_key}").text == "OK"
    stage.pass_time(HOUR)
    assert state(stage) is BeatState.LATE
    assert stage.groups() == []
    stage.pass_time(5 * MINUTE)
    assert state(stage) is BeatState.DOWN
    group = stage.group()
    assert (group.service, group.severity, group.status) == ("shop", Severity.CRITICAL, Status.TRIGGERED)
    assert "was not heard of since" in group.title
    stage.outside.head(f"/ping/{beat.ping_key}")
    assert (state(stage), stage.group().status) == (BeatState.UP, Status.RESOLVED)
    changed = [fact.data["after"] for fact in stage.facts("alerts.heartbeat_state_changed")]
    assert changed == ["down", "up"]


def test_pings_in_time_keep_it_up(stage: Stage) -> None:
    beat = add(stage)
    for _ in range(30):
        stage.outside.post(f"/ping/{beat.ping_key}", content=b"all well")
        stage.pass_time(HOUR)
    assert stage.groups() == []


@pytest.mark.parametrize("path", ["/fail", "/1", "/255"])
def test_a_failure_is_down_at_once_with_what_it_said(stage: Stage, path: str) -> None:
    beat = add(stage)
    stage.outside.post(f"/ping/{beat.ping_key}{path}", content=b"no space left\x07")
    assert state(stage) is BeatState.DOWN
    assert stage.group().is_open
    assert stage.outside.get(f"/ping/{beat.ping_key}/0").text == "OK"
    assert stage.group().status is Status.RESOLVED


def test_a_run_is_timed_and_one_that_does_not_end_is_noticed(stage: Stage) -> None:
    beat = add(stage)
    stage.outside.get(f"/ping/{beat.ping_key}/start")
    stage.pass_time(2 * MINUTE)
    stage.outside.get(f"/ping/{beat.ping_key}")
    found = stage.heartbeats(lambda beats: beats.get("nightly-copy"))
    assert found.beat.last_duration == 2 * MINUTE
    stage.outside.get(f"/ping/{beat.ping_key}/start")
    stage.pass_time(5 * MINUTE)
    assert stage.group().title == "nightly-copy: it started and did not end within 5 minutes"


def test_a_log_entry_changes_nothing(stage: Stage) -> None:
    beat = add(stage)
    stage.outside.post(f"/ping/{beat.ping_key}/log", content=b"halfway")
    assert state(stage) is BeatState.NEW


def test_paused_it_is_not_missed_and_its_next_ping_counts(stage: Stage) -> None:
    beat = add(stage)
    stage.outside.get(f"/ping/{beat.ping_key}")
    stage.heartbeats(lambda beats: beats.pause("nightly-copy", **BY))
    stage.pass_time(10 * HOUR)
    assert (state(stage), stage.groups()) == (BeatState.PAUSED, [])
    stage.outside.get(f"/ping/{beat.ping_key}")
    assert state(stage) is BeatState.UP


def test_removing_one_that_is_down_ends_its_alert(stage: Stage) -> None:
    beat = add(stage)
    stage.outside.get(f"/ping/{beat.ping_key}/fail")
    stage.heartbeats(lambda beats: beats.remove("nightly-copy", reason="gone", **BY))
    assert stage.group().status is Status.RESOLVED
    assert stage.outside.get(f"/ping/{beat.ping_key}").status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/ping/6f1d1b0a-0000-4000-8000-000000000000", 404),
        ("/ping/nobody", 404),
        ("/ping/", 404),
        ("{}/256", 400),
        ("{}/-1", 400),
        ("{}/start/again", 400),
        ("{}/", 200),
        ("{}?rid=6f1d1b0a-0000-4000-8000-000000000000", 200),
    ],
)
def test_addresses_that_nobody_has_and_words_that_mean_nothing(stage: Stage, path: str, status: int) -> None:
    beat = add(stage)
    assert stage.outside.get(path.format(f"/ping/{beat.ping_key}")).status_code == status


def test_too_many_pings_are_answered_429(stage: Stage) -> None:
    beat = add(stage)
    answers = [stage.outside.get(f"/ping/{beat.ping_key}") for _ in range(12)]
    assert answers[0].status_code == 200
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    "plan",
    [
        Plan(None, None, "UTC", HOUR),
        Plan(HOUR, "* * * * *", "UTC", HOUR),
        Plan(None, "61 * * * *", "UTC", HOUR),
        Plan(None, "0 0 30 2 *", "UTC", HOUR),
        Plan(None, "* * * * * *", "UTC", HOUR),
        Plan(None, "0 * * * *", "Mars/Olympus", HOUR),
        Plan(timedelta(seconds=1), None, "UTC", HOUR),
        Plan(HOUR, None, "UTC", timedelta(0)),
    ],
    ids=str,
)
def test_a_plan_that_is_none_is_refused(stage: Stage, plan: Plan) -> None:
    with pytest.raises(HeartbeatInvalid):
        add(stage, plan)


def test_cron_goes_by_the_clock_of_its_zone_also_when_that_is_moved() -> None:
    plan = Plan(None, "30 3 * * *", "Europe/Oslo", HOUR)
    winter, summer = datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 29, 12, tzinfo=UTC)
    assert plan.due_after(winter) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert plan.due_after(summer) == datetime(2026, 3, 30, 1, 30, tzinfo=UTC)
    assert plan.due_after(winter - timedelta(days=1)) == datetime(2026, 3, 28, 2, 30, tzinfo=UTC)


def test_time_alone_changes_nothing_twice() -> None:
    now = datetime(2026, 3, 2, tzinfo=UTC)
    beat = after_ping(Beat(), HOURLY, PingKind.SUCCESS, now)
    for minutes in range(0, 120, 7):
        later = now + minutes * MINUTE
        once = at_time(beat, later)
        assert at_time(once, later) == once
    assert at_time(beat, now + 65 * MINUTE).state is BeatState.DOWN
