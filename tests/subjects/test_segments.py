"""Segments: made, previewed, changed and deleted through the API, and what other modules are told of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from tests.subjects.support import PREMIUM, Stage
from watchkeeper.modules.subjects import public, tally
from watchkeeper.modules.subjects.model import Definition, Rule, age_of
from watchkeeper.modules.subjects.segments import Segments, condition_from

NEW = {"name": "premium", "type": "custom", "expression": PREMIUM, "description": "Who pays.", "reason": "to try"}
EMPTY = {"name": "later", "type": "manual", "allow_empty": True}


def make(stage: Stage, **said: Any) -> Any:
    return stage.api().post("/api/v1/segments", json=said)


def preview(stage: Stage, **said: Any) -> dict[str, Any]:
    answer = stage.api().post("/api/v1/segments/preview", json=said)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def country(code: str) -> Any:
    return condition_from(Definition("auto_country", rule=Rule(countries=(code,))))


def etag(stage: Stage, name: str) -> str:
    found: str = stage.api("read").get(f"/api/v1/segments/{name}").headers["etag"]
    return found


def test_a_segment_is_made_once_and_read_back(stage: Stage) -> None:
    stage.people(9)
    api = stage.api()
    first = api.post("/api/v1/segments", json=NEW, headers={"Idempotency-Key": "k"})
    again = api.post("/api/v1/segments", json=NEW, headers={"Idempotency-Key": "k"})
    assert (first.status_code, again.json()) == (201, first.json())
    shown = stage.api("read").get("/api/v1/segments/premium").json()
    assert shown["condition"] == {"attribute": "plan", "op": "equals", "value": "premium"}
    assert (shown["expression"], shown["members"], shown["used_by"]) == (PREMIUM, None, [])
    assert make(stage, **NEW).status_code == 409
    assert [one["name"] for one in stage.api("read").get("/api/v1/segments").json()["items"]] == ["premium"]


def test_what_happens_to_a_segment_is_a_fact_before_and_after(stage: Stage) -> None:
    stage.people(9)
    make(stage, **NEW)
    body = {"type": "custom", "expression": "age > 20", "reason": "too few"}
    stage.api().put("/api/v1/segments/premium", json=body, headers={"If-Match": etag(stage, "premium")})
    stage.api().delete("/api/v1/segments/premium?reason=done", headers={"If-Match": etag(stage, "premium")})
    made, changed, deleted = stage.facts("subjects.segment_")
    assert made.data["after"] == {"type": "custom", "description": "Who pays.", "expression": PREMIUM}
    assert changed.data["before"] == {"description": "Who pays.", "expression": PREMIUM}
    assert changed.data["after"] == {"description": "", "expression": "age > 20"}
    assert (changed.data["reason"], changed.subject_id) == ("too few", "premium")
    assert (deleted.data["reason"], deleted.data["before"]["expression"]) == ("done", "age > 20")


@pytest.mark.parametrize(
    ("said", "members"),
    [
        ({"type": "auto_country", "countries": ["NO"]}, 6),
        ({"type": "auto_age", "from_age": 60}, 6),
        ({"type": "auto_age", "from_age": 60, "to_age": 62}, 3),
        ({"type": "auto_activity", "activity": "active", "within": "3d"}, 4),
        ({"type": "auto_activity", "activity": "inactive", "within": "3d"}, 8),
        ({"type": "custom", "expression": f'{PREMIUM} && country == "NO"'}, 2),
        ({"type": "manual", "members": ["u1", "u2", "u2", "stranger"]}, 3),
    ],
)
def test_each_type_counts_as_its_preview_said(stage: Stage, said: dict[str, Any], members: int) -> None:
    stage.people(12)
    before = preview(stage, **said)
    assert (before["count"], before["total"], before["is_estimate"]) == (members, 12, False)
    assert len(before["samples"]) == min(5, members)
    assert make(stage, name="some", **said).status_code == 201
    assert stage.count("some") == members


@pytest.mark.parametrize(
    ("said", "where", "expected"),
    [
        ({"name": "Premium"}, "name", "small letter"),
        ({"name": "1st"}, "name", "small letter"),
        ({"name": "pr\u0435mium"}, "name", "small letter"),
        ({"name": "a b"}, "name", "small letter"),
        ({"name": "all_users"}, "name", "mean something already"),
        ({"name": "country_xx"}, "name", "mean something already"),
        ({"name": "a" * 65}, "body.name", "64"),
        ({"type": "magic"}, "body.type", "manual"),
        ({"type": "auto_country"}, "expression", "nothing"),
        ({"type": "auto_country", "expression": None}, "countries", "one or more"),
        ({"type": "auto_country", "expression": None, "countries": ["NO", "XX"]}, "countries", "ISO 3166"),
        ({"type": "auto_country", "expression": None, "countries": ["NO", "NO"]}, "countries", "once"),
        ({"type": "auto_age", "expression": None}, "from_age", "to_age or both"),
        ({"type": "auto_age", "expression": None, "from_age": 30, "to_age": 20}, "to_age", "at least 30"),
        ({"type": "auto_age", "expression": None, "from_age": 151}, "body.from_age", "150"),
        ({"type": "auto_age", "expression": None, "from_age": True}, "body.from_age", "whole number"),
        ({"type": "auto_activity", "expression": None, "activity": "active"}, "within", "duration"),
        ({"type": "auto_activity", "expression": None, "within": "30d"}, "activity", "active or inactive"),
        ({"type": "manual", "expression": None, "countries": ["NO"]}, "countries", "list of members"),
        ({"members": ["u1"]}, "members", "no members"),
        ({"expression": " "}, "expression", "an expression"),
        ({"expression": "plan == 1"}, "expression 1:1", "attributes.plan"),
        ({"expression": "x" * 2_001}, "body.expression", "2000"),
        ({"allow_empty": "perhaps"}, "body.allow_empty", "boolean"),
        ({"colour": "red"}, "body.colour", "Extra"),
        ({"type": "manual", "expression": None, "members": ["a@example.org"]}, "body.members.0", "e-mail"),
        ({"type": "manual", "expression": None, "members": [f"u{n}" for n in range(10_001)]}, "body.members", "10000"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_made(
    stage: Stage, said: dict[str, Any], where: str, expected: str
) -> None:
    stage.people(3)
    answer = make(stage, **{name: value for name, value in {**NEW, **said}.items() if value is not None})
    assert answer.status_code == 422
    assert any(one["where"] == where and expected in one["expected"] for one in answer.json()["errors"]), answer.text
    assert stage.facts("subjects.segment_") == []
    assert stage.version() == 0


@pytest.mark.parametrize(
    "said",
    [
        {"type": "custom", "expression": 'attributes.plan == "gold"'},
        {"type": "auto_country", "countries": ["DE"]},
        {"type": "manual"},
    ],
)
def test_a_segment_that_nobody_is_in_is_made_only_on_purpose(stage: Stage, said: dict[str, Any]) -> None:
    stage.people(5)
    refused = make(stage, name="nobody", **said)
    assert (refused.status_code, refused.json()["code"]) == (422, "subjects.segment_matches_nobody")
    assert stage.facts("subjects.segment_") == []
    assert make(stage, name="nobody", **said, allow_empty=True).status_code == 201


def test_an_edit_that_would_empty_a_segment_is_refused_too(stage: Stage) -> None:
    stage.people(5)
    make(stage, **NEW)
    body = {"type": "custom", "expression": "age > 140", "reason": "oops"}
    answer = stage.api().put("/api/v1/segments/premium", json=body, headers={"If-Match": etag(stage, "premium")})
    assert answer.json()["code"] == "subjects.segment_matches_nobody"


def test_an_edit_needs_the_version_that_was_read_and_a_reason(stage: Stage) -> None:
    stage.people(5)
    make(stage, **NEW)
    api, read = stage.api(), etag(stage, "premium")
    body = {"type": "custom", "expression": "age > 20", "reason": "why not"}
    assert api.put("/api/v1/segments/premium", json=body).status_code == 428
    assert (
        api.put("/api/v1/segments/premium", json={**body, "reason": " "}, headers={"If-Match": read}).status_code == 422
    )
    stage.clock.advance(timedelta(seconds=1))
    assert api.put("/api/v1/segments/premium", json=body, headers={"If-Match": read}).status_code == 200
    assert api.put("/api/v1/segments/premium", json=body, headers={"If-Match": read}).status_code == 412
    assert api.delete("/api/v1/segments/premium", headers={"If-Match": read}).status_code == 412
    now = {"If-Match": etag(stage, "premium")}
    assert api.delete("/api/v1/segments/premium", headers=now).json()["errors"][0]["where"] == "reason"


def test_a_segment_keeps_its_type(stage: Stage) -> None:
    stage.people(5)
    make(stage, **NEW)
    body = {"type": "auto_country", "countries": ["NO"], "reason": "x"}
    answer = stage.api().put("/api/v1/segments/premium", json=body, headers={"If-Match": etag(stage, "premium")})
    assert answer.json()["errors"][0]["where"] == "type"


def test_a_segment_that_something_uses_is_not_deleted_and_says_by_what(stage: Stage) -> None:
    stage.custom()
    stage.used["premium"] = ["an override of MATCHES in production", "a rule of VIDEO in staging"]
    api = stage.api()
    answer = api.delete("/api/v1/segments/premium?reason=x", headers={"If-Match": etag(stage, "premium")})
    assert (answer.status_code, answer.json()["code"]) == (409, "subjects.segment_in_use")
    assert [one["expected"] for one in answer.json()["errors"]] == stage.used["premium"]
    assert stage.api("read").get("/api/v1/segments/premium").json()["used_by"] == stage.used["premium"]
    stage.used.clear()
    assert (
        api.delete("/api/v1/segments/premium?reason=x", headers={"If-Match": etag(stage, "premium")}).status_code == 204
    )
    assert stage.rules("premium") == {}


def test_members_join_and_leave_and_are_counted_in_the_fact(stage: Stage) -> None:
    stage.manual("testers", "u1")
    change = {"add": ["u2", "u3", "u1"], "remove": [], "reason": "more"}
    answer = stage.api().post("/api/v1/segments/testers/members", json=change)
    assert (answer.status_code, answer.json()["members"]) == (200, 3)
    stage.api().post("/api/v1/segments/testers/members", json=change)
    stage.api().post("/api/v1/segments/testers/members", json={"remove": ["u1", "gone"], "reason": "less"})
    joined, left = stage.facts("subjects.segment_members_changed")
    assert (joined.data["added"], joined.data["before"], joined.data["after"]) == (2, {"members": 1}, {"members": 3})
    assert (left.data["removed"], left.data["after"]) == (1, {"members": 2})
    assert "u2" not in str(joined.data)
    assert stage.api().get("/api/v1/segments/testers/members?limit=1").json()["items"] == ["u2"]
    assert stage.rules("testers") == {"testers": {"members": ["u2", "u3"]}}


def test_the_last_member_leaves_only_where_nobody_need_be_in_it(stage: Stage) -> None:
    stage.manual("testers", "u1")
    answer = stage.api().post("/api/v1/segments/testers/members", json={"remove": ["u1"], "reason": "x"})
    assert answer.json()["code"] == "subjects.segment_matches_nobody"
    assert stage.count("testers") == 1


def test_a_list_holds_ten_thousand_members(stage: Stage) -> None:
    stage.manual("testers", *(f"u{number}" for number in range(9_999)))
    api = stage.api()
    assert api.post("/api/v1/segments/testers/members", json={"add": ["a"], "reason": "x"}).status_code == 200
    answer = api.post("/api/v1/segments/testers/members", json={"add": ["b"], "reason": "x"})
    assert "10,000" in answer.json()["detail"]
    assert stage.count("testers") == 10_000


def test_nobody_is_added_by_hand_where_a_rule_decides(stage: Stage) -> None:
    stage.custom()
    answer = stage.api().post("/api/v1/segments/premium/members", json={"add": ["u1"], "reason": "x"})
    assert (answer.status_code, answer.json()["code"]) == (409, "subjects.not_by_hand")


def test_reading_needs_read_and_changing_or_seeing_ids_needs_write(stage: Stage) -> None:
    stage.manual("testers", "u1")
    reader = stage.api("read")
    assert reader.get("/api/v1/segments").status_code == 200
    assert reader.get("/api/v1/segments/testers").status_code == 200
    assert reader.get("/api/v1/segments/testers/members").status_code == 403
    assert reader.post("/api/v1/segments/preview", json={"type": "manual"}).status_code == 403
    assert reader.post("/api/v1/segments", json=EMPTY).status_code == 403
    assert stage.api("intake").get("/api/v1/segments").status_code == 403


def test_built_in_segments_are_there_by_themselves(stage: Stage) -> None:
    stage.people(5)
    rules = stage.rules("all_users", "country_NO", "country_XX", "country_no", "gone")
    assert rules == {
        "all_users": {"when": {"all": []}},
        "country_NO": {"when": {"attribute": "country", "op": "equals", "value": "NO"}},
    }
    assert (stage.count("all_users"), stage.count("country_NO"), stage.count("gone")) == (5, 3, 0)
    assert stage.api("read").get("/api/v1/segments/country_SE").json()["type"] == "built_in"
    assert stage.api("read").get("/api/v1/segments/country_XX").status_code == 404
    assert stage.ask(lambda session: public.segment_exists(session, "country_SE"))
    assert not stage.ask(lambda session: public.segment_exists(session, "country_SEE"))


def test_other_modules_are_told_which_segments_there_are(stage: Stage) -> None:
    stage.custom()
    stage.manual("testers", "u1")
    found = stage.ask(public.segments)
    assert [(one.name, one.type, one.members) for one in found] == [
        ("all_users", "built_in", None),
        ("premium", "custom", None),
        ("testers", "manual", 1),
    ]
    assert stage.ask(lambda session: public.segment_exists(session, "premium"))


def test_the_version_moves_with_what_segments_mean_and_with_nothing_else(stage: Stage) -> None:
    moved = [stage.version()]

    def then(call: Any) -> None:
        call()
        moved.append(stage.version())

    def change(definition: Definition) -> None:
        stage.segments(lambda s: s.change("premium", definition, by="x", source="api", reason="y"))

    def members(add: tuple[str, ...]) -> None:
        stage.segments(lambda s: s.change_members("testers", add, (), by="x", source="api", reason="y"))

    then(lambda: stage.people(3))
    then(stage.custom)
    then(lambda: change(Definition("custom", "words only", Rule(expression=PREMIUM))))
    then(lambda: change(Definition("custom", "", Rule(expression="age > 18"))))
    then(lambda: stage.manual("testers", "u1"))
    then(lambda: members(("u1",)))
    then(lambda: members(("u2",)))
    then(lambda: stage.segments(lambda s: s.delete("premium", stage.uses, by="x", source="api", reason="y")))
    assert moved == [0, 0, 1, 1, 2, 3, 3, 4, 5]


def test_a_preview_of_many_is_a_fair_sample_and_says_so(stage: Stage) -> None:
    stage.people(400)

    def look(session: Session) -> tally.Tally:
        return tally.tally(session, {"no": country("NO")}, stage.clock.now(), most=100)["no"]

    found = stage.ask(look)
    assert (found.looked_at, found.total, found.is_estimate) == (100, 400, True)
    assert 120 <= found.count <= 280
    assert found == stage.ask(look), "the same sample each time"


def test_somebody_rare_is_found_beyond_the_sample(stage: Stage) -> None:
    stage.people(50)
    stage.send({"id": "rare", "country": "IS"})
    definition = Definition("auto_country", rule=Rule(countries=("IS",)))
    stage.ask(lambda session: Segments(session, stage.clock).require_somebody(definition))


@pytest.mark.parametrize(("born", "age"), [(2008, 17), (2007, 18), (2026, 0), (2025, 0), (1926, 99)])
def test_an_age_is_never_higher_than_it_is(stage: Stage, born: int, age: int) -> None:
    assert age_of(born, stage.clock.now()) == age


people = st.lists(
    st.fixed_dictionaries(
        {
            "country": st.sampled_from(["NO", "SE", None]),
            "attributes": st.dictionaries(st.sampled_from("ab"), st.integers(0, 3)),
        },
        optional={"birth_year": st.integers(1990, 2010)},
    ),
    min_size=1,
    max_size=20,
)
rules = st.one_of(
    st.lists(st.sampled_from(["NO", "SE", "DE"]), min_size=1, max_size=3, unique=True).map(
        lambda some: ({"type": "auto_country", "countries": some}, lambda one, _: one["country"] in some)
    ),
    st.integers(14, 40).map(
        lambda least: (
            {"type": "auto_age", "from_age": least},
            lambda one, year: "birth_year" in one and year - one["birth_year"] - 1 >= least,
        )
    ),
    st.tuples(st.sampled_from("ab"), st.integers(0, 3)).map(
        lambda pair: (
            {"type": "custom", "expression": f'attributes.{pair[0]} >= {pair[1]} && !(country == "SE")'},
            lambda one, _: one["attributes"].get(pair[0], -1) >= pair[1] and one["country"] not in ("SE", None),
        )
    ),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=people, rule=rules)
def test_a_preview_counts_what_looking_at_everybody_counts(
    stage: Stage, found: list[dict[str, Any]], rule: Any
) -> None:
    said, belongs = rule
    for number in range(20):
        stage.api("privacy").delete(f"/api/v1/subjects/p{number}")
    stage.send(*({"id": f"p{number}", **one} for number, one in enumerate(found)))
    expected = [f"p{number}" for number, one in enumerate(found) if belongs(one, stage.clock.now().year)]
    counted = preview(stage, **said)
    assert (counted["count"], counted["total"]) == (len(expected), len(found))
    assert set(counted["samples"]) <= set(expected)
