"""The product's users: sent in batches, kept by opaque ids, looked at by those whose duty it is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.subjects.support import Stage
from watchkeeper.modules.subjects import public
from watchkeeper.modules.subjects.personal import looks_personal, names_personal

ANNA = {"id": "u1", "country": "NO", "birth_year": 1990, "status": "active", "attributes": {"plan": "premium"}}


def errors(answer: Any) -> dict[str, str]:
    return {one["where"]: one["expected"] for one in answer.json()["errors"]}


def test_a_batch_adds_and_changes_and_says_how_many(stage: Stage) -> None:
    assert stage.send(ANNA, {"id": "u2"}).json() == {"added": 2, "changed": 0, "unchanged": 0}
    assert stage.send({**ANNA, "country": "SE"}, {"id": "u2"}, {"id": "u3"}).json() == {
        "added": 1,
        "changed": 1,
        "unchanged": 1,
    }
    shown = stage.api("safety").get("/api/v1/subjects/u1").json()
    assert (shown["country"], shown["age"], shown["attributes"]) == ("SE", 35, {"plan": "premium"})


def test_the_same_batch_again_changes_nothing_and_is_no_fact(stage: Stage) -> None:
    stage.send(ANNA)
    assert stage.send(ANNA).json() == {"added": 0, "changed": 0, "unchanged": 1}
    assert stage.kinds() == ["taken"]


def test_a_batch_is_one_fact_with_counts_and_nothing_of_anybody(stage: Stage) -> None:
    stage.send(ANNA, {"id": "u2", "country": "SE"})
    (fact,) = stage.facts()
    assert dict(fact.data) == {"added": 2, "changed": 0, "unchanged": 0}
    assert fact.subject_id is None


def test_fields_that_are_left_out_stay_and_null_empties_one(stage: Stage) -> None:
    stage.send({**ANNA, "status": "suspended"})
    stage.send({"id": "u1", "last_active_at": stage.at(hours=1)}, {"id": "u2"})
    look = stage.api("safety")
    kept = look.get("/api/v1/subjects/u1").json()
    assert (kept["country"], kept["status"], kept["last_active_at"]) == ("NO", "suspended", "2026-03-02T11:00:00Z")
    stage.send({"id": "u1", "country": None, "birth_year": None, "status": None, "attributes": None})
    emptied = look.get("/api/v1/subjects/u1").json()
    assert (emptied["country"], emptied["birth_year"], emptied["age"]) == (None, None, None)
    assert (emptied["status"], emptied["attributes"]) == ("active", {})


def test_a_repeated_request_gets_the_first_answer(stage: Stage) -> None:
    first = stage.send(ANNA, **{"Idempotency-Key": "one"})
    again = stage.send(ANNA, **{"Idempotency-Key": "one"})
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize(
    ("subject", "field", "expected"),
    [
        ({"id": ""}, "id", "at least 1"),
        ({"id": "x" * 201}, "id", "at most 200"),
        ({"id": "a\nb"}, "id", "one line"),
        ({"id": "anna@example.org"}, "id", "e-mail address"),
        ({"id": "+47 912 34 567"}, "id", "telephone number"),
        ({"id": "u", "country": "no"}, "country", "ISO 3166"),
        ({"id": "u", "country": "XX"}, "country", "ISO 3166"),
        ({"id": "u", "country": "\uff2e\uff2f"}, "country", "ISO 3166"),
        ({"id": "u", "birth_year": 1899}, "birth_year", "1900 to 2026"),
        ({"id": "u", "birth_year": 2027}, "birth_year", "1900 to 2026"),
        ({"id": "u", "birth_year": True}, "birth_year", "whole number"),
        ({"id": "u", "birth_date": "1990-01-01"}, "birth_date", "Extra"),
        ({"id": "u", "status": "Very Active"}, "status", "small letter"),
        ({"id": "u", "last_active_at": 1}, "last_active_at", "instant"),
        ({"id": "u", "last_active_at": "2026-03-01T10:00:00"}, "last_active_at", "timezone"),
        ({"id": "u", "last_active_at": "0001-01-01T00:00:00Z"}, "last_active_at", "1970"),
        ({"id": "u", "last_active_at": "2026-03-02T18:00:00Z"}, "last_active_at", "future"),
        ({"id": "u", "attributes": {"mail": "x"}}, "attributes", "says who somebody is"),
        ({"id": "u", "attributes": {"contact": "anna@example.org"}}, "attributes", "e-mail address"),
        ({"id": "u", "attributes": {"contacts": ["x", "(030) 123-4567"]}}, "attributes", "telephone number"),
        ({"id": "u", "attributes": {"country": "NO"}}, "attributes", "beside attributes"),
        ({"id": "u", "attributes": {"age": 4}}, "attributes", "birth_year"),
        ({"id": "u", "attributes": {"pl\u0430n": "x"}}, "attributes", "names of attributes"),
        ({"id": "u", "attributes": {"a b": 1}}, "attributes", "names of attributes"),
        ({"id": "u", "attributes": {"n": 2**53}}, "attributes", "2^53"),
        ({"id": "u", "attributes": {"t": "x" * 201}}, "attributes", "200 characters"),
        ({"id": "u", "attributes": {"t": ["x"] * 51}}, "attributes", "50 texts"),
        ({"id": "u", "attributes": {f"a{n}": n for n in range(51)}}, "attributes", "at most 50"),
        ({"id": "u", "attributes": {f"a{n}": "x" * 200 for n in range(45)}}, "attributes", "8,000 characters"),
        ({"id": "u", "attributes": {"t": "a\nb"}}, "attributes", "one line"),
    ],
)
def test_what_does_not_fit_is_named_by_its_place_and_nothing_is_changed(
    stage: Stage, subject: dict[str, Any], field: str, expected: str
) -> None:
    answer = stage.send(ANNA, subject)
    assert answer.status_code == 422
    assert any(f"body.subjects.1.{field}" in where and expected in text for where, text in errors(answer).items())
    assert stage.facts() == []


def test_what_looks_personal_is_not_repeated_in_the_refusal(stage: Stage) -> None:
    assert "anna@example.org" not in stage.send({"id": "anna@example.org"}).text


def test_an_id_twice_is_named_with_its_first_place(stage: Stage) -> None:
    answer = stage.send({"id": "u1"}, {"id": "u2"}, {"id": "u1"})
    assert errors(answer) == {"body.subjects.2.id": "each id once, it is also at 0"}


@pytest.mark.parametrize("body", [{"subjects": []}, {"subjects": [{"id": f"u{n}"} for n in range(1001)]}, [], {}])
def test_a_batch_has_one_to_a_thousand_subjects(stage: Stage, body: Any) -> None:
    assert stage.api("intake").post("/api/v1/subjects", json=body).status_code == 422


def test_nul_nan_and_ten_megabytes_are_refused(stage: Stage) -> None:
    api = stage.api("intake")
    for text in ('{"subjects":[{"id":"a\\u0000b"}]}', '{"subjects":[{"id":"u","attributes":{"n":NaN}}]}'):
        answer = api.post("/api/v1/subjects", content=text, headers={"content-type": "application/json"})
        assert answer.status_code in (400, 422)
    huge = b'{"subjects":[{"id":"' + b"x" * 10_000_000 + b'"}]}'
    assert api.post("/api/v1/subjects", content=huge, headers={"content-type": "application/json"}).status_code == 413
    assert stage.facts() == []


def test_looking_at_somebody_is_a_duty_and_goes_on_record(stage: Stage) -> None:
    stage.send(ANNA)
    for scope in ("read", "write", "admin", "intake", "privacy"):
        assert stage.api(scope).get("/api/v1/subjects/u1").status_code == 403
        assert stage.api(scope).get("/api/v1/subjects").status_code == 403
    stage.api("safety").get("/api/v1/subjects/u1")
    stage.api("safety").get("/api/v1/subjects?country=NO")
    one, page = stage.facts("subjects.looked_up")
    assert (one.actor, one.subject_id, one.data["count"]) == ("tok_safety", "u1", 1)
    assert (page.subject_id, page.data["count"], page.data["country"]) == (None, 1, "NO")


def test_only_intake_and_what_covers_it_sends_subjects(stage: Stage) -> None:
    assert [stage.send(ANNA, scope=scope).status_code for scope in ("read", "safety", "intake", "write")] == [
        403,
        403,
        200,
        200,
    ]


def test_counts_are_for_everybody_who_may_read(stage: Stage) -> None:
    stage.send(ANNA, {"id": "u2", "country": "NO", "status": "suspended"}, {"id": "u3"})
    assert stage.api("read").get("/api/v1/subjects/counts").json() == {
        "total": 3,
        "by_status": {"active": 2, "suspended": 1},
        "by_country": {"NO": 2, "unknown": 1},
    }


def test_a_search_pages_through_everybody_once(stage: Stage) -> None:
    stage.people(25)
    api, cursor, seen = stage.api("safety"), "", list[str]()
    while cursor is not None:
        page = api.get(f"/api/v1/subjects?limit=10&country=NO{cursor}").json()
        seen += [one["id"] for one in page["items"]]
        cursor = f"&cursor={page['next']}" if page["next"] else None
    assert sorted(seen) == sorted(f"u{number}" for number in range(0, 25, 2))


def test_erasing_somebody_takes_them_out_of_every_list(stage: Stage) -> None:
    stage.send(ANNA)
    stage.manual("testers", "u1", "u2")
    before = stage.version()
    assert stage.api("admin").delete("/api/v1/subjects/u1").status_code == 403
    assert stage.api("privacy").delete("/api/v1/subjects/u1").status_code == 204
    assert stage.api("privacy").delete("/api/v1/subjects/u1").status_code == 404
    assert stage.rules("testers") == {"testers": {"members": ["u2"]}}
    assert stage.version() == before + 1
    fact = stage.facts("subjects.erased")[0]
    assert (fact.subject_id, dict(fact.data)) == ("u1", {"subject_id": "u1", "segments": 1})


def test_ids_may_hold_slashes_and_spaces(stage: Stage) -> None:
    assert stage.send({"id": "tenant/7 a"}).status_code == 200
    assert stage.api("safety").get("/api/v1/subjects/tenant/7%20a").json()["id"] == "tenant/7 a"


def test_what_conditions_see_is_the_record_over_the_attributes(stage: Stage) -> None:
    stage.send({**ANNA, "last_active_at": stage.at(days=1)})
    assert stage.ask(lambda session: public.attributes_of(session, "u1", stage.clock.now())) == {
        "plan": "premium",
        "country": "NO",
        "birth_year": 1990,
        "age": 35,
        "status": "active",
        "last_active_at": "2026-03-01T12:00:00.000000Z",
    }
    assert stage.ask(lambda session: public.attributes_of(session, "nobody")) is None


@pytest.mark.parametrize(
    "text",
    [
        "u1",
        "12345678",
        "4791234567",
        "2026-11-23",
        "2.10.1",
        "9b2d7c1e-1111-2222-3333-444444444444",
        "a@b",
        "2025-2026",
    ],
)
def test_plain_ids_dates_and_versions_are_not_personal(text: str) -> None:
    assert looks_personal(text) is None


@pytest.mark.parametrize(
    "text",
    ["a.b@example.org", "x <a@b.no>", "+4791234567", "+47 91 23 45 67", "030 1234567", "(555) 123-4567", "91-23-45678"],
)
def test_addresses_and_telephone_numbers_are_known_by_how_they_are_written(text: str) -> None:
    assert looks_personal(text) is not None


def test_names_that_say_who_somebody_is_are_known_however_they_are_written() -> None:
    assert all(names_personal(name) for name in ("email", "E-Mail", "First.Name", "phone_number"))
    assert not any(names_personal(name) for name in ("email_verified", "plan", "named"))


values = st.one_of(
    st.booleans(),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(-1e15, 1e15),
    st.text(st.characters(whitelist_categories=("Ll", "Nd"), max_codepoint=0x2000), max_size=20),
    st.lists(st.sampled_from(["x", "y", "ö"]), max_size=3),
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(attributes=st.dictionaries(st.from_regex(r"a_[a-z]{1,5}", fullmatch=True), values, max_size=5))
def test_attributes_come_back_as_they_were_sent(stage: Stage, attributes: dict[str, Any]) -> None:
    assert stage.send({"id": "law", "attributes": attributes}).status_code == 200
    found = stage.api("safety").get("/api/v1/subjects/law").json()["attributes"]
    assert found == attributes
    assert {name for name in found if found[name] is True} == {name for name in attributes if attributes[name] is True}
