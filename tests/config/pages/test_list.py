"""The list of parameters: found, filtered, sorted, exported, and quick with a thousand of them."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest

from tests.config.pages.support import OPEN, pages
from tests.config.support import COACH, MATCHES, RADIUS, VIDEO, Stage
from watchkeeper.modules.config.model import Operation
from watchkeeper.modules.config.reports import Report, take_report
from watchkeeper_client.rules import Definition

GROUPED = (
    {**MATCHES, "group": "matching/daily", "description": "How many people one meets in a day", "owner": "Team Match"},
    {**RADIUS, "group": "matching/geo", "unit": "km", "deprecated_since": "2026-01-01"},
    {**VIDEO, "group": "chat", "expires_on": "2026-02-01"},
    OPEN,
)


@pytest.fixture
def filled(stage: Stage) -> Stage:
    stage.define(*GROUPED)
    return stage


def keys(stage: Stage, query: str = "") -> list[str]:
    """The keys that the list and its CSV show, which are the same."""
    text = pages(stage, "bob").get(f"/config{query}").text
    rows = list(csv.DictReader(io.StringIO(pages(stage, "bob").get(f"/config.csv{query}").text)))
    shown = [row["key"] for row in rows]
    assert [key for key in shown if f"/config/parameters/{key}?" in text] == shown
    assert sum(f"/config/parameters/{one['key']}?" in text for one in GROUPED) == len(shown)
    return shown


def test_an_empty_registry_teaches_how_to_fill_it(stage: Stage) -> None:
    text = pages(stage, "bob").text("/config")
    assert "No parameters yet" in text
    assert "ops/parameters.yaml" in text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["ENABLE_VIDEO", "MATCHES_PER_DAY", "RADIUS_KM", "IS_OPEN"]),
        ("?q=people", ["MATCHES_PER_DAY"]),
        ("?q=TEAM matches", ["MATCHES_PER_DAY"]),
        ("?q=nothing-like-it", []),
        ("?group=matching", ["MATCHES_PER_DAY", "RADIUS_KM"]),
        ("?group=matching/geo", ["RADIUS_KM"]),
        ("?show=flags", ["ENABLE_VIDEO"]),
        ("?show=deprecated", ["ENABLE_VIDEO", "RADIUS_KM"]),
        ("?show=stale", ["ENABLE_VIDEO"]),
        ("?show=changed", []),
        ("?sort=key", ["ENABLE_VIDEO", "IS_OPEN", "MATCHES_PER_DAY", "RADIUS_KM"]),
    ],
)
def test_the_list_is_searched_filtered_and_sorted_in_its_address(
    filled: Stage, query: str, expected: list[str]
) -> None:
    assert keys(filled, query) == expected


def test_a_list_that_fits_nothing_leads_back(filled: Stage) -> None:
    assert "No parameter fits" in pages(filled).text("/config?q=nothing-like-it")


def test_a_row_tells_value_layer_overrides_and_who_changed_it_last(filled: Stage) -> None:
    filled.set("MATCHES_PER_DAY", 7)
    filled.set("MATCHES_PER_DAY", 9, slot="user:u1")
    filled.clock.advance(timedelta(seconds=1))
    filled.set("MATCHES_PER_DAY", {"value": 8}, slot="segment:all_users", by="dora")
    text = pages(filled).text("/config?q=matches")
    assert "7 set here 1 user, 1 segment otherwise just now dora" in text


def test_who_took_a_value_away_changed_it_last(filled: Stage) -> None:
    filled.set("MATCHES_PER_DAY", 7)
    filled.clock.advance(timedelta(minutes=1))
    filled.set("MATCHES_PER_DAY", None, by="dora")
    assert "3 code default just now dora" in pages(filled).text("/config?q=matches")
    assert keys(filled, "?show=changed") == []


def test_what_was_changed_last_comes_first_when_asked(filled: Stage) -> None:
    filled.set("RADIUS_KM", 20)
    filled.clock.advance(timedelta(minutes=1))
    filled.set("MATCHES_PER_DAY", 7)
    assert keys(filled, "?sort=changed")[:2] == ["MATCHES_PER_DAY", "RADIUS_KM"]
    assert keys(filled, "?show=changed&sort=key") == ["MATCHES_PER_DAY", "RADIUS_KM"]


def test_a_variable_that_running_programs_see_is_told_where_nothing_is_set(filled: Stage) -> None:
    report = Report("matching", "a", 1, 0, {"MATCHES_PER_DAY": "6", "RADIUS_KM": "far"}, ())
    with filled.database.begin() as session:
        take_report(session, filled.clock, "production", report)
    text = pages(filled).text("/config")
    assert "6 environment variable in matching" in text
    assert "50.0 km" in text, "a variable that does not hold a value decides nothing"


def test_each_environment_has_its_own_list_and_the_address_keeps_it(filled: Stage) -> None:
    filled.config(
        lambda config: config.add_environment(
            "staging", copy_from=None, needs_approval=False, reason="to try", by="alice", source="api"
        )
    )
    filled.set("MATCHES_PER_DAY", 9, environment="staging")
    page = pages(filled)
    assert "9 set here" in page.text("/config?environment=staging&q=matches")
    assert "3 code default" in page.text("/config?q=matches")
    assert "/config/parameters/MATCHES_PER_DAY?environment=staging" in page.get("/config?environment=staging").text
    assert "no environment 'nowhere'" in page.text("/config?environment=nowhere", 404)


def test_names_and_values_are_escaped_and_no_formula_reaches_a_spreadsheet(stage: Stage) -> None:
    nasty = '<img src=x onerror="1">'
    stage.define(
        {"key": "A", "type": "string", "default": "=1+1", "description": nasty, "group": nasty, "owner": nasty}
    )
    stage.set("A", nasty, reason=nasty)
    stage.set("A", nasty, slot=f"user:{nasty}", reason=nasty)
    page = pages(stage)
    change = stage.set("A", f"{nasty}2").id
    for path in ("/config", "/config/parameters/A?user=<img>", "/config/changes", f"/config/changes/{change}"):
        text = page.get(path).text
        assert "<img" not in text
        assert "&lt;img src=x" in text
    stage.set("A", "=1+1")
    (row,) = csv.DictReader(io.StringIO(page.get("/config.csv").text))
    assert row["value"] == "'=1+1"


def test_a_thousand_parameters_come_page_by_page(stage: Stage) -> None:
    def fill(config: Any) -> None:
        for number in range(1_000):
            said = {"key": f"KEY_{number:04}", "type": "integer", "default": number, "group": f"group/{number // 50}"}
            config.define(Definition.of(said), managed_by="ops", by="alice", source="ops")

    stage.config(fill)
    operations = [Operation(f"KEY_{number:04}", "value", 1) for number in range(1, 500)]
    stage.changes(lambda changes: changes.propose("production", operations, reason="many", by="alice", source="api"))
    page = pages(stage)
    first = page.get("/config").text
    assert "1000 parameters" in first
    assert first.count("/config/parameters/") == 200
    others = "".join(page.get(f"/config?page={number}").text for number in range(2, 6))
    assert others.count("/config/parameters/") == 800
    assert "KEY_0777" in page.text("/config?q=0777")
    assert len(page.get("/config.csv").text.splitlines()) == 1_001


def test_a_flag_that_is_killed_stands_out(stage: Stage) -> None:
    stage.define(COACH)
    stage.set("ENABLE_COACH", {"enabled": False})
    assert "killed" in pages(stage).text("/config")
