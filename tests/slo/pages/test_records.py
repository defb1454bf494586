"""What is left out of budgets, given back to them, and what a spent one means."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.slo.pages.support import break_it, lately, pages, words
from tests.slo.support import Stage, slo
from watchkeeper.modules.slo.definition import DataSource, Policy
from watchkeeper.modules.slo.service import Slos

# What pages ask the database is asked by the API, too, and tested on both engines there.
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

POLICY = "name: strict\nservices: [gateway]\nsteps:\n  - {burn: 1, action: freeze_all}\n"


def local(stage: Stage, ago: timedelta) -> str:
    """An instant as a browser's field sends it: UTC without a zone."""
    return f"{stage.clock.now() - ago:%Y-%m-%dT%H:%M}"


def test_maintenance_is_recorded_ended_and_its_events_do_not_count(stage: Stage) -> None:
    stage.put(slo())
    lately(stage, "api", 50)
    stage.run()
    assert stage.figures().counts.bad > 0
    dora = pages(stage, "dora")
    began = local(stage, timedelta(hours=7))
    dora.send("/slos/exclusions", kind="maintenance", service="gateway", since=began, reason="new disks")
    stage.run()
    said = dora.text("/slos/exclusions")
    assert "Maintenance : new disks" in said or "Maintenance: new disks" in said
    assert "runs" in said
    assert stage.figures().counts.bad == 0
    assert "Left out:" in dora.text("/slos/api")
    (fact,) = stage.facts("slo.exclusion_recorded")
    dora.send(f"/slos/exclusions/{fact.data['exclusion']}/end")
    assert "over" in dora.text("/slos/exclusions")
    dora.send(f"/slos/exclusions/{fact.data['exclusion']}/end", 409)


def test_an_exclusion_is_withdrawn_with_a_reason_and_its_events_count_again(stage: Stage) -> None:
    stage.put(slo())
    lately(stage, "api", 50)
    console = pages(stage)
    console.send("/slos/exclusions", kind="maintenance", slos="api", since=local(stage, timedelta(hours=7)), reason="x")
    stage.run()
    (fact,) = stage.facts("slo.exclusion_recorded")
    console.send(f"/slos/exclusions/{fact.data['exclusion']}/withdraw", 422, reason="")
    assert stage.figures().counts.bad == 0
    console.send(f"/slos/exclusions/{fact.data['exclusion']}/withdraw", reason="it was no maintenance")
    stage.run()
    assert stage.figures().counts.bad > 0
    assert "withdrawn: its events count" in console.text("/slos/exclusions")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"reason": ""}, "a reason"),
        ({"service": ""}, "either a service or a list of SLOs"),
        ({"slos": "api"}, "either a service or a list of SLOs"),
        ({"service": "", "slos": "nothing"}, "There is no SLO"),
        ({"since": "yesterday"}, "a date and a time such as"),
        ({"kind": "weather"}, "one of those that are listed"),
    ],
)
def test_an_exclusion_that_can_not_be_is_refused_and_what_was_typed_stays(
    stage: Stage, changes: dict[str, str], expected: str
) -> None:
    stage.put(slo())
    form = {"kind": "maintenance", "service": "gateway", "reason": "new disks", **changes}
    status = 404 if expected.startswith("There is no") else 422
    page = pages(stage).send("/slos/exclusions", status, **form).text
    assert expected in words(page)
    assert form["reason"] in page
    assert stage.kinds() == ["defined"]


def test_what_is_given_back_needs_a_second_person(stage: Stage) -> None:
    stage.put(slo(objectives=[{"target": 0.5}]))
    stage.steady("api", good=90)
    stage.run()
    alice, dora = pages(stage), pages(stage, "dora")
    dora.send("/slos/adjustments", slo="api", events="1,200", reason="our own load test", incident="inc-7")
    (fact,) = stage.facts("slo.adjustment_proposed")
    adjustment = fact.data["adjustment"]
    before = stage.figures().budget
    assert "You proposed it; somebody else approves it." in dora.text("/slos/adjustments")
    refused = dora.send(f"/slos/adjustments/{adjustment}/approve", 403)
    assert "Somebody else approves" in words(refused.text)
    assert stage.figures().budget == before
    assert "Approve: give back 1,200" in alice.text("/slos/adjustments")
    alice.send(f"/slos/adjustments/{adjustment}/approve")
    after = stage.figures().budget
    assert (after.given_back, after.bad) == (1_200, before.bad)
    assert after.spent < before.spent
    said = alice.text("/slos/adjustments")
    assert "approved" in said
    assert "our own load test" in said
    assert "given back" in alice.text("/slos/api")
    alice.send(f"/slos/adjustments/{adjustment}/reject", 409)


@pytest.mark.parametrize(
    ("changes", "status", "expected"),
    [
        ({"events": "some"}, 422, "a number of bad events above 0"),
        ({"events": "-3"}, 422, "a number of bad events above 0"),
        ({"events": "nan"}, 422, "a number of bad events above 0"),
        ({"reason": ""}, 422, "a reason"),
        ({"objective": "other"}, 422, "an objective of api"),
        ({"slo": "nothing"}, 404, "There is no SLO"),
        ({"at": "2999-01-01T00:00"}, 422, "not in the future"),
    ],
)
def test_an_adjustment_that_can_not_be_is_refused(
    stage: Stage, changes: dict[str, str], status: int, expected: str
) -> None:
    stage.put(slo())
    form = {"slo": "api", "events": "12", "reason": "a test", **changes}
    assert expected in words(pages(stage).send("/slos/adjustments", status, **form).text)
    assert stage.facts("slo.adjustment_proposed") == []


def test_the_verdict_of_each_service_stands_with_its_reasons(stage: Stage) -> None:
    break_it(stage)
    console = pages(stage)
    assert "gateway" in console.text("/slos/policies")
    console.send("/slos/policies", text=POLICY)
    said = console.text("/slos/policies")
    assert "nothing" in said.partition("gateway")[2]
    assert "strict" in said
    assert "freeze all deployments" in said
    assert "name: strict" in console.get("/slos/policies?edit=strict").text


def test_a_policy_is_deleted_with_a_reason_and_what_is_no_policy_is_refused(stage: Stage) -> None:
    console = pages(stage)
    console.send("/slos/policies", text=POLICY)
    for wrong, expected in (("name: [", "line"), ("name: x\nsteps:\n  - {burn: 1, action: panic}\n", "line 3")):
        refused = console.send("/slos/policies", 422, text=wrong)
        assert expected in words(refused.text)
        assert wrong.splitlines()[0] in refused.text
    console.send("/slos/policies/strict/delete", 422, reason="")
    console.send("/slos/policies/strict/delete", reason="too strict")
    (fact,) = stage.facts("slo.record_removed")
    assert fact.data["reason"] == "too strict"
    pages(stage, "bob").send("/slos/policies", 403, text=POLICY)


def test_each_data_source_says_whether_it_answers_and_who_asks_it(stage: Stage) -> None:
    console = pages(stage)
    with stage.database.begin() as session:
        source = DataSource.model_validate({"name": "prom", "url": "http://127.0.0.1:9090"})
        Slos(session, stage.clock).put_record(source, by="alice", source="api")
        policy = Policy.model_validate({"name": "default", "steps": []})
        Slos(session, stage.clock).put_record(policy, by="alice", source="api")
    query = {"query": "sum(rate(x[{{.window}}]))", "data_source": "prom"}
    stage.put(slo(), slo("ratio", indicator={"kind": "ratio", "good": query, "total": query}))
    stage.steady("api")
    stage.steady("ratio")
    stage.run()
    said = console.text("/slos/data-sources")
    assert "prom http://127.0.0.1:9090 yes up to" in said
    assert "gateway yes up to" in said
    stage.tape.problem = "connection refused"
    stage.run(timedelta(minutes=1))
    assert "prom http://127.0.0.1:9090 no connection refused, since" in console.text("/slos/data-sources")
    refused = console.send("/slos/data-sources/prom/delete", 409, reason="gone")
    assert "is asked by ratio" in words(refused.text)


def test_a_server_is_named_only_by_who_may_and_only_where_requests_may_go(stage: Stage) -> None:
    console = pages(stage)
    console.send("/slos/data-sources", 422, name="prom", url="ftp://files.example")
    refused = console.send("/slos/data-sources", 422, name="Prom!", url="http://127.0.0.1:9090")
    assert 'value="http://127.0.0.1:9090"' in refused.text
    metadata = console.post("/slos/data-sources", page="/slos", name="prom", url="http://169.254.169.254/latest")
    assert metadata.status_code in (403, 422)
    pages(stage, "dora").send("/slos/data-sources", 403, name="prom", url="http://127.0.0.1:9090")
    assert stage.facts("slo.record_put") == []
