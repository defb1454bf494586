"""Pages of alerts: what a person at night reads and presses."""

from __future__ import annotations

from datetime import timedelta

from tests.alerts.support import Stage, am_alert, signal
from watchkeeper.kernel import journal
from watchkeeper.modules.alerts.model import Kind, Status
from watchkeeper.modules.catalog.events import ServiceArchived


def test_nothing_open_is_said_calmly_and_no_way_in_teaches_the_first_step(stage: Stage) -> None:
    assert "Add an integration" in stage.page().text("/alerts")
    stage.integration()
    assert "Nothing is open." in stage.page().text("/alerts")


def test_an_alert_is_taken_from_the_list_and_called_over_on_its_page(stage: Stage) -> None:
    _, key = stage.integration(Kind.ALERTMANAGER)
    stage.webhook(key, am_alert())
    page, path = stage.page(), f"/alerts/{stage.group().id}"
    assert "HighErrors: Too many errors" in page.text("/alerts")
    assert page.submit(f"{path}/acknowledge", {}, page="/alerts").status_code == 303
    assert stage.group().status is Status.ACKNOWLEDGED
    assert page.submit(f"{path}/snooze", {"minutes": "60", "reason": "dinner"}, page=path).status_code == 303
    assert stage.group().snoozed_until == stage.clock.now() + timedelta(hours=1)
    refused = page.submit(f"{path}/resolve", {"reason": ""}, page=path)
    assert refused.status_code == 422
    assert "why it is over" in refused.text
    assert page.submit(f"{path}/resolve", {"reason": "fixed"}, page=path).status_code == 303
    assert stage.group().status is Status.RESOLVED


def test_who_may_only_read_is_shown_no_buttons(stage: Stage) -> None:
    stage.take(signal())
    path = f"/alerts/{stage.group().id}"
    for where in ("/alerts", path, "/alerts/silences", "/alerts/maintenance", "/alerts/integrations"):
        text = stage.page("bob").get(where).text
        assert 'method="post"' not in text.partition("<main")[2]


def test_the_page_shows_what_changed_before_it_in_its_service_and_below(stage: Stage) -> None:
    stage.services(db=(), shop=("db",), other=())
    stage.clock.advance(timedelta(hours=2))
    with stage.database.begin() as session:
        for name in ("db", "other"):
            fact = ServiceArchived(service_name=name, before={}, reason="")
            journal.append(session, fact, by="per_alice", source="test", at=stage.clock.now())
    stage.clock.advance(timedelta(minutes=20))
    _, key = stage.integration(service="db")
    change = {"routing_key": key, "payload": {"summary": "Index dropped", "source": "ci"}}
    stage.outside.post("/v2/change/enqueue", json=change)
    stage.take(signal())
    text = stage.page().text(f"/alerts/{stage.group().id}")
    shown = text.partition("What changed before it")[2].partition("Its alerts")[0]
    assert "Index dropped (ci)" in shown
    assert "20 min ago" in shown
    assert "other" not in shown
    assert "was added" not in shown


def test_what_an_alert_said_is_text_and_how_it_changed_is_shown(stage: Stage) -> None:
    _, key = stage.integration()
    for value in (1, 2, 3):
        stage.clock.advance(timedelta(minutes=1))
        stage.pagerduty(key, summary="<b>Disk</b> full", custom_details={"free": value, "x": {"y": [1]}})
    page = stage.page().get(f"/alerts/{stage.group().id}").text
    assert "<b>Disk</b>" not in page
    assert "How it changed: 2 earlier" in page


def test_a_silence_is_looked_at_before_it_is_saved(stage: Stage) -> None:
    stage.take(signal())
    page = stage.page()
    form = {"matchers": "service=shop\nseverity!=info", "minutes": "120", "reason": "planned"}
    looked = page.submit("/alerts/silences", {**form, "look": "yes"}, page="/alerts/silences")
    assert "1 alerts in 1 group" in " ".join(looked.text.split())
    assert stage.group().suppressed is None
    assert page.submit("/alerts/silences", form, page="/alerts/silences").status_code == 303
    assert stage.group().suppressed is not None
    assert "planned" in page.text("/alerts/silences")
    wrong = page.submit("/alerts/silences", {**form, "matchers": "nonsense"}, page="/alerts/silences")
    assert wrong.status_code == 422


def test_weekly_maintenance_is_planned_and_ended(stage: Stage) -> None:
    page = stage.page()
    form = {"services": "shop", "days": "sunday", "at": "03:00", "time_zone": "Europe/Oslo", "minutes": "90"}
    assert page.submit("/alerts/maintenance", {**form, "reason": ""}, page="/alerts/maintenance").status_code == 422
    sent = page.submit("/alerts/maintenance", {**form, "reason": "vacuum"}, page="/alerts/maintenance")
    assert sent.status_code == 303
    text = page.text("/alerts/maintenance")
    assert "every Sunday at 03:00 Europe/Oslo for 90 minutes" in text
    (fact,) = stage.facts("alerts.maintenance_planned")
    end = f"/alerts/maintenance/{fact.data['maintenance']}/end"
    assert page.submit(end, {"reason": "not needed"}, page="/alerts/maintenance").status_code == 303
    assert "Nothing is planned." in page.text("/alerts/maintenance")


def test_a_key_is_on_the_page_that_made_it_and_on_no_other(stage: Stage) -> None:
    page = stage.page()
    form = {"name": "grafana", "kind": "grafana", "default_severity": "error"}
    made = page.submit("/alerts/integrations", form, page="/alerts/integrations")
    key = made.text.partition('class="wl-key">')[2].partition("<")[0]
    assert len(key) == 32
    assert f"/integrations/grafana/{key}" in made.text
    assert key not in page.get("/alerts/integrations").text
    assert page.submit("/alerts/integrations", form, page="/alerts/integrations").status_code == 409
    generic = {"name": "g", "kind": "generic", "mapping": "title = a.b\nnonsense", "default_severity": "error"}
    assert page.submit("/alerts/integrations", generic, page="/alerts/integrations").status_code == 422


def test_a_heartbeat_is_added_paused_and_removed(stage: Stage) -> None:
    page = stage.page()
    form = {"name": "copy", "every_minutes": "60", "grace_minutes": "5", "severity": "error", "time_zone": "UTC"}
    assert page.submit("/alerts/heartbeats", form, page="/alerts/heartbeats").status_code == 303
    assert "/ping/" in page.get("/alerts/heartbeats").text
    assert "/ping/" not in stage.page("bob").get("/alerts/heartbeats").text
    (fact,) = stage.facts("alerts.heartbeat_put")
    path = f"/alerts/heartbeats/{fact.data['heartbeat']}"
    assert page.submit(f"{path}/pause", {}, page="/alerts/heartbeats").status_code == 303
    assert "paused" in page.text("/alerts/heartbeats")
    assert page.submit(f"{path}/remove", {"reason": ""}, page="/alerts/heartbeats").status_code == 422
    assert page.submit(f"{path}/remove", {"reason": "gone"}, page="/alerts/heartbeats").status_code == 303
    assert "Nothing has to be heard of yet" in page.text("/alerts/heartbeats")
