"""What comes in becomes groups of alerts, once, and only what is durable is answered 2xx."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.alerts.support import Stage, am_alert, signal
from watchkeeper.modules.alerts.model import Grouping, Kind, Severity, Status, Urgency


def test_a_trigger_opens_a_group_and_its_resolve_ends_it(stage: Stage) -> None:
    _, key = stage.integration(service="shop")
    sent = stage.pagerduty(key)
    assert (sent.status_code, sent.json()) == (
        202,
        {"status": "success", "message": "Event processed", "dedup_key": "d1"},
    )
    group = stage.group()
    assert (group.title, group.service, group.status, group.severity, group.urgency) == (
        "Disk full",
        "shop",
        Status.TRIGGERED,
        Severity.ERROR,
        Urgency.HIGH,
    )
    stage.clock.advance(timedelta(minutes=3))
    assert stage.pagerduty(key, "resolve").status_code == 202
    assert stage.group().status is Status.RESOLVED
    assert stage.kinds() == ["group_opened", "group_resolved"]
    assert stage.told.whats() == ["opened", "resolved"]


def test_a_repeat_is_counted_and_is_no_fact_but_its_words_are_kept(stage: Stage) -> None:
    _, key = stage.integration()
    for free in (9, 5, 5, 1):
        stage.clock.advance(timedelta(seconds=10))
        stage.pagerduty(key, custom_details={"free": free})
    group = stage.group()
    assert (group.event_count, group.alert_count) == (4, 1)
    assert stage.kinds() == ["group_opened"]
    with stage.database.read() as session:
        from watchkeeper.modules.alerts import store, store_details

        (alert,) = store.alerts_of(session, group.id, limit=9)
        said = store_details.details_of(session, [alert.id])[alert.id]
    assert [(one.content["free"], one.count) for one in said] == [(1, 1), (5, 2), (9, 1)]


def test_only_the_newest_words_are_kept(stage: Stage) -> None:
    for number in range(100):
        stage.clock.advance(timedelta(seconds=1))
        stage.take(signal(details={"value": number}))
    with stage.database.read() as session:
        from watchkeeper.modules.alerts import store, store_details

        (alert,) = store.alerts_of(session, stage.group().id, limit=9)
        said = store_details.details_of(session, [alert.id])[alert.id]
    assert 20 <= len(said) <= 40
    assert [one.content["value"] for one in said[:3]] == [99, 98, 97]


def test_alerts_of_one_sort_join_one_group(stage: Stage) -> None:
    _, key = stage.integration()
    for number in range(3):
        stage.pagerduty(key, dedup=f"disk-{number}", summary=f"Disk full on db-{number}")
    assert stage.group().alert_count == 3
    stage.pagerduty(key, dedup="cpu", summary="CPU hot on db-1")
    assert len(stage.groups()) == 2
    assert stage.kinds() == ["group_opened", "alert_joined", "alert_joined", "group_opened"]


def test_a_group_ends_with_the_last_of_its_alerts(stage: Stage) -> None:
    stage.take(signal("a"), signal("b"))
    stage.take(signal("a", "resolve"))
    assert stage.group().is_open
    stage.take(signal("b", "resolve"))
    assert not stage.group().is_open


def test_an_alert_that_comes_after_the_window_opens_another_group_and_the_old_one_keeps_its_own(stage: Stage) -> None:
    stage.take(signal("a"))
    stage.clock.advance(timedelta(hours=1, seconds=1))
    stage.take(signal("a"))
    assert stage.group().event_count == 2
    stage.take(signal("b"))
    newer, older = sorted(stage.groups(), key=lambda one: one.opened_at, reverse=True)
    assert (newer.alert_count, older.alert_count) == (1, 1)
    stage.take(signal("a", "resolve"))
    assert [one.is_open for one in stage.groups()] == [True, False]
    stage.take(signal("c"))
    assert [one.alert_count for one in stage.groups() if one.is_open] == [2]


def test_rules_group_by_labels(stage: Stage) -> None:
    integration, _ = stage.integration(grouping=Grouping(("cluster",), timedelta(hours=1)))
    for key, cluster in (("a", "north"), ("b", "south"), ("c", "north")):
        labels = {"cluster": cluster}
        stage.take(signal(key, title=f"{key} is ill", integration=integration, labels=labels))
    assert sorted(one.alert_count for one in stage.groups()) == [1, 2]


def test_alerts_with_different_policies_never_share_a_group(stage: Stage) -> None:
    day, _ = stage.integration(name="day", policy="day-team")
    night, _ = stage.integration(name="night", policy="night-team")
    stage.take(signal("a", integration=day), signal("b", integration=night))
    assert {one.policy for one in stage.groups()} == {"day-team", "night-team"}


def test_worse_is_told_and_lifts_the_acknowledgement_of_a_warning(stage: Stage) -> None:
    stage.take(signal("a", severity=Severity.WARNING))
    group = stage.group()
    stage.alerts(lambda alerts: alerts.acknowledge(group.id, by="per_bob", source="test"))
    stage.take(signal("b", severity=Severity.CRITICAL, title="Disk gone"))
    worse = stage.groups()[0]
    assert stage.kinds()[-1] in ("group_escalated_severity", "group_opened")
    assert worse.severity is Severity.CRITICAL
    stage.take(signal("a", severity=Severity.CRITICAL))
    first = next(one for one in stage.groups() if one.id == group.id)
    assert (first.status, first.urgency, first.acknowledged_by) == (Status.TRIGGERED, Urgency.HIGH, None)
    assert "escalated_severity" in stage.told.whats()


def test_every_step_towards_worse_lifts_an_acknowledgement_and_none_towards_better_does(stage: Stage) -> None:
    rising = [Severity.INFO, Severity.WARNING, Severity.ERROR, Severity.CRITICAL]
    stage.take(signal("a", severity=rising[0]))
    for worse in rising[1:]:
        stage.alerts(lambda alerts: alerts.acknowledge(stage.group().id, by="per_bob", source="test"))
        stage.take(signal("a", severity=worse))
        assert (stage.group().status, stage.group().severity) == (Status.TRIGGERED, worse)
    stage.alerts(lambda alerts: alerts.acknowledge(stage.group().id, by="per_bob", source="test"))
    for better in reversed(rising):
        stage.take(signal("a", severity=better))
        assert (stage.group().status, stage.group().severity) == (Status.ACKNOWLEDGED, Severity.CRITICAL)


def test_worse_ends_a_snooze(stage: Stage) -> None:
    stage.take(signal("a", severity=Severity.ERROR))
    until = stage.clock.now() + timedelta(hours=1)
    stage.alerts(lambda alerts: alerts.snooze(stage.group().id, until=until, by="per_bob", source="test"))
    stage.take(signal("a", severity=Severity.CRITICAL))
    assert stage.group().snoozed_until is None


def test_acknowledging_by_event_acknowledges_the_group(stage: Stage) -> None:
    _, key = stage.integration(name="watcher")
    stage.pagerduty(key)
    assert stage.pagerduty(key, "acknowledge").status_code == 202
    assert (stage.group().status, stage.group().acknowledged_by) == (Status.ACKNOWLEDGED, "system:watcher")


def test_resolve_before_trigger_is_taken_and_changes_nothing(stage: Stage) -> None:
    _, key = stage.integration()
    assert stage.pagerduty(key, "resolve").status_code == 202
    assert stage.pagerduty(key, "acknowledge").status_code == 202
    assert stage.groups() == []
    stage.pagerduty(key)
    assert stage.group().is_open


def test_a_webhook_that_comes_twice_or_late_changes_nothing(stage: Stage) -> None:
    _, key = stage.integration(Kind.ALERTMANAGER)
    assert stage.webhook(key, am_alert()).json() == {"status": "success", "alerts": 1}
    stage.webhook(key, am_alert())
    stage.clock.advance(timedelta(minutes=11))
    stage.webhook(key, am_alert(status="resolved"))
    stage.webhook(key, am_alert(status="resolved"))
    # The first delivery, once more, from a peer that was slow.
    stage.webhook(key, am_alert())
    assert stage.group().status is Status.RESOLVED
    assert stage.told.whats() == ["opened", "resolved"]


def test_an_end_that_overtakes_its_beginning_pages_nobody(stage: Stage) -> None:
    _, key = stage.integration(Kind.ALERTMANAGER)
    stage.webhook(key, am_alert(status="resolved"))
    stage.webhook(key, am_alert())
    assert stage.groups() == []
    stage.webhook(key, am_alert(startsAt="2026-03-02T12:20:00Z"))
    assert stage.group().is_open


def test_what_still_fires_minutes_after_its_end_fires_whatever_start_it_names(stage: Stage) -> None:
    _, key = stage.integration(Kind.ALERTMANAGER)
    stage.webhook(key, am_alert())
    stage.webhook(key, am_alert(status="resolved"))
    stage.clock.advance(timedelta(minutes=6))
    stage.webhook(key, am_alert())
    assert stage.group().is_open


def test_what_a_person_resolved_opens_again_when_it_goes_on(stage: Stage) -> None:
    _, key = stage.integration(Kind.ALERTMANAGER)
    stage.webhook(key, am_alert())
    group = stage.group()
    stage.alerts(lambda alerts: alerts.resolve(group.id, reason="fixed", by="per_bob", source="test"))
    assert stage.group().firing_count == 0
    stage.webhook(key, am_alert())
    assert stage.group().is_open
    assert stage.told.whats() == ["opened", "resolved", "reopened"]


def test_one_request_with_many_alerts_is_taken_whole_or_not_at_all(stage: Stage) -> None:
    _, key = stage.integration(Kind.ALERTMANAGER)
    wrong = am_alert("Second")
    del wrong["labels"]
    answer = stage.webhook(key, am_alert("First"), wrong)
    assert answer.status_code == 400
    assert answer.json()["errors"] == [{"where": "body.alerts.1.labels", "expected": "an object of texts"}]
    assert stage.groups() == []
    many = [am_alert(f"Alert{number}", fingerprint=f"f{number}") for number in range(700)]
    assert stage.webhook(key, *many).json()["alerts"] == 700
    assert len(stage.groups()) == 700


@pytest.mark.parametrize("said", ["page", "P1", "Critical ", "SEV1"])
def test_foreign_words_for_severities_are_understood(stage: Stage, said: str) -> None:
    _, key = stage.integration(Kind.ALERTMANAGER)
    stage.webhook(key, am_alert(labels={"severity": said}))
    assert stage.group().severity is Severity.CRITICAL


def test_an_integration_says_what_its_words_mean_and_what_wakes(stage: Stage) -> None:
    said = {"severity_map": {"red": Severity.CRITICAL}, "urgency_map": {Severity.CRITICAL: Urgency.LOW}}
    _, key = stage.integration(Kind.ALERTMANAGER, **said)
    stage.webhook(key, am_alert(labels={"severity": "RED"}))
    assert (stage.group().severity, stage.group().urgency) == (Severity.CRITICAL, Urgency.LOW)
