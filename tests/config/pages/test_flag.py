"""The page of a flag: the kill switch, the rollout, rules that people read and write, and who got what."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.config.pages.support import Pages, pages, words
from tests.config.support import COACH, VIDEO, Stage
from watchkeeper.modules.config.model import Operation
from watchkeeper.modules.config.pages_flag import PERCENT, StateForm, served, spoken
from watchkeeper.modules.config.reports import Report, take_report
from watchkeeper.modules.config.values import check_state
from watchkeeper_client.rules import Definition

PAGE = "/config/parameters/ENABLE_VIDEO"
NORWAY = {"attribute": "country", "op": "equals", "value": "NO"}
RULES = {
    "enabled": True,
    "prerequisites": [{"key": "ENABLE_COACH", "variants": ["on"]}],
    "rules": [
        {"name": "Beta", "when": {"segment": "all_users"}, "serve": {"variant": "on"}},
        {"when": {"all": [NORWAY, {"not": {"users": ["u1"]}}]}, "serve": {"percent": 12.5, "variants": {"on": 1}}},
    ],
    "serve": {"percent": 25, "variants": {"on": 2, "off": 1}},
}


@pytest.fixture
def filled(stage: Stage) -> Stage:
    stage.define(VIDEO, COACH)
    return stage


def rule(**said: str) -> dict[str, str]:
    """One rule as the form sends it."""
    names = ("place", "name", "segment", "when", "serve", "percent", "weights")
    return {f"rule_{name}": said.get(name, "1" if name == "place" else "") for name in names}


def form(*rules: dict[str, str], **said: Any) -> dict[str, Any]:
    """The form of a flag with these rules and the empty one at its end."""
    listed = [*rules, rule(place=str(len(rules) + 1), serve="on")]
    columns = {name: [one[name] for one in listed] for name in listed[0]}
    return {"version": "0", "enabled": "true", "serve": "", **columns, **said}


def state(stage: Stage) -> Any:
    """What is set of the flag."""
    return stage.document()["parameters"]["ENABLE_VIDEO"].get("value")


def change(page: Pages, **said: Any) -> str:
    return page.change(f"{PAGE}/state", **said)


def test_a_flag_that_nothing_is_set_of_says_so(filled: Stage) -> None:
    assert "everybody gets the default variant off" in pages(filled, "bob").text(PAGE)


def test_the_kill_switch_asks_a_reason_and_waits_for_nobody(stage: Stage) -> None:
    stage.define({**VIDEO, "needs_approval": True}, COACH)
    stage.changes(
        lambda changes: changes.propose(
            "production", [Operation("ENABLE_VIDEO", "value", RULES)], reason="x", by="x", source="ops", approved=True
        )
    )
    page = pages(stage)
    assert page.post(f"{PAGE}/kill", environment="production", reason="").status_code == 422
    killed = page.post(f"{PAGE}/kill", environment="production", reason="it burns")
    assert killed.status_code == 303
    assert state(stage) == {**RULES, "enabled": False}
    assert stage.get("ENABLE_VIDEO", "u2") is False
    text = page.text(PAGE)
    assert "Everybody gets off" in text
    assert "Switch it on again" in text
    preview = page.look(f"{PAGE}/revive")
    assert "Send it for approval" in words(preview.text), "only switching off is urgent"


def test_only_flags_can_be_killed(filled: Stage) -> None:
    filled.define({"key": "LIMIT", "type": "integer", "default": 1})
    answer = pages(filled).post("/config/parameters/LIMIT/kill", environment="production", reason="x")
    assert answer.status_code == 422
    assert "only flags" in words(answer.text)


def test_the_rollout_is_a_number_and_weights(filled: Stage) -> None:
    change(pages(filled), **form(serve=PERCENT, percent="12.5", weight_name=["on", "off"], weight=["3", "1"]))
    assert state(filled) == {"enabled": True, "serve": {"percent": 12.5, "variants": {"on": 3, "off": 1}}}
    text = pages(filled).text(PAGE)
    assert "for 12.5 % of everybody: on 75%, off 25%" in text
    assert "the default variant off for the others" in text


def test_rules_are_read_as_sentences(filled: Stage) -> None:
    filled.set("ENABLE_VIDEO", RULES)
    text = pages(filled, "bob").text(PAGE)
    assert "Only where ENABLE_COACH gives on; others get off." in text
    assert "Beta : if in segment all_users, on for them." in text
    assert "if country is NO and not user is u1, on for 12.5 % of them." in text
    assert "needs" not in text.lower().partition("details")[0]
    assert "Needed by ENABLE_VIDEO" in pages(filled).text("/config/parameters/ENABLE_COACH")


def test_rules_are_written_by_segment_or_condition_and_in_the_order_of_their_places(filled: Stage) -> None:
    first = rule(place="2", name="Later", segment="all_users", serve=PERCENT, percent="10", weights="on: 2, off")
    second = rule(place="1", when='{"attribute": "country", "op": "equals", "value": "NO"}', serve="on")
    gone = rule(place="", segment="all_users", serve="on")
    change(
        pages(filled), **form(first, second, gone, serve="off", needs_key=["ENABLE_COACH", ""], needs_variants=["", ""])
    )
    assert state(filled) == {
        "enabled": True,
        "prerequisites": [{"key": "ENABLE_COACH", "variants": ["on"]}],
        "rules": [
            {"when": NORWAY, "serve": {"variant": "on"}},
            {
                "name": "Later",
                "when": {"segment": "all_users"},
                "serve": {"percent": 10, "variants": {"on": 2, "off": 1}},
            },
        ],
        "serve": {"variant": "off"},
    }


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        (form(serve=PERCENT, percent="101", weight_name=["on"], weight=["1"]), "percent: expected a number from 0 to"),
        (form(serve=PERCENT, percent="many", weight_name=["on"], weight=["1"]), "percent: expected a number from 0 to"),
        (form(serve=PERCENT, percent="inf", weight_name=["on"], weight=["1"]), "percent: expected a number from 0 to"),
        (form(serve=PERCENT, percent="10", weight_name=["on"], weight=[""]), "a weight for at least one variant"),
        (form(serve="blue"), "expected one of on, off"),
        (form(rule(when="{", serve="on")), "when: expected JSON; line 1, column 2"),
        (form(rule(when='{\n"a":}', serve="on")), "line 2, column 5"),
        (
            form(rule(when='{"all": [{"attribute": "a", "op": "is", "value": 1}]}', serve="on")),
            "when.all.0.op: expected",
        ),
        (form(rule(when="{}", serve="on")), "exactly one of all, any, not, segment"),
        (form(rule(when="{}", segment="all_users", serve="on")), "a segment or a condition, not both"),
        (form(rule(segment="nobody_made_it", serve="on")), "a segment that exists"),
        (form(rule(segment="all_users", serve=PERCENT, percent="5", weights="on: x")), "a weight such as 1"),
        (form(needs_key=["ENABLE_VIDEO"], needs_variants=["on"]), "no circle, found ENABLE_VIDEO → ENABLE_VIDEO"),
        (form(needs_key=["NOTHING"], needs_variants=["on"]), "a flag of the registry"),
        (form(needs_key=["ENABLE_COACH"], needs_variants=["blue"]), "variants of ENABLE_COACH"),
    ],
)
def test_what_is_wrong_is_told_with_its_exact_place_and_changes_nothing(
    filled: Stage, said: dict[str, Any], complaint: str
) -> None:
    before = filled.kinds()
    answer = pages(filled).post(f"{PAGE}/state", environment="production", reason="a try", **said)
    assert answer.status_code == 422
    assert complaint in words(answer.text)
    assert filled.kinds() == before


def test_the_wrong_rule_is_marked_and_what_was_typed_stays(filled: Stage) -> None:
    good, wrong = rule(segment="all_users", serve="on"), rule(place="2", name="Odd", when="{oops", serve="on")
    answer = pages(filled).post(f"{PAGE}/state", environment="production", reason="a try", **form(good, wrong))
    broken = answer.text.partition('class="wc-set wc-broken"')[2].partition("</fieldset>")[0]
    assert "Odd" in broken
    assert "{oops" in broken
    assert answer.text.count("wc-broken") == 1


def test_a_flag_that_changed_meanwhile_is_not_overwritten(filled: Stage) -> None:
    filled.set("ENABLE_VIDEO", "on")
    answer = pages(filled).post(f"{PAGE}/state", environment="production", reason="mine", **form(serve="off"))
    assert answer.status_code == 412


def test_the_page_counts_what_was_served_by_variant(filled: Stage) -> None:
    counts = (("ENABLE_VIDEO", "on", 30), ("ENABLE_VIDEO", "off", 10))
    with filled.database.begin() as session:
        take_report(session, filled.clock, "production", Report("web", "a", 1, 0, {}, counts))
    text = pages(filled, "bob").text(PAGE)
    assert "on 30 30 75.0 %" in text
    assert "off 10 10 25.0 %" in text


def test_a_flag_past_its_day_says_so(stage: Stage) -> None:
    stage.define({**VIDEO, "expires_on": "2026-02-01"})
    assert "was to be gone by 2026-02-01" in pages(stage).text(PAGE)


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        ({"all": []}, "everybody"),
        ({"any": []}, "nobody"),
        (
            {"any": [NORWAY, {"all": [{"segment": "a"}, {"segment": "b"}]}]},
            "country is NO or (in segment a and in segment b)",
        ),
        ({"users": ["u1", "u2"]}, "user is one of 2"),
        ({"attribute": "age", "op": "exists", "value": False}, "age is not known"),
        ({"attribute": "age", "op": "greater_or_equal", "value": 18}, "age ≥ 18"),
        ({"attribute": "country", "op": "in", "value": ["NO", "SE"]}, "country is one of NO, SE"),
        ({"attribute": "joined", "op": "newer_than", "value": "30d"}, "joined is less long ago than 30d"),
    ],
)
def test_a_condition_in_words(condition: dict[str, Any], text: str) -> None:
    assert spoken(condition) == text


def test_what_is_served_in_words() -> None:
    assert served(None) == "the default variant"
    assert served({"variant": "on"}) == "on for everybody"
    assert served({"percent": 5, "variants": {"on": 1}}, of="them") == "on for 5 % of them"


DEFINITION = Definition.of({**VIDEO, "default": "off", "variants": {"on": 1, "off": 0, "blue": 2}})
variants = st.sampled_from(sorted(DEFINITION.variants))
serves = st.one_of(
    st.builds(lambda name: {"variant": name}, variants),
    st.builds(
        lambda share, weights: {"percent": share, "variants": weights},
        st.sampled_from([0, 0.5, 25, 99.9, 100]),
        st.dictionaries(variants, st.sampled_from([1, 2.5, 1000]), min_size=1),
    ),
)
conditions = st.sampled_from([NORWAY, {"segment": "a"}, {"all": [NORWAY, {"segment": "b"}]}, {"users": ["u1"]}])
rules = st.lists(
    st.builds(
        lambda name, when, serve: {**({"name": name} if name else {}), "when": when, "serve": serve},
        st.sampled_from(["", "Beta", "Åse, <b>"]),
        conditions,
        serves,
    ),
    max_size=12,
)
states = st.builds(
    lambda enabled, needs, listed, serve: check_state(
        DEFINITION, {"enabled": enabled, "prerequisites": needs, "rules": listed, "serve": serve}
    ),
    st.booleans(),
    st.lists(st.builds(lambda key: {"key": key, "variants": ["on", "off"]}, st.sampled_from(["A", "B.c"])), max_size=3),
    rules,
    st.none() | serves,
)


@given(states)
def test_a_form_that_nobody_touched_says_what_was_set(said: dict[str, Any]) -> None:
    assert StateForm.of(DEFINITION, said, 0).state() == said
