"""The page of one SLO: numbers that people can compute again, what spent a budget, what happened."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from tests.slo.pages.support import break_it, lately, pages
from tests.slo.support import Stage, slo
from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import rfc3339
from watchkeeper.modules.alerts.events import ChangeRecorded
from watchkeeper.modules.oncall.paging.events import CallsBegun
from watchkeeper.modules.slo.changes import Change, burning_since, changes, suspects
from watchkeeper.modules.slo.model import AlertState

# What pages ask the database is asked by the API, too, and tested on both engines there.
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

HOUR = timedelta(hours=1)


def suspects_at(stage: Stage, alert: AlertState) -> list[Change]:
    tracker = stage.engine.tracker("api", "main")
    assert tracker is not None
    with stage.database.read() as session:
        return suspects(session, slo(), tracker, alert)


def steps_of(page: str) -> dict[str, tuple[str, str]]:
    """The arithmetic on the page: what, how, result."""
    table = page.partition('id="arithmetic"')[2].partition("</table>")[0]
    rows = re.findall(r"<tr><td>(.*?)</td><td>(.*?)</td><td[^>]*><b>(.*?)</b>", table)
    return {what: (how, result) for what, how, result in rows}


def number(text: str) -> float:
    return float(text.replace(",", "").removesuffix(" %"))


def test_the_budget_can_be_computed_again_from_what_stands_on_the_page(stage: Stage) -> None:
    stage.put(slo(objectives=[{"target": 0.99}]))
    lately(stage, "api", 99.8)
    stage.run()
    steps = steps_of(pages(stage).get("/slos/api").text)
    good, total = (number(part) for part in steps["Share of good events"][0].split(" / "))
    assert number(steps["Share of good events"][1]) == pytest.approx(100 * good / total, abs=0.1)
    how, expected = steps["Events of the whole window, at this traffic"]
    counted, whole, measured = (number(one) for one in re.findall(r"[\d,]+", how))
    assert (counted, whole) == (total, 30 * 86_400)
    assert number(expected) == pytest.approx(counted * whole / measured, rel=1e-4)
    allowed = number(steps["Of these may be bad"][1])
    assert allowed == pytest.approx(0.01 * number(expected), rel=1e-4)
    bad = number(steps["Spent of the budget"][0].split(" bad")[0])
    assert number(steps["Spent of the budget"][1]) == pytest.approx(100 * bad / allowed, abs=0.05)


def test_what_is_left_is_told_in_percent_minutes_and_events_with_what_was_measured(stage: Stage) -> None:
    stage.put(slo())
    lately(stage, "api", 100)
    stage.run()
    said = pages(stage).text("/slos/api")
    assert "100.0 %" in said
    assert "43.2 min of 43.2 min of a full outage" in said
    assert "may still be bad, of 4,3" in said
    assert "Measured 6 h" in said
    assert re.search(r"0\.8\d+ % of the time since", said)
    assert "the budget lasts" in said


def test_the_burn_over_any_window_can_be_asked(stage: Stage) -> None:
    stage.put(slo())
    stage.steady("api", good=99)
    stage.run()
    console = pages(stage)
    assert re.search(r"<td>45m</td><td[^>]*><b>10x</b>", console.get("/slos/api?over=45m").text)
    for nonsense in ("31d", "0s", "45", "%3Cb%3E"):
        page = console.get(f"/slos/api?over={nonsense}").text
        assert "Expected a duration from 1m to 30d" in page
        assert "<b></td>" not in page


def test_what_burns_is_told_when_it_will_be_gone_with_bounds(stage: Stage) -> None:
    stage.put(slo(objectives=[{"target": 0.9}], window={"rolling": "7d"}))
    lately(stage, "api", 85)
    stage.run()
    said = pages(stage).text("/slos/api")
    assert "the budget is gone" in said
    assert "with 90 % likelihood not before" in said
    assert "and not after" in said
    chart = pages(stage).get("/api/v1/slo/charts/api/budget").json()
    assert [one["label"] for one in chart["series"]] == ["left", "forecast", "earliest", "latest"]
    assert all(len(one["values"]) == len(chart["times"]) for one in chart["series"])
    assert chart["times"] == sorted(chart["times"])


def test_each_objective_has_its_own_numbers_below_one_overview(stage: Stage) -> None:
    indicator = {"kind": "latency", "service": "gateway"}
    targets = [
        {"name": "quick", "target": 0.95, "threshold": "300ms"},
        {"name": "bearable", "target": 0.999, "threshold": "2s"},
    ]
    stage.put(slo(indicator=indicator, objectives=targets))
    stage.steady("api")
    stage.run()
    console = pages(stage)
    first, second = console.text("/slos/api"), console.text("/slos/api?objective=bearable")
    assert "quick: 95 % within 300ms" in first
    assert "bearable: 99.9 % within 2s" in second
    for page in (first, second):
        assert "99.9 % within 2s" in page
        assert "95 % within 300ms" in page
    console.get("/slos/api?objective=nothing", 404)
    console.get("/slos/nothing", 404)


def test_changes_are_marked_on_the_charts_and_lead_to_where_they_are_undone(stage: Stage) -> None:
    change = break_it(stage)
    now = stage.clock.now()
    query = f"since={rfc3339(now - HOUR)}&until={rfc3339(now)}"
    for path in (f"/api/v1/slo/charts/api/indicator?{query}", "/api/v1/slo/charts/api/budget"):
        chart = pages(stage).get(path).json()
        mark = chart["marks"][-1]
        assert mark["href"] == f"/config/changes/{change}#undo"
        assert "WORKERS" in mark["label"]
        assert chart["times"][0] <= mark["at"] <= chart["times"][-1]


def test_who_was_called_is_no_change_and_what_was_deployed_is_one(stage: Stage) -> None:
    stage.put(slo())
    stage.run()
    now = stage.clock.now()
    called = CallsBegun(group="grp_1", service_name="gateway", policy=None, generation=1)
    deployed = ChangeRecorded(integration="ci", service_name="gateway", summary="Deployed 42", origin="ci")
    with stage.database.begin() as session:
        for event in (called, deployed):
            journal.append(session, event, by="system", source="worker", at=now)
        [found] = changes(session, slo(), now - HOUR, now + HOUR)
    assert "Deployed 42" in found.words
    assert "more at the same moment" not in found.words


def test_what_was_not_measured_is_a_gap_and_no_percentage(stage: Stage) -> None:
    stage.put(slo())
    start = int(stage.clock.now().timestamp())
    stage.tape.by_slo["api"] = lambda minute: None if start - 1_800 <= minute < start - 900 else (100, 100)
    stage.run()
    now = stage.clock.now()
    values = (
        pages(stage)
        .get(f"/api/v1/slo/charts/api/indicator?since={rfc3339(now - HOUR)}&until={rfc3339(now)}")
        .json()["series"][0]["values"]
    )
    assert values.count(None) == 15
    stage.put(slo("empty", service="nobody", indicator={"kind": "availability", "service": "nobody"}))
    stage.run()
    said = pages(stage).text("/slos/empty")
    assert "No percentage is made of nothing" in said
    assert "Measured" not in said.partition("How fast it burns")[0]


def test_alerts_revisions_exclusions_and_adjustments_of_an_slo_stand_on_its_page(stage: Stage) -> None:
    break_it(stage)
    hour_ago = stage.clock.now() - HOUR
    stage.records(
        lambda records: (
            records.exclude(
                "third_party_outage",
                service=None,
                slos=("api",),
                since=hour_ago,
                until=None,
                reason="the bank was away",
                by="alice",
                source="api",
            ),
            records.propose_adjustment(
                "api",
                "main",
                events=12,
                at=hour_ago,
                reason="a test of ours",
                incident=None,
                by="alice",
                source="api",
            ),
        )
    )
    said = pages(stage).text("/slos/api")
    assert "14.4x over 1h and 5m" in said
    assert "open page" in said
    assert "Outage of a third party: the bank was away" in said
    assert "counts here: not among what is left out" in said
    assert "12 bad events" in said
    assert "waits for a second person" in said


def test_what_alerts_can_never_do_is_said_at_the_alerts(stage: Stage) -> None:
    stage.put(slo(objectives=[{"target": 0.9}]))
    stage.run()
    assert "The alert 14.4x over 1h can never fire at 0.9" in pages(stage).text("/slos/api")


def test_a_silent_source_is_told_and_nothing_is_called_good(stage: Stage) -> None:
    stage.put(slo())
    stage.steady("api")
    stage.run()
    stage.tape.problem = "no answer within 5 s"
    stage.run(timedelta(minutes=10), every=timedelta(minutes=1))
    said = pages(stage).text("/slos/api")
    assert "Its source does not answer: no answer within 5 s" in said
    assert "silent" in said
    assert "Its source is silent" in said


def test_only_what_came_before_the_burning_is_suspected(stage: Stage) -> None:
    break_it(stage)
    (alert,) = (one for one in stage.alerts() if one.action == "page")
    tracker = stage.engine.tracker("api", "main")
    assert tracker is not None
    began = burning_since(tracker, alert.started_at)
    assert timedelta(0) < alert.started_at - began < timedelta(minutes=10)
    (suspect,) = suspects_at(stage, alert)
    assert began - timedelta(minutes=1) <= suspect.at <= began + timedelta(minutes=1)
    assert suspect.ahead == alert.started_at - suspect.at
