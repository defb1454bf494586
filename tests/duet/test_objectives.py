"""What Duet promises: its files say all of it, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from examples.duet.reports import SEVERITIES, SEVERITY_OF
from watchkeeper.modules.slo.definition import Definition, PolicyStep, Responses
from watchkeeper.modules.slo.files.openslo import Bundle, read_texts

OPS = Path(__file__).parents[2] / "examples" / "duet" / "ops"
MONTH, DAY, WEEKS = timedelta(days=30), timedelta(days=1), timedelta(days=28)
MS, S, M, H = timedelta(milliseconds=1), timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
# By SLO: its window, and of each objective the share of good events and the most that is good.
PROMISED: dict[str, tuple[timedelta, list[tuple[float, timedelta | None]]]] = {
    "api-availability": (MONTH, [(0.999, None)]),
    "api-latency": (MONTH, [(0.5, 100 * MS), (0.95, 500 * MS), (0.99, 2000 * MS)]),
    "auth-latency": (MONTH, [(0.95, 300 * MS)]),
    "profile-latency": (MONTH, [(0.95, 100 * MS)]),
    "offers-latency": (MONTH, [(0.95, 200 * MS)]),
    "chat-send-latency": (MONTH, [(0.95, 200 * MS)]),
    "chat-history-latency": (MONTH, [(0.95, 500 * MS)]),
    "message-delivery": (DAY, [(0.999, 5 * S)]),
    "connection-stability": (MONTH, [(0.995, None)]),
    "daily-offers": (DAY, [(0.995, None)]),
    "server-errors": (MONTH, [(0.999, None)]),
    "mutual-accept-rate": (WEEKS, [(0.2, None)]),
    "safety-critical-response": (MONTH, [(0.5, 15 * M), (0.95, 60 * M)]),
    "safety-high-response": (MONTH, [(0.5, 4 * H), (0.95, 8 * H)]),
    "safety-standard-response": (MONTH, [(0.5, 24 * H), (0.95, 48 * H)]),
}


@pytest.fixture(scope="module")
def said() -> Bundle:
    return read_texts({str(file): file.read_text(encoding="utf-8") for file in sorted((OPS / "slos").glob("*.yaml"))})


@pytest.fixture(scope="module")
def slos(said: Bundle) -> dict[str, Definition]:
    return {one.name: one for one in said.definitions}


def test_every_promise_is_an_objective_with_its_target_and_its_window(slos: dict[str, Definition]) -> None:
    found = {
        name: (one.window.length, [(each.target, each.threshold) for each in one.objectives])
        for name, one in slos.items()
    }
    assert found == PROMISED


def test_budgets_of_a_month_begin_anew_on_the_first(slos: dict[str, Definition]) -> None:
    assert {one.window.calendar for one in slos.values() if one.window.length == MONTH} == {"month"}


def test_every_objective_belongs_to_a_service_that_the_files_describe(slos: dict[str, Definition]) -> None:
    described = {yaml.safe_load(file.read_text())["name"] for file in (OPS / "services").glob("*.yaml")}
    assert {one.service for one in slos.values()} == described


def test_customers_get_a_tenth_back_after_a_month_below_the_agreement(slos: dict[str, Definition]) -> None:
    [agreed] = [one.agreement for one in slos.values() if one.agreement is not None]
    assert agreed == slos["api-availability"].agreement
    assert (agreed.target, agreed.period) == (0.995, "month")
    assert [(step.below, step.credit) for tier in agreed.tiers for step in tier.credits] == [(0.995, 0.1)]
    assert set(agreed.excludes) == {"maintenance", "third_party_outage"}


def test_alerts_call_when_the_files_promise_it(slos: dict[str, Definition]) -> None:
    def rules(name: str) -> list[tuple[float, timedelta, str]]:
        return [(rule.burn_rate(MONTH), rule.long, rule.action) for rule in slos[name].alerting.rules or ()]

    # Two percent of a month's budget a day are 0.6 times what it may spend, five are 1.5 times.
    assert rules("api-availability") == [(pytest.approx(0.6), H, "page"), (pytest.approx(1.5), 5 * M, "page")]
    assert (1.1, 10 * M, "ticket") in rules("api-latency")
    [any_miss] = slos["safety-critical-response"].alerting.rules or ()
    assert (any_miss.misses, any_miss.action) == (1, "page")


def test_a_critical_report_that_waits_pages_on_call_and_trust_and_safety() -> None:
    documents = list(yaml.safe_load_all((OPS / "slos" / "alerting.yaml").read_text(encoding="utf-8")))
    policies = {one["metadata"]["name"]: one["spec"] for one in documents if one["kind"] == "AlertPolicy"}
    assert policies["critical-report-waits"]["notificationTargets"] == ["on-call", "trust-and-safety"]


def test_a_budget_that_burns_freezes_deployments(said: Bundle) -> None:
    [policy] = said.policies
    assert policy.steps == (
        PolicyStep(burn=2, action="freeze_non_critical"),
        PolicyStep(burn=5, action="freeze_all"),
        PolicyStep(burn=10, action="emergency"),
    )
    assert set(policy.services) == {"duet-gateway", "duet-matching", "duet-chat"}


def test_live_connections_and_uploads_are_not_requests(slos: dict[str, Definition]) -> None:
    indicator = slos["api-latency"].indicator
    assert indicator.kind == "latency"
    assert indicator.exclude_routes == ("/v1/stream", "/v1/uploads*")


def test_severities_are_those_of_the_queue(slos: dict[str, Definition]) -> None:
    counted = [one.indicator.where for one in slos.values() if isinstance(one.indicator, Responses)]
    assert [where["duet.severity"] for where in counted if where] == list(SEVERITIES)
    assert {
        **dict.fromkeys(("child_safety", "violence", "self_harm"), "critical"),
        **dict.fromkeys(("harassment", "scam"), "high"),
        **dict.fromkeys(("inappropriate_content", "other"), "standard"),
    } == SEVERITY_OF
