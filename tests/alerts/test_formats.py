"""What real senders send is understood: their own samples, word for word."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from tests.alerts.support import GOLDEN, PAGER, Stage
from watchkeeper.kernel.journal import describe_fact
from watchkeeper.modules.alerts.model import Action, Integration, Kind, Link, Severity, Status
from watchkeeper.modules.alerts.wire_alertmanager import parse
from watchkeeper.modules.alerts.wire_generic import parse as parse_generic
from watchkeeper.modules.alerts.wire_pagerduty import NotAnEvent, parse_event, signal_of

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


def keyed(name: str, key: str) -> dict[str, object]:
    return {**json.loads(golden(name)), "routing_key": key}


def test_pagerdutys_own_example() -> None:
    found = signal_of(parse_event(golden("pagerduty_trigger.json")), PAGER, NOON)
    assert (found.action, found.dedup_key, found.severity) == (Action.TRIGGER, "samplekeyhere", Severity.INFO)
    assert found.title == "DISK at 99% on machine prod-datapipe03.example.com"
    assert found.group_family == "deploy"
    assert found.labels["source"] == "prod-datapipe03.example.com"
    assert found.details["ping time"] == "1500ms"
    assert found.links == (
        Link("Link text", "https://example.com/"),
        Link("Sample Monitoring Service", "https://monitoring.example.com"),
    )


def test_pagerdutys_example_opens_and_its_resolve_ends(stage: Stage) -> None:
    _, key = stage.integration()
    assert stage.outside.post("/v2/enqueue", json=keyed("pagerduty_trigger.json", key)).status_code == 202
    assert stage.group().is_open
    assert stage.outside.post("/v2/enqueue", json=keyed("pagerduty_resolve.json", key)).status_code == 202
    assert stage.group().status is Status.RESOLVED


def test_a_change_event_is_a_fact_of_its_service(stage: Stage) -> None:
    _, key = stage.integration(service="shop")
    sent = stage.outside.post("/v2/change/enqueue", json=keyed("pagerduty_change.json", key))
    assert (sent.status_code, sent.json()["status"]) == (202, "success")
    (fact,) = stage.facts("alerts.change_recorded")
    assert fact.service == "shop"
    assert describe_fact(fact).startswith("Build Success: Increase snapshot create timeout to 30 seconds (acme")
    assert fact.data["links"] == [{"text": "View more details", "url": "https://acme.example/acme/builds/2"}]
    assert stage.groups() == []


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ({"event_action": "shout"}, "'event_action' is invalid (must be one of: trigger, acknowledge, resolve)"),
        ({"event_action": "resolve"}, "'dedup_key' is missing or blank"),
        (
            {"event_action": "resolve", "dedup_key": "x" * 256},
            "'dedup_key' is invalid (must be at most 255 characters)",
        ),
        ({"event_action": "resolve", "dedup_key": 7}, "'dedup_key' is invalid (must be a string)"),
        ({"event_action": "trigger"}, "'payload' is missing or is not an object"),
        (
            {"event_action": "trigger", "payload": {"source": "a", "severity": "error"}},
            "'payload.summary' is missing or blank",
        ),
        (
            {"event_action": "trigger", "payload": {"summary": "a", "source": "b", "severity": "bad"}},
            "'payload.severity' is invalid (must be one of: critical, error, warning, info)",
        ),
        ({"event_action": "resolve", "dedup_key": "x", "routing_key": " "}, "'routing_key' is missing or blank"),
    ],
)
def test_a_wrong_event_is_answered_as_pagerduty_does(stage: Stage, event: dict[str, object], error: str) -> None:
    answer = stage.outside.post("/v2/enqueue", json={"routing_key": "k" * 32, **event})
    assert (answer.status_code, answer.json()["status"]) == (400, "invalid event")
    assert error in answer.json()["errors"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b'"x"', b"\xff", b"null", b'{"a": NaN}'])
def test_what_is_no_event_at_all_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(NotAnEvent):
        parse_event(body)


def test_alertmanagers_webhook_with_one_that_fires_and_one_that_ended() -> None:
    integration = Integration(id="int_am", name="am", kind=Kind.ALERTMANAGER)
    ended, firing = parse(golden("alertmanager_firing.json"), integration, NOON)
    assert (ended.action, ended.dedup_key) == (Action.RESOLVE, "0a1b2c3d4e5f6071")
    assert ended.ends_at == datetime(2026, 3, 2, 11, 58, 2, 123000, UTC)
    assert (firing.action, firing.severity, firing.service) == (Action.TRIGGER, Severity.CRITICAL, "shop")
    assert firing.title == "HighErrorRate: 5 % of requests fail"
    assert firing.starts_at == datetime(2026, 3, 2, 11, 59, 2, 123456, UTC)
    assert firing.ends_at is None
    assert firing.links[0] == Link("Runbook", "https://runbooks.example/errors")
    assert "http://prometheus:9090/graph?g0.expr=up" in {link.url for link in firing.links}


def test_grafanas_webhook_by_post_and_by_put(stage: Stage) -> None:
    _, key = stage.integration(Kind.GRAFANA)
    for method in ("POST", "PUT"):
        sent = stage.outside.request(method, f"/integrations/grafana/{key}", content=golden("grafana_firing.json"))
        assert sent.status_code == 200, sent.text
    group = stage.group()
    assert group.title == "High memory usage: This alert was triggered for zone us-1"
    assert group.event_count == 2
    (alert,) = stage.alerts_of(group)
    assert alert.labels["zone"] == "us-1"
    assert "Silence in Grafana" in {link.text for link in alert.links}


def test_any_json_by_a_mapping() -> None:
    mapping = {
        "title": "{event.name} ({site.name})",
        "dedup_key": "event.ids.0",
        "status": "event.state",
        "severity": "event.level",
        "labels": "event.meta.tags",
        "service": "site.name",
        "starts_at": "event.since",
    }
    integration = Integration(id="int_g", name="g", kind=Kind.GENERIC, mapping=mapping)
    (found,) = parse_generic(golden("generic.json"), integration, NOON)
    assert (found.title, found.dedup_key, found.severity) == ("Queue too long (shop)", "q-7", Severity.CRITICAL)
    assert (found.action, found.labels, found.service) == (Action.TRIGGER, {"queue": "mail", "region": "eu"}, "shop")
    assert found.starts_at == datetime(2026, 3, 2, 11, 59, tzinfo=UTC)
    over = golden("generic.json").replace(b"alerting", b"ok")
    assert parse_generic(over, integration, NOON)[0].action is Action.RESOLVE


def test_a_mapping_may_name_a_list_of_alerts() -> None:
    mapping = {"alerts": "items", "title": "{name} of {group}", "resolved_values": "fine", "status": "is"}
    integration = Integration(id="int_g", name="g", kind=Kind.GENERIC, mapping=mapping)
    body = b'{"group": "db", "items": [{"name": "a", "is": "bad"}, {"name": "b", "is": "Fine"}]}'
    found = parse_generic(body, integration, NOON)
    assert [(one.title, one.action) for one in found] == [
        ("a of db", Action.TRIGGER),
        ("b of db", Action.RESOLVE),
    ]


@pytest.mark.parametrize(
    "path", ["__class__", "event.__init__.__globals__", "event.keys", "event.ids.99999999", "event.ids.-1", "a.b.c"]
)
def test_a_path_leads_to_data_only(path: str) -> None:
    integration = Integration(id="int_g", name="g", kind=Kind.GENERIC, mapping={"title": f"x{{{path}}}"})
    (found,) = parse_generic(golden("generic.json"), integration, NOON)
    assert found.title == "x"
