"""The page of a parameter: its layers, the editor with a look before each change, overrides, history, explanations."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.config.pages.support import DOOR, LIMITS, MODE, OPEN, OPENS, WAIT, pages, words
from tests.config.support import GREETING, MATCHES, RADIUS, Stage
from watchkeeper.modules.config.reports import Report, take_report
from watchkeeper_client.rules import Definition

PAGE = "/config/parameters/MATCHES_PER_DAY"
SEGMENT = {"value": 8, "priority": 5}


@pytest.fixture
def filled(stage: Stage) -> Stage:
    stage.define({**MATCHES, "unit": "people", "owner": "Team Match", "used_by": ["gateway"], "description": "A day."})
    return stage


def report(stage: Stage, service: str, instance: str, **variables: str | None) -> None:
    """A program tells what it sees."""
    said = Report(service, instance, 1, 0, variables, ((next(iter(variables)), "env", 3),))
    with stage.database.begin() as session:
        take_report(session, stage.clock, "production", said)


def test_the_page_says_what_a_parameter_is_and_who_uses_it(filled: Stage) -> None:
    filled.config(lambda c: c.declare("shop", Definition.of({**MATCHES, "default": 2}), by="tok_1"))
    text = pages(filled, "bob").text(PAGE)
    for said in ("A day.", "1 to 10", "in people", "Team Match", "matching", "gateway", "shop declared it just now"):
        assert said in text
    assert "differs from the registry" in text


def test_every_layer_stands_there_with_what_it_says_and_what_hides_it(filled: Stage) -> None:
    report(filled, "shop", "a", MATCHES_PER_DAY="4")
    report(filled, "shop", "b", MATCHES_PER_DAY="4")
    text = pages(filled).text(PAGE)
    assert "decides in shop" in text
    assert "2 programs" in text
    filled.set("MATCHES_PER_DAY", 7)
    filled.set("MATCHES_PER_DAY", 9, slot="user:u1")
    filled.set("MATCHES_PER_DAY", SEGMENT, slot="segment:all_users")
    filled.set("MATCHES_PER_DAY", {"value": 6, "priority": 5}, slot="segment:country_NO")
    text = pages(filled).text(PAGE)
    in_order = ["u1 9", "country_NO 6 priority 5", "all_users 8 priority 5", "system_config 7", "shop 4", "registry 3"]
    places = [text.index(one) for one in in_order]
    assert places == sorted(places)
    assert "hidden by system_config" in text
    assert "the stored value of production goes first" in text
    assert "the same as all_users: the newest, goes first" in text
    assert "the same as country_NO: country_NO is newer and goes first" in text


def test_a_variable_that_is_no_value_is_told_to_be_ignored(filled: Stage) -> None:
    report(filled, "shop", "a", MATCHES_PER_DAY="many")
    text = pages(filled).text(PAGE)
    assert "not a value of this parameter: ignored" in text
    assert "Now Layers" in text
    assert "code default" in text


def test_a_secret_is_never_shown_only_where_it_lies(stage: Stage) -> None:
    stage.define(DOOR)
    report(stage, "shop", "a", DOOR_KEY="hunter2")
    page = pages(stage)
    assert "hunter2" not in page.get("/config/parameters/DOOR_KEY").text
    assert "env:DOOR" in page.text("/config/parameters/DOOR_KEY")
    assert "is set" in page.text("/config/parameters/DOOR_KEY")
    page.change("/config/parameters/DOOR_KEY/value", value="file:/run/secrets/door", version="0")
    assert stage.document()["parameters"]["DOOR_KEY"]["value"] == {"file": "/run/secrets/door"}


@pytest.mark.parametrize(
    ("definition", "typed", "value"),
    [
        (MATCHES, " 5 ", 5),
        (RADIUS, "7.5", 7.5),
        (GREETING, " good day", " good day"),
        (MODE, "fast", "fast"),
        (WAIT, "1h", timedelta(hours=1)),
        (LIMITS, '{\r\n "b": 2}', {"b": 2}),
        (OPEN, "false", False),
    ],
)
def test_a_value_is_looked_at_and_then_made(stage: Stage, definition: dict[str, Any], typed: str, value: Any) -> None:
    stage.define(definition)
    page, key = pages(stage, "dora"), definition["key"]
    preview = page.look(f"/config/parameters/{key}/value", value=typed, version="0", reason="it is time")
    assert "Nothing is changed yet" in words(preview.text)
    assert stage.version() == 2, "a look changes nothing"
    assert stage.kinds() == ["parameter_defined"]
    made = page.make(preview)
    assert stage.get(key) == value
    text = page.text(made.headers["location"])
    assert "“it is time”" in text
    assert "Dora" not in text.partition("by way of")[2]
    assert stage.facts()[-1].actor == "per_dora"
    assert stage.facts()[-1].source == "console"


@pytest.mark.parametrize(
    ("definition", "typed", "complaint"),
    [
        (MATCHES, "11", "a whole number that is from 1 to 10"),
        (MATCHES, "many", "a whole number"),
        (RADIUS, "NaN", "a finite number"),
        (GREETING, "NO", "text that matches [a-z ]+"),
        (WAIT, "2h", "a duration that is from 1m to 1h"),
        (OPENS, "25:00", "a time of day such as 09:00"),
        (LIMITS, "[1]", "is not of type"),
        (LIMITS, "{", "JSON"),
        (DOOR, "hunter2", "env:NAME or file:/path"),
    ],
)
def test_a_wrong_value_is_told_beside_its_field_and_can_be_mended(
    stage: Stage, definition: dict[str, Any], typed: str, complaint: str
) -> None:
    stage.define(definition)
    path = f"/config/parameters/{definition['key']}"
    form = {"environment": "production", "value": typed, "version": "0", "reason": "a try"}
    answer = pages(stage).post(f"{path}/value", **form)
    assert answer.status_code == 422
    assert complaint in words(answer.text)
    assert 'value="a try"' in answer.text, "what was typed stays"
    assert stage.kinds() == ["parameter_defined"]


def test_a_change_needs_a_reason(filled: Stage) -> None:
    answer = pages(filled).post(f"{PAGE}/value", environment="production", value="5", version="0", reason=" ")
    assert answer.status_code == 422
    assert "why, in 1 to 500 characters" in words(answer.text)


def test_who_edits_what_somebody_changed_meanwhile_is_told_by_whom(filled: Stage) -> None:
    page = pages(filled)
    filled.set("MATCHES_PER_DAY", 7)
    answer = page.post(f"{PAGE}/value", environment="production", value="5", version="0", reason="mine")
    assert answer.status_code == 412
    assert "it is 7 now" in words(answer.text)
    seen = filled.version()
    preview = page.look(f"{PAGE}/value", value="5", version=str(seen))
    filled.set("MATCHES_PER_DAY", 8)
    assert page.make(preview).status_code == 412
    assert filled.get("MATCHES_PER_DAY") == 8


def test_a_preview_that_is_sent_twice_makes_one_change(filled: Stage) -> None:
    page = pages(filled)
    preview = page.look(f"{PAGE}/value", value="5", version="0", at="2027-01-01T09:00")
    first, second = page.make(preview), page.make(preview)
    assert first.headers["location"] == second.headers["location"]
    assert filled.kinds().count("change_scheduled") == 1


def test_a_value_can_be_taken_away_and_the_next_layer_decides(filled: Stage) -> None:
    filled.set("MATCHES_PER_DAY", 7)
    pages(filled).change(f"{PAGE}/value", unset="yes", value="", version=str(filled.version()))
    assert filled.get("MATCHES_PER_DAY") == 3


def test_a_change_can_be_planned_and_waits_for_its_time(filled: Stage) -> None:
    page = pages(filled)
    preview = page.look(f"{PAGE}/value", value="5", version="0", at="2026-03-02T18:30")
    assert "Plan it" in words(preview.text)
    page.make(preview)
    assert filled.document()["scheduled"][0]["at"] == "2026-03-02T18:30:00.000000Z"
    assert "Planned in production, for 2026-03-02 18:30:00 UTC" in page.text(PAGE)
    for at, complaint in (("2026-03-01T09:00", "in the future"), ("tomorrow", "a date and a time")):
        answer = page.post(f"{PAGE}/value", environment="production", value="6", version="0", reason="x", at=at)
        assert answer.status_code == 422
        assert complaint in words(answer.text)


def test_who_needs_approval_is_told_before(filled: Stage) -> None:
    filled.define({**MATCHES, "needs_approval": True})
    page = pages(filled)
    assert "waits until a second person approves" in page.text(PAGE)
    preview = page.look(f"{PAGE}/value", value="5", version="0")
    assert "Send it for approval" in words(preview.text)
    assert "Decide" in page.text(page.make(preview).headers["location"])
    assert filled.get("MATCHES_PER_DAY") == 3


def test_overrides_are_added_changed_and_removed(filled: Stage) -> None:
    page = pages(filled)
    page.change(f"{PAGE}/override", kind="user", target="u1", value="9")
    page.change(f"{PAGE}/override", kind="segment", target="all_users", value="8", priority="5")
    assert filled.get("MATCHES_PER_DAY", "u1") == 9
    assert filled.get("MATCHES_PER_DAY", "u2") == 8
    prefilled = page.get(f"{PAGE}?kind=segment&target=all_users").text
    assert 'name="priority" type="number" inputmode="numeric" step="1" value="5"' in prefilled
    page.change(f"{PAGE}/override", kind="user", target="u1", value="", remove="yes")
    assert filled.get("MATCHES_PER_DAY", "u1") == 8


@pytest.mark.parametrize(
    ("form", "complaint"),
    [
        ({"kind": "user", "target": "", "value": "9"}, "the id of a user"),
        ({"kind": "user", "target": "u1", "value": "99"}, "1 to 10"),
        ({"kind": "segment", "target": "nobody_made_it", "value": "9"}, "a segment that exists"),
        ({"kind": "segment", "target": "all_users", "value": "9", "priority": "high"}, "a whole number"),
        ({"kind": "user", "target": "u1", "value": "", "remove": "yes"}, "set to this already"),
    ],
)
def test_a_wrong_override_is_told_and_can_be_mended(filled: Stage, form: dict[str, str], complaint: str) -> None:
    answer = pages(filled).post(f"{PAGE}/override", environment="production", reason="a try", **form)
    assert answer.status_code == 422
    assert complaint in words(answer.text)
    assert f'name="target" value="{form["target"]}"' in answer.text


def test_many_overrides_of_users_are_counted_and_only_the_newest_shown(filled: Stage) -> None:
    for number in range(53):
        filled.set("MATCHES_PER_DAY", 9, slot=f"user:u{number}")
    text = pages(filled).text(PAGE)
    assert "and 3 more" in text
    assert " u52 " in text
    assert " u0 " not in text


def test_the_history_leads_to_undoing_each_change(filled: Stage) -> None:
    filled.set("MATCHES_PER_DAY", 7, reason="more people")
    change = filled.set("MATCHES_PER_DAY", 8, reason="even more").id
    page = pages(filled)
    text = page.text(PAGE)
    assert "7 → 8" in text
    assert "“more people”" in text
    assert f"/config/changes/{change}#undo" in page.get(PAGE).text


def test_a_long_value_is_shortened_and_its_history_told_line_by_line(stage: Stage) -> None:
    stage.define(LIMITS)
    before = {f"limit_{number}": number for number in range(20)}
    stage.set("LIMITS", before)
    stage.set("LIMITS", {**before, "limit_7": 70})
    page = pages(stage)
    assert '"limit_19"' not in page.get("/config").text
    text = page.text("/config/parameters/LIMITS")
    assert "2 lines otherwise" in text
    assert '- taken away: "limit_7": 7,' in text
    assert '+ added: "limit_7": 70,' in text


def test_the_explanation_goes_through_every_layer(filled: Stage) -> None:
    filled.set("MATCHES_PER_DAY", 7)
    filled.set("MATCHES_PER_DAY", 6, slot="user:u1")
    page = pages(filled, "bob")
    text = page.text(f"{PAGE}?user=u1").partition("Who gets what, and why")[2]
    assert "u1 gets 6 (without any attributes)" in text
    assert "decides" in text
    assert "the user's override goes first" in text
    filled.set("MATCHES_PER_DAY", {"value": 9}, slot="segment:country_NO")
    assert "gets 9 with these attributes" in page.text(f'{PAGE}?attributes={{"country": "NO"}}')
    assert "a JSON object such as" in page.text(f"{PAGE}?attributes=NO")


def test_the_page_tells_how_often_each_layer_decided(filled: Stage) -> None:
    assert "Nobody asked for it in the last 24 h" in pages(filled).text(PAGE)
    report(filled, "shop", "a", MATCHES_PER_DAY="4")
    assert "env 3 3 100 %" in pages(filled).text(PAGE)


def test_who_may_only_read_sees_no_form_and_changes_nothing(filled: Stage) -> None:
    bob = pages(filled, "bob")
    assert 'method="post"' not in bob.get(PAGE).text
    assert "needs the scope write" in bob.text(PAGE)
    for path in ("value", "override", "state", "kill", "revive"):
        assert bob.post(f"{PAGE}/{path}", environment="production", reason="x").status_code == 403
    assert bob.post("/config/changes", environment="production", reason="x", operations="[]").status_code == 403


def test_a_parameter_that_is_not_there_is_not_found(stage: Stage) -> None:
    assert "no parameter 'NOTHING'" in pages(stage).text("/config/parameters/NOTHING", 404)


@pytest.mark.parametrize("operations", ["", "{}", '[["A"]]', "[[1,2,3,null]]", "nonsense"])
def test_a_form_that_was_tampered_with_changes_nothing(filled: Stage, operations: str) -> None:
    answer = pages(filled).post("/config/changes", environment="production", reason="x", operations=operations)
    assert answer.status_code == 422
    assert filled.kinds() == ["parameter_defined"]
