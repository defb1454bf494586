"""Layers, flags and schedules: who gets what, and why."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.client.rules.support import COUNT, FLAG, NOW, asked, compiled, snapshot
from watchkeeper_client.rules import Outcome, apply_delta, compile_snapshot, delta_between, explain

NORWAY = {"country_NO": {"when": {"attribute": "country", "op": "equals", "value": "NO"}}, "vip": {"members": ["u9"]}}


def test_layers_decide_from_the_user_down_to_the_code() -> None:
    parameter: dict[str, Any] = {
        **COUNT,
        "users": {"u1": 9},
        "segments": [
            {"segment": "vip", "value": 8, "priority": 5},
            {"segment": "country_NO", "value": 7, "priority": 1},
        ],
        "value": 6,
    }
    document = snapshot({"K": parameter}, NORWAY)
    environ = {"K": "5"}

    def got(user: str | None, **attributes: Any) -> tuple[Any, str]:
        found = compiled(document, environ).outcome("K", user, attributes)
        assert found is not None
        return found.value, found.layer

    assert got("u1", country="NO") == (9, "user")
    assert got("u9", country="NO") == (8, "segment")
    assert got("u2", country="NO") == (7, "segment")
    assert got("u2", country="SE") == (6, "system_config")
    del parameter["value"]
    assert got(None) == (5, "env")
    environ.clear()
    assert got(None) == (3, "code")


@pytest.mark.parametrize("text", ["", "eleven", "11", "5.5", "NaN", "1e400"])
def test_a_variable_that_is_no_value_of_the_parameter_counts_as_not_set(text: str) -> None:
    found = compiled(snapshot({"K": COUNT}), {"K": text}).outcome("K")
    assert found is not None
    assert (found.value, found.layer) == (3, "code")


def test_a_value_that_does_not_fit_its_parameter_is_passed_over() -> None:
    parameter = {**COUNT, "value": 99, "users": {"u1": "x"}, "segments": [{"segment": "vip", "value": None}]}
    assert asked(snapshot({"K": parameter}, NORWAY), "K", "u1").layer == "code"


def test_a_killed_flag_is_off_for_everybody_whatever_else_is_said() -> None:
    flag = {**FLAG, "users": {"u1": "on"}, "value": {"enabled": False, "serve": {"variant": "on"}}}
    found = asked(snapshot({"F": flag}), "F", "u1")
    assert (found.variant, found.reason) == ("off", "DISABLED")


def test_a_prerequisite_that_is_not_met_serves_off() -> None:
    needs = {
        **FLAG,
        "users": {"u1": "on"},
        "value": {"prerequisites": [{"key": "G", "variants": ["on"]}], "serve": {"variant": "on"}},
    }
    for other, wanted in (("on", "on"), ("off", "off")):
        document = snapshot({"F": needs, "G": {**FLAG, "value": {"serve": {"variant": other}}}})
        assert asked(document, "F", "u1").variant == wanted
    assert asked(snapshot({"F": needs}), "F", "u1").reason == "DISABLED"


def test_prerequisites_in_a_circle_are_off_and_end() -> None:
    def needing(key: str) -> dict[str, Any]:
        return {**FLAG, "value": {"prerequisites": [{"key": key, "variants": ["on"]}], "serve": {"variant": "on"}}}

    document = snapshot({"F": needing("G"), "G": needing("F"), "H": needing("H")})
    assert {asked(document, key).variant for key in ("F", "G", "H")} == {"off"}


def test_rules_are_asked_in_order_and_who_is_outside_a_percentage_goes_on() -> None:
    rules = [
        {"name": "norway", "when": {"segment": "country_NO"}, "serve": {"percent": 0, "variants": {"on": 1}}},
        {
            "name": "old apps",
            "when": {"attribute": "app", "op": "version_below", "value": "2"},
            "serve": {"variant": "on"},
        },
    ]
    document = snapshot({"F": {**FLAG, "value": {"rules": rules, "serve": {"variant": "off"}}}}, NORWAY)
    found = asked(document, "F", "u1", country="NO", app="1.9")
    assert (found.variant, found.reason, found.detail) == ("on", "TARGETING_MATCH", "old apps")
    assert asked(document, "F", "u1", country="NO", app="2.0").variant == "off"


def test_a_segment_that_is_gone_or_asks_itself_holds_nobody() -> None:
    segments = {"loop": {"when": {"segment": "loop"}}}
    for name in ("loop", "gone"):
        document = snapshot({"K": {**COUNT, "segments": [{"segment": name, "value": 9}]}}, segments)
        assert asked(document, "K", "u1").layer == "code"


def test_json_is_handed_out_as_a_copy() -> None:
    document = snapshot({"J": {"type": "json", "default": {"list": [1]}}})
    program = compiled(document)
    for _ in range(2):
        entry = program.outcome("J")
        assert entry is not None
        value = entry.value
        assert value == {"list": [1]}
        value["list"].append(2)


def test_scheduled_changes_are_made_at_their_time_and_the_program_says_when_the_next_is() -> None:
    due = NOW + timedelta(hours=1)
    operations = [{"key": "K", "slot": "value", "value": 8}, {"key": "K", "slot": "user:u1", "value": 2}]
    scheduled = [{"id": "chg_1", "at": due.isoformat(), "operations": operations}]
    document = snapshot({"K": COUNT}, scheduled=scheduled)
    before, after = compiled(document), compiled(document, now=due)
    assert before.next_change_at == due
    assert [one.value for one in (before.outcome("K"), before.outcome("K", "u1")) if one] == [3, 3]
    assert after.next_change_at is None
    assert [one.value for one in (after.outcome("K"), after.outcome("K", "u1")) if one] == [8, 2]


def test_a_secret_is_read_only_where_that_is_asked_for(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "secret"
    file.write_text("s3cret\n")
    monkeypatch.setenv("THE_SECRET", "from env")
    document = snapshot(
        {
            "A": {"type": "secret", "value": {"file": str(file)}},
            "B": {"type": "secret", "value": {"env": "THE_SECRET"}},
            "C": {"type": "secret", "value": {"file": str(tmp_path / "none")}},
        }
    )
    hidden = compiled(document)
    assert [hidden.table[key].value for key in "ABC"] == [None, None, None]  # type: ignore[union-attr]
    shown = compile_snapshot(document, now=NOW, environ={}, with_secrets=True)
    assert [shown.table[key].value for key in "ABC"] == ["s3cret", "from env", None]  # type: ignore[union-attr]
    assert "s3cret" not in repr(explain(document, "A", now=NOW, environ={}))


def test_counts_are_by_variant_and_start_again() -> None:
    program = compiled(snapshot({"F": {**FLAG, "users": {"u1": "on"}}}))
    for user in ("u1", "u1", "u2"):
        found = program.outcome("F", user)
        assert isinstance(found, Outcome)
        found.count += 1
    assert program.counts() == {("F", "on"): 2, ("F", "off"): 1}
    assert program.counts() == {}


slots = st.sampled_from(["value", "user:u1", "user:u2", "segment:vip", "segment:country_NO"])
parameters = st.fixed_dictionaries(
    {},
    optional={
        "value": st.integers(1, 10),
        "users": st.dictionaries(st.sampled_from(["u1", "u2"]), st.integers(1, 12), max_size=2),
        "segments": st.lists(
            st.fixed_dictionaries(
                {
                    "segment": st.sampled_from(["vip", "country_NO"]),
                    "value": st.integers(1, 12),
                    "priority": st.integers(0, 2),
                }
            ),
            max_size=2,
            unique_by=lambda one: one["segment"],
        ),
    },
).map(lambda said: {**COUNT, **said})
people = st.tuples(
    st.sampled_from([None, "u1", "u2", "u9"]), st.sampled_from([{}, {"country": "NO"}, {"country": "SE"}])
)


@given(parameters, people, st.sampled_from([{}, {"K": "4"}, {"K": "99"}]))
def test_an_explanation_has_one_winner_and_it_is_what_clients_get(
    parameter: dict[str, Any], who: tuple[str | None, dict[str, Any]], environ: dict[str, str]
) -> None:
    document = snapshot({"K": parameter}, NORWAY)
    found = compiled(document, environ).outcome("K", *who)
    assert found is not None
    layers = explain(document, "K", now=NOW, environ=environ, user=who[0], attributes=who[1])
    winners = [one for one in layers if one.won]
    assert [(one.layer, one.value) for one in winners] == [(found.layer, found.wire)]
    assert all(one.why for one in layers)


documents = st.dictionaries(st.sampled_from(["A", "B", "C"]), parameters, max_size=3)


@given(documents, documents, st.sampled_from([{}, NORWAY]), st.sampled_from([{}, NORWAY]))
def test_a_delta_leads_exactly_to_the_next_document(
    one: dict[str, Any], other: dict[str, Any], held: dict[str, Any], then: dict[str, Any]
) -> None:
    old, new = snapshot(one, held, etag='"1"'), snapshot(other, then, etag='"2"')
    kept = copy.deepcopy(old)
    assert apply_delta(old, delta_between(old, new)) == new
    assert old == kept
    assert apply_delta(new, delta_between(old, new)) is None


@given(documents, documents, people)
def test_what_is_taken_over_from_an_earlier_program_answers_as_if_it_were_not(
    one: dict[str, Any], other: dict[str, Any], who: tuple[str | None, dict[str, Any]]
) -> None:
    old = snapshot(one, NORWAY, etag='"1"')
    new = apply_delta(old, delta_between(old, snapshot(other, NORWAY, etag='"2"')))
    assert new is not None
    grown = compile_snapshot(new, now=NOW, environ={}, reuse=compiled(old))
    for key in new["parameters"]:
        found, wanted = grown.outcome(key, *who), compiled(new).outcome(key, *who)
        assert found is not None
        assert wanted is not None
        assert (found.value, found.layer, found.detail) == (wanted.value, wanted.layer, wanted.detail)
