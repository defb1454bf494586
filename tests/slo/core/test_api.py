"""The API of objectives: what comes in is checked, what goes out can be recomputed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.kernel.web.support import bearer
from tests.slo.support import Stage, slo
from watchkeeper.kernel.clock import rfc3339

WRITE, READ, ADMIN = bearer("write"), bearer("read"), bearer("admin")


def said(name: str = "api", **changes: Any) -> dict[str, Any]:
    return slo(name, **changes).model_dump(mode="json")


def test_an_slo_is_defined_read_changed_and_removed(stage: Stage) -> None:
    api = stage.api()
    made = api.post("/api/v1/slos", json=said(), headers=WRITE)
    assert (made.status_code, made.json()["version"]) == (201, 1)
    assert api.post("/api/v1/slos", json=said(), headers=WRITE).json()["code"] == "slo.exists"
    found = api.get("/api/v1/slos/api", headers=READ)
    assert found.json()["definition"] == said()
    stale = {**WRITE, "if-match": '"another"'}
    changed = said(objectives=[{"target": 0.99}])
    assert api.put("/api/v1/slos/api", json=changed, headers=stale).status_code == 412
    again = {**WRITE, "if-match": found.headers["etag"]}
    assert api.put("/api/v1/slos/api", json=changed, headers=again).json()["version"] == 2
    assert api.delete("/api/v1/slos/api?reason=gone", headers=WRITE).status_code == 204
    assert api.get("/api/v1/slos/api", headers=READ).json()["code"] == "slo.not_found"
    assert stage.kinds() == ["defined", "changed", "removed"]


def test_posting_twice_with_a_key_defines_once(stage: Stage) -> None:
    api = stage.api()
    headers = {**WRITE, "idempotency-key": "k1"}
    first, second = (api.post("/api/v1/slos", json=said(), headers=headers) for _ in range(2))
    assert (first.status_code, second.status_code, second.json()["id"]) == (201, 201, first.json()["id"])
    assert stage.kinds() == ["defined"]


@pytest.mark.parametrize(
    ("changes", "where", "expected"),
    [
        ({"objectives": [{"target": 1.0}]}, "body.objectives.0.target", "leaves no budget"),
        ({"objectives": [{"target": 99}]}, "body.objectives.0.target", "99% is written 0.99"),
        ({"objectives": [{"target": 0.9}, {"target": 0.99}]}, "objectives[0].name", "twice"),
        (
            {"indicator": {"kind": "latency", "service": "gateway"}},
            "objectives[0].threshold",
            "a duration above 0: latency needs one",
        ),
        (
            {
                "indicator": {"kind": "latency", "service": "gateway"},
                "objectives": [{"target": 0.9, "threshold": 500}],
            },
            "body.objectives.0.threshold",
            "a duration with its unit",
        ),
        ({"window": {"rolling": "400d"}}, "body.window", "between 1h and 366d"),
        ({"window": {"calendar": "month", "time_zone": "Mars/North"}}, "body.window.time_zone", "a time zone"),
        (
            {"indicator": {"kind": "composite", "parts": [{"slo": "api"}]}},
            "indicator.parts[0].slo",
            "an SLO that is not made of this one",
        ),
        (
            {"indicator": {"kind": "composite", "parts": [{"slo": "nobody"}]}},
            "indicator.parts[0].slo",
            "an SLO that is there",
        ),
        (
            {
                "indicator": {
                    "kind": "ratio",
                    "good": {"query": "sum(a)", "data_source": "prom"},
                    "total": {"query": "sum(b)", "data_source": "prom"},
                }
            },
            "indicator.good.data_source",
            "a data source that is there",
        ),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(
    stage: Stage, changes: dict[str, Any], where: str, expected: str
) -> None:
    body = {**said(), **changes}
    refused = stage.api().post("/api/v1/slos", json=body, headers=WRITE)
    assert refused.status_code == 422
    complaints = refused.json()["errors"]
    assert [one for one in complaints if one["where"] == where and expected in one["expected"]], complaints
    assert stage.kinds() == []


def test_a_circle_of_composites_is_refused(stage: Stage) -> None:
    stage.put(slo(), slo("a", indicator={"kind": "composite", "parts": [{"slo": "api"}]}))
    stage.put(slo("b", indicator={"kind": "composite", "parts": [{"slo": "a"}]}))
    body = said("a", indicator={"kind": "composite", "parts": [{"slo": "b"}]})
    current = {**WRITE, "if-match": stage.api().get("/api/v1/slos/a", headers=READ).headers["etag"]}
    refused = stage.api().put("/api/v1/slos/a", json=body, headers=current)
    assert (refused.status_code, refused.json()["code"]) == (422, "slo.invalid")
    removed = stage.api().delete("/api/v1/slos/api", headers=WRITE)
    assert (removed.status_code, removed.json()["code"]) == (409, "slo.in_use")


def test_figures_come_with_the_counts_behind_them(stage: Stage) -> None:
    stage.put(slo(), slo("good"))
    stage.tape.by_slo["api"] = lambda _minute: (999.5, 1000.0)
    stage.steady("good")
    stage.run()
    first, second = stage.api().get("/api/v1/slos", headers=READ).json()["items"]
    assert (first["slo"], second["slo"]) == ("api", "good")
    counts, budget = first["counts"], first["budget"]
    assert first["share"] == pytest.approx(counts["good"] / counts["total"])
    assert budget["spent"] == pytest.approx(counts["bad"] / ((1 - first["target"]) * budget["expected_events"]))
    burn = first["burn_rates"]["1h"]
    share = (burn["total"] - burn["good"]) / burn["total"]
    assert burn["rate"] == pytest.approx(share / (1 - first["target"]) * burn["covered"])
    assert second["status"] == "met"


def test_series_are_null_where_nothing_was_measured(stage: Stage) -> None:
    stage.put(slo())
    start = stage.clock.now().timestamp()
    stage.tape.by_slo["api"] = lambda m: (9.0, 10.0) if m >= start and not start + 120 <= m < start + 180 else None
    stage.run(timedelta(minutes=5))
    query = {"since": rfc3339(stage.clock.now() - timedelta(minutes=6)), "step": 60}
    points = stage.api().get("/api/v1/slos/api/series", params=query, headers=READ).json()["points"]
    assert [None if one["counts"] is None else one["counts"]["bad"] for one in points] == [None, 1, 1, None, 1, 1]


def test_a_deployment_gate_is_told_to_wait_and_why(stage: Stage) -> None:
    stage.put(slo(), slo("minor", critical=False))
    stage.steady("api")
    stage.steady("minor", good=0.0)
    stage.run()
    api = stage.api()
    asked = {"service": "gateway"}
    assert api.get("/api/v1/slo/policy", params=asked, headers=READ).json() == {
        "service": "gateway", "policy": "built-in", "action": None, "may_deploy": True, "may_deploy_critical": True,
        "reasons": [], "postmortems_due": [],
    }  # fmt: skip
    start = stage.clock.now().timestamp()
    stage.tape.by_slo["api"] = lambda minute: (99.0 if minute >= start else 100.0, 100.0)
    stage.run(timedelta(hours=2), every=timedelta(minutes=5))
    told = api.get("/api/v1/slo/policy", params=asked, headers=READ).json()
    assert (told["action"], told["may_deploy"], told["may_deploy_critical"]) == ("freeze_non_critical", False, True)
    assert "api burns its budget" in told["reasons"][0]
    own = {"steps": [{"burn": 1, "action": "emergency"}], "burn_window": "1h", "services": ["gateway"]}
    assert api.put("/api/v1/slo/policies/strict", json=own, headers=WRITE).status_code == 200
    told = api.get("/api/v1/slo/policy", params=asked, headers=READ).json()
    assert (told["policy"], told["action"]) == ("strict", "emergency")
    assert api.get("/api/v1/slo/policy?service=unknown", headers=READ).json()["may_deploy"] is True


def test_an_incident_that_took_a_fifth_of_a_budget_asks_for_a_postmortem(stage: Stage) -> None:
    stage.put(slo(window={"rolling": "1d"}))
    stage.steady("api")
    stage.run()
    start = stage.clock.now().timestamp()
    stage.tape.by_slo["api"] = lambda m: (0.0 if start <= m < start + 60 else 100.0, 100.0)
    stage.run(timedelta(minutes=10))
    told = stage.api().get("/api/v1/slo/policy?service=gateway", headers=READ).json()
    assert any("of the budget of api" in one for one in told["postmortems_due"])


def test_an_adjustment_needs_a_second_person(stage: Stage) -> None:
    stage.put(slo())
    stage.tape.by_slo["api"] = lambda _minute: (99.95, 100.0)
    stage.run()
    before = stage.figures().budget.spent
    api = stage.api()
    order = {"slo": "api", "events": 1000, "reason": "a test of ours", "incident": "inc-7"}
    made = api.post("/api/v1/slo/adjustments", json=order, headers=WRITE).json()
    assert made["state"] == "waiting"
    assert stage.figures().budget.spent == before
    own = api.post(f"/api/v1/slo/adjustments/{made['id']}/approve", headers=WRITE)
    assert (own.status_code, own.json()["code"]) == (403, "slo.own_adjustment")
    assert api.post(f"/api/v1/slo/adjustments/{made['id']}/approve", headers=ADMIN).json()["state"] == "approved"
    assert stage.figures().budget.spent < before
    late = api.post(f"/api/v1/slo/adjustments/{made['id']}/reject", headers=ADMIN)
    assert late.json()["code"] == "slo.already_decided"
    assert stage.kinds()[-2:] == ["adjustment_proposed", "adjustment_decided"]


def test_exclusions_are_recorded_ended_and_refused(stage: Stage) -> None:
    stage.put(slo())
    api, now = stage.api(), stage.clock.now()
    order = {"kind": "third_party_outage", "service": "gateway", "since": rfc3339(now), "reason": "the cloud is down"}
    made = api.post("/api/v1/slo/exclusions", json=order, headers=WRITE).json()
    stage.clock.advance(timedelta(minutes=5))
    ended = api.post(f"/api/v1/slo/exclusions/{made['id']}/end", headers=WRITE).json()
    assert datetime.fromisoformat(ended["until"]) == stage.clock.now()
    again = api.post(f"/api/v1/slo/exclusions/{made['id']}/end", headers=WRITE)
    assert (again.status_code, again.json()["code"]) == (409, "slo.already_decided")
    for wrong, where in (
        ({"slos": ["api"]}, "service"),
        ({"until": rfc3339(now - timedelta(hours=1))}, "until"),
        ({"since": rfc3339(now - timedelta(days=100))}, "since"),
    ):
        refused = api.post("/api/v1/slo/exclusions", json={**order, **wrong}, headers=WRITE)
        assert refused.status_code == 422
        assert where in [one["where"] for one in refused.json()["errors"]]
    assert len(api.get("/api/v1/slo/exclusions", headers=READ).json()["items"]) == 1


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://127.0.0.1:9090", "kernel.destination_refused"),
        ("http://169.254.169.254/", "kernel.destination_refused"),
        ("file:///etc/passwd", "kernel.destination_refused"),
        ("https://me:secret@prometheus.example", "kernel.destination_refused"),
    ],
)
def test_a_data_source_is_no_way_into_the_network(stage: Stage, url: str, code: str) -> None:
    refused = stage.api().put("/api/v1/slo/data-sources/prom", json={"name": "prom", "url": url}, headers=ADMIN)
    assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert "secret" not in refused.text


def test_a_data_source_in_use_stays(stage: Stage) -> None:
    api = stage.api()
    body = {"name": "prom", "url": "https://prometheus.example"}
    assert api.put("/api/v1/slo/data-sources/prom", json=body, headers=WRITE).status_code == 403
    assert api.put("/api/v1/slo/data-sources/prom", json=body, headers=ADMIN).status_code == 200
    counted = {"query": "sum(increase(x[{{.window}}]))", "data_source": "prom"}
    stage.put(slo(indicator={"kind": "ratio", "bad": counted, "total": counted}))
    refused = api.delete("/api/v1/slo/data-sources/prom", headers=ADMIN)
    assert (refused.status_code, refused.json()["code"]) == (409, "slo.in_use")


def test_alerts_are_listed(stage: Stage) -> None:
    stage.put(slo())
    stage.steady("api")
    stage.run()
    stage.steady("api", good=0.0)
    stage.run(timedelta(minutes=2))
    open_now = stage.api().get("/api/v1/slo/alerts", headers=READ).json()["items"]
    assert {one["dedup_key"] for one in open_now} >= {"slo/api/main/page"}
    assert stage.api().get("/api/v1/slos/api/alerts", headers=READ).json()["items"] == open_now
