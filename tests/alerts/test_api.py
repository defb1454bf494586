"""The API of alerts: lists, detail, what responders do, ways in."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.alerts.support import Stage, am_alert, signal
from watchkeeper.kernel.clock import rfc3339
from watchkeeper.modules.alerts.model import Kind, Severity

A = "/api/v1/alerts"


def test_lists_what_pages_first_and_the_worst_first_page_by_page(stage: Stage) -> None:
    api = stage.api("read")
    for number, severity in enumerate(("warning", "critical", "info", "error", "critical")):
        stage.clock.advance(timedelta(minutes=1))
        stage.take(signal(f"k{number}", title=f"Trouble {'abcde'[number]}", severity=Severity(severity)))
    stage.take(signal("k9", title="Over"))
    stage.take(signal("k9", "resolve"))
    seen, cursor = [], ""
    while cursor is not None:
        page = api.get(f"{A}?limit=2{cursor}").raise_for_status().json()
        seen += [one["title"] for one in page["items"]]
        cursor = f"&cursor={page['next']}" if page["next"] else None
    assert seen == ["Trouble e", "Trouble b", "Trouble d", "Trouble a", "Trouble c", "Over"]
    assert [one["title"] for one in api.get(f"{A}?status=resolved").json()["items"]] == ["Over"]
    assert [one["title"] for one in api.get(f"{A}?q=TROUBLE+c").json()["items"]] == ["Trouble c"]
    assert api.get(f"{A}?q=%25").json()["items"] == []
    assert api.get(f"{A}?cursor=nonsense").status_code == 422


def test_detail_has_its_alerts_with_what_they_said(stage: Stage) -> None:
    _, key = stage.integration(Kind.ALERTMANAGER)
    stage.webhook(key, am_alert())
    stage.webhook(key, am_alert(annotations={"summary": "Worse"}))
    found = stage.api("read").get(f"{A}/{stage.group().id}").raise_for_status().json()
    (alert,) = found["alerts"]
    assert (found["family"], alert["dedup_key"], alert["event_count"]) == ("HighErrors", "f-HighErrors", 2)
    assert {one["details"]["annotations"]["summary"] for one in alert["said"]} == {"Worse", "Too many errors"}
    assert stage.api("read").get(f"{A}/alg_nobody").status_code == 404


def test_responders_take_snooze_and_resolve(stage: Stage) -> None:
    stage.take(signal())
    path, api = f"{A}/{stage.group().id}", stage.api("respond")
    taken = api.post(f"{path}/acknowledge", json={}).raise_for_status().json()
    assert (taken["status"], taken["acknowledged_by"]) == ("acknowledged", "tok_respond")
    again = api.post(f"{path}/acknowledge", json={}).json()
    assert again["version"] == taken["version"]
    assert api.post(f"{path}/unacknowledge", json={"reason": "ill"}).json()["status"] == "triggered"
    until = rfc3339(stage.clock.now() + timedelta(hours=1))
    assert api.post(f"{path}/snooze", json={"until": until}).json()["snoozed_until"] is not None
    assert api.post(f"{path}/resolve", json={"reason": "fixed"}).json()["status"] == "resolved"
    assert api.post(f"{path}/resolve", json={"reason": "fixed"}).status_code == 200
    assert api.post(f"{path}/acknowledge", json={}).json()["code"] == "alerts.resolved"
    assert stage.kinds() == [
        "group_opened",
        "group_acknowledged",
        "group_unacknowledged",
        "group_snoozed",
        "group_resolved",
    ]


@pytest.mark.parametrize(
    ("verb", "order"),
    [
        ("acknowledge", {"until": "2020-01-01T00:00:00Z"}),
        ("snooze", {"until": "2020-01-01T00:00:00Z"}),
        ("snooze", {"until": "2036-01-01T00:00:00Z"}),
        ("snooze", {}),
        ("resolve", {}),
        ("resolve", {"reason": "x", "force": True}),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(stage: Stage, verb: str, order: dict[str, object]) -> None:
    stage.take(signal())
    before = stage.group()
    assert stage.api().post(f"{A}/{before.id}/{verb}", json=order).status_code == 422
    assert stage.group() == before


def test_who_may_only_read_does_nothing(stage: Stage) -> None:
    stage.take(signal())
    reader = stage.api("read")
    for path in (f"{stage.group().id}/acknowledge", "silences", "maintenance", "integrations", "heartbeats"):
        assert reader.post(f"{A}/{path}", json={}).status_code == 403
    assert stage.api("respond").post(f"{A}/integrations", json={}).status_code == 403


def test_silences_by_objects_and_by_text(stage: Stage) -> None:
    api, ends = stage.api("respond"), rfc3339(stage.clock.now() + timedelta(hours=1))
    stage.take(signal())
    matchers = [{"label": "service", "value": "shop"}, 'title=~"Disk.*"']
    assert api.post(f"{A}/silences/preview", json={"matchers": matchers}).json()["alerts"] == 1
    made = api.post(f"{A}/silences", json={"matchers": matchers, "ends_at": ends, "reason": "planned"})
    assert made.status_code == 201, made.text
    assert [one["active"] for one in api.get(f"{A}/silences").json()["items"]] == [True]
    assert stage.group().suppressed is not None
    ended = api.post(f"{A}/silences/{made.json()['id']}/end", json={}).json()
    assert (ended["active"], ended["ended_by"]) == (False, "tok_respond")
    assert [one["id"] for one in api.get(f"{A}/silences?over=true").json()["items"]] == [made.json()["id"]]
    bad = api.post(f"{A}/silences", json={"matchers": ["x=~("], "ends_at": ends, "reason": "planned"})
    assert bad.status_code == 422
    assert bad.json()["errors"][0]["where"] == "matchers.0.value"


def test_maintenance_once_and_weekly(stage: Stage) -> None:
    api, ends = stage.api("respond"), rfc3339(stage.clock.now() + timedelta(hours=1))
    once = {"services": ["shop"], "ends_at": ends, "reason": "a disk"}
    assert api.post(f"{A}/maintenance", json=once).status_code == 201
    weekly = {"days": ["sunday"], "at": "03:00", "time_zone": "Europe/Oslo", "minutes": 90}
    made = api.post(f"{A}/maintenance", json={"services": ["shop"], "weekly": weekly, "reason": "vacuum"})
    assert made.json()["when"] == "every Sunday at 03:00 Europe/Oslo for 90 minutes"
    assert sorted(one["active"] for one in api.get(f"{A}/maintenance").json()["items"]) == [False, True]
    assert api.post(f"{A}/maintenance/{made.json()['id']}/end", json={}).json()["ended_by"] == "tok_respond"
    bad = {"services": ["shop"], "weekly": {**weekly, "days": ["someday"]}, "reason": "vacuum"}
    assert api.post(f"{A}/maintenance", json=bad).json()["errors"][0]["where"] == "weekly.days"


def test_an_integration_shows_its_key_once(stage: Stage) -> None:
    api = stage.api()
    order = {"name": "prometheus", "kind": "alertmanager", "service": "shop"}
    made = api.post(f"{A}/integrations", json=order, headers={"Idempotency-Key": "one"})
    again = api.post(f"{A}/integrations", json=order, headers={"Idempotency-Key": "one"})
    key = made.json()["key"]
    assert (made.status_code, again.status_code, again.json()["key"]) == (201, 201, None)
    assert key not in api.get(f"{A}/integrations/prometheus").text
    assert stage.webhook(key, am_alert()).status_code == 200
    changed = api.put(f"{A}/integrations/prometheus", json={**order, "environment": "live"})
    assert changed.json()["environment"] == "live"
    assert api.put(f"{A}/integrations/prometheus", json=order, headers={"If-Match": '"old"'}).status_code == 412
    second = api.post(f"{A}/integrations/prometheus/keys", json={})
    assert (second.status_code, len(second.json()["keys"])) == (201, 2)
    gone = api.delete(f"{A}/integrations/prometheus/keys/{second.json()['keys'][0]['id']}")
    assert gone.json()["keys"][0]["revoked_at"] is not None
    assert api.delete(f"{A}/integrations/prometheus").status_code == 204
    stage.clock.advance(timedelta(seconds=2))
    assert stage.webhook(second.json()["key"], am_alert()).status_code == 404
    assert stage.group().is_open


@pytest.mark.parametrize(
    "order",
    [
        {"name": "Bad Name", "kind": "grafana"},
        {"name": "x", "kind": "carrier-pigeon"},
        {"name": "x", "kind": "generic"},
        {"name": "x", "kind": "generic", "mapping": {"title": "a..b"}},
        {"name": "x", "kind": "generic", "mapping": {"title": "ok", "colour": "red"}},
        {"name": "x", "kind": "grafana", "mapping": {"title": "ok"}},
        {"name": "x", "kind": "grafana", "group_by": ["bad label"]},
        {"name": "x", "kind": "grafana", "severity_map": {"red": "purple"}},
    ],
)
def test_a_way_in_that_is_none_is_refused(stage: Stage, order: dict[str, object]) -> None:
    assert stage.api().post(f"{A}/integrations", json=order).status_code == 422
    assert stage.api().get(f"{A}/integrations").json()["items"] == []


def test_a_heartbeat_is_added_watched_and_removed(stage: Stage) -> None:
    api = stage.api()
    made = api.post(f"{A}/heartbeats", json={"name": "copy", "period_seconds": 600, "grace_seconds": 60}).json()
    assert stage.outside.post(made["ping_path"], content=b"done").status_code == 200
    shown = stage.api("read").get(f"{A}/heartbeats/copy").json()
    assert (shown["state"], shown["ping_path"], [one["body"] for one in shown["pings"]]) == ("up", None, ["done"])
    assert api.post(f"{A}/heartbeats/copy/pause").json()["state"] == "paused"
    assert api.post(f"{A}/heartbeats/copy/resume").json()["state"] == "new"
    changed = {"name": "copy", "cron": "0 3 * * *", "time_zone": "Europe/Oslo"}
    assert api.put(f"{A}/heartbeats/copy", json=changed).json()["cron"] == "0 3 * * *"
    assert api.put(f"{A}/heartbeats/copy", json={"name": "copy", "cron": "nonsense"}).status_code == 422
    assert api.delete(f"{A}/heartbeats/copy").status_code == 204
    assert stage.outside.get(made["ping_path"]).status_code == 404
