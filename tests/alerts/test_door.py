"""Who may come in, how much they may bring, and that nothing bad stays."""

from __future__ import annotations

import logging

import pytest

from tests.alerts.support import BY, Stage, am_alert
from watchkeeper.kernel.errors import Unavailable
from watchkeeper.kernel.telemetry.redaction import redact_text
from watchkeeper.modules.alerts.gathering import Gatherer
from watchkeeper.modules.alerts.integrations import OVERLAP, Integrations
from watchkeeper.modules.alerts.model import Kind

EVENT = {"event_action": "resolve", "dedup_key": "d"}


def test_an_unknown_a_wrong_a_revoked_key_and_one_of_another_format_look_the_same(stage: Stage) -> None:
    _, foreign = stage.integration(Kind.GRAFANA)
    made, revoked = stage.integration()
    with stage.database.begin() as session:
        verbs = Integrations(session, stage.clock)
        verbs.revoke_key(made.id, verbs.get(made.id).keys[0].id, **BY)
    answers = {
        (sent.status_code, sent.text)
        for key in ("x" * 32, "short", foreign, revoked, revoked.upper())
        for sent in [stage.outside.post("/v2/enqueue", json={**EVENT, "routing_key": key})]
    }
    assert len(answers) == 1
    assert answers.pop()[0] == 400
    paths = {
        (sent.status_code, sent.text)
        for key in ("x" * 32, "", "a/b", revoked)
        for sent in [stage.outside.post(f"/integrations/alertmanager/{key}", json={"alerts": []})]
    }
    assert len(paths) == 1
    assert paths.pop()[0] == 404


def test_two_keys_open_while_one_is_replaced(stage: Stage) -> None:
    made, old = stage.integration()
    with stage.database.begin() as session:
        _, new = Integrations(session, stage.clock).rotate(made.id, **BY)
    assert [stage.pagerduty(key).status_code for key in (old, new)] == [202, 202]
    stage.clock.advance(OVERLAP)
    assert [stage.pagerduty(key).status_code for key in (old, new)] == [400, 202]
    with stage.database.begin() as session:
        verbs = Integrations(session, stage.clock)
        verbs.rotate(made.id, **BY)
        verbs.rotate(made.id, **BY)
        held = verbs.get(made.id)
    assert sum(key.opens(stage.clock.now()) for key in held.keys) == 2


def test_a_key_is_kept_nowhere_in_clear(stage: Stage) -> None:
    _, key = stage.integration()
    _, hook = stage.integration(Kind.ALERTMANAGER)
    stage.pagerduty(key)
    from sqlalchemy import select

    from watchkeeper.modules.alerts.tables import keys

    with stage.database.read() as session:
        rows = str(session.execute(select(keys)).all())
    told = str([fact.data for fact in stage.facts()])
    assert len(key) == 32
    for secret in (key, hook):
        assert secret not in rows + told


def test_a_key_in_a_path_reaches_no_log(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    _, key = stage.integration(Kind.ALERTMANAGER)
    with caplog.at_level(logging.DEBUG):
        stage.webhook(key, {"status": "what"})
        stage.outside.get(f"/integrations/alertmanager/{key}")
    ours = [one.getMessage() for one in caplog.records if not one.name.startswith("httpx")]
    assert key not in str(ours)
    assert redact_text(f"POST /integrations/alertmanager/{key}") == "POST /integrations/alertmanager/[redacted]"
    assert "6f1d" not in redact_text("/ping/6f1d1b0a-0000-4000-8000-000000000000/start")


@pytest.mark.parametrize("path", ["/v2/enqueue", "/integrations/alertmanager/{key}"])
def test_more_than_half_a_megabyte_is_refused_and_just_less_is_taken(stage: Stage, path: str) -> None:
    _, key = stage.integration(Kind.PAGERDUTY if "v2" in path else Kind.ALERTMANAGER)
    assert stage.outside.post(path.format(key=key), content=b" " * (512 * 1024 + 1)).status_code == 413
    huge = {"text": "x" * 510_000}
    sent = stage.pagerduty(key, custom_details=huge) if "v2" in path else stage.webhook(key, am_alert(annotations=huge))
    assert sent.status_code in (200, 202)
    assert len(str(stage.alerts_of(stage.group()))) < 20_000


@pytest.mark.parametrize("path", ["/v2/enqueue", "/v2/change/enqueue", "/integrations/alertmanager/{key}"])
@pytest.mark.parametrize("body", [b"[" * 50_000, b'{"a":' * 50_000, b"{}" * 3, b"\x00", b'{"alerts": 7}'])
def test_hostile_json_is_refused_and_changes_nothing(stage: Stage, path: str, body: bytes) -> None:
    _, key = stage.integration(Kind.ALERTMANAGER)
    assert stage.outside.post(path.format(key=key), content=body).status_code == 400
    assert stage.groups() == []


def test_html_and_control_characters_are_text_or_nothing(stage: Stage) -> None:
    _, key = stage.integration()
    bad = "<script>alert(1)</script>\x00\x1b[31m\u202egnp\r\nSet-Cookie: a=b"
    stage.pagerduty(key, summary=bad, custom_details={bad: bad, "deep": {"a": [[[[[[[[[1]]]]]]]]]}, "n": 2**70})
    assert stage.group().title == "<script>alert(1)</script>[31mgnp Set-Cookie: a=b"


def test_links_that_are_no_web_addresses_are_left_out(stage: Stage) -> None:
    _, key = stage.integration(Kind.ALERTMANAGER)
    said = {"runbook_url": "javascript:alert(1)", "dashboard_url": "https://ok.example/d"}
    stage.webhook(key, am_alert(annotations=said, generatorURL="data:text/html,x"))
    (alert,) = stage.alerts_of(stage.group())
    assert [link.url for link in alert.links] == ["https://ok.example/d"]


def test_one_key_may_send_so_many_a_minute_and_is_told_when_to_come_back(stage: Stage) -> None:
    _, key = stage.integration(rate_per_minute=60)
    _, other = stage.integration(name="other")
    answers = [stage.pagerduty(key, dedup=f"d{number}") for number in range(15)]
    refused = [one for one in answers if one.status_code == 429]
    assert len(refused) == 5
    assert refused[0].json()["status"] == "throttle exceeded"
    assert int(refused[0].headers["retry-after"]) >= 1
    assert stage.group().alert_count == 10
    assert stage.pagerduty(other).status_code == 202


def test_what_is_not_durable_is_not_answered_as_if_it_were(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    _, key = stage.integration()
    _, hook = stage.integration(Kind.ALERTMANAGER)

    async def away(self: Gatherer, signals: object) -> None:
        raise Unavailable("The database is full.")

    monkeypatch.setattr(Gatherer, "_take", away)
    for answer in (stage.pagerduty(key), stage.webhook(hook, am_alert())):
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
    assert stage.groups() == []


def test_methods_that_mean_nothing_are_refused(stage: Stage) -> None:
    _, key = stage.integration(Kind.ALERTMANAGER)
    assert stage.outside.get("/v2/enqueue").status_code == 405
    assert stage.outside.post("/v2/else", json={}).status_code == 404
    assert stage.outside.put(f"/integrations/alertmanager/{key}", json={"alerts": []}).status_code == 405
