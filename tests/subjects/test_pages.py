"""The pages of users and segments, for people with and without JavaScript."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest

from tests.catalog.support import Page, words
from tests.kernel.web.support import PAGE, PEOPLE, browser
from tests.subjects.support import PREMIUM, Stage
from watchkeeper.kernel.web.access import Actor, Scope

FORM = {"name": "premium", "type": "custom", "expression": PREMIUM, "description": "Who pays.", "reason": "to try"}
SAFE = Actor("per_dora", "person", "Dora", frozenset({Scope.READ, Scope.SAFETY, Scope.PRIVACY}), session_id="ses_dora")


@pytest.fixture
def dora(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Page:
    """Somebody with both duties."""
    monkeypatch.setitem(PEOPLE, "dora", SAFE)
    return Page(stage.clients.enter_context(browser(stage.app, "dora", headers=PAGE)))


def test_empty_lists_teach_the_next_step(stage: Stage) -> None:
    assert "watchkeeper apply ops/" in stage.page().text("/segments")
    assert "/api/v1/subjects" in stage.page().text("/subjects")


def test_the_list_shows_type_rule_count_and_uses(stage: Stage) -> None:
    stage.people(12)
    stage.custom()
    stage.manual("testers", "u1", "u2")
    stage.used["premium"] = ["an override of MATCHES in production"]
    text = stage.page("bob").text("/segments")
    for shown in (
        "2 segments",
        "premium",
        PREMIUM,
        "4",
        "an override of MATCHES in production",
        "testers",
        "a list",
        "2",
    ):
        assert shown in text
    assert "Make a segment" not in text


def test_a_segment_is_made_from_the_form_and_opens(stage: Stage) -> None:
    stage.people(12)
    page = stage.page()
    answer = page.submit("/segments/new", FORM, page="/segments/new")
    assert (answer.status_code, answer.headers["location"]) == (303, "/segments/premium")
    text = page.text("/segments/premium")
    assert "4 of 12 users" in text
    assert "u0" in text


@pytest.mark.parametrize(
    ("kind", "fields", "count"),
    [
        ("auto_country", {"countries": "no, se"}, "12 of 12"),
        ("auto_age", {"from_age": "60"}, "6 of 12"),
        ("auto_activity", {"activity": "inactive", "within": "3d"}, "8 of 12"),
        ("manual", {"members": "u1\r\nu2\r\n"}, "2 of 12"),
    ],
)
def test_every_type_has_a_form_with_a_preview_button(
    stage: Stage, kind: str, fields: dict[str, str], count: str
) -> None:
    stage.people(12)
    page, address = stage.page(), f"/segments/new?type={kind}"
    filled = {"name": "some", "type": kind, **fields}
    shown = page.submit("/segments/new", filled, page=address)
    assert shown.status_code == 303, words(shown.text)
    form = page.get(address).text
    token = form.partition('name="csrf_token" value="')[2].partition('"')[0]
    sent = {**filled, "csrf_token": token, "version": ""}
    previewed = page.client.post("/segments/preview", data=sent, headers={"Sec-Fetch-Site": "same-origin"})
    assert count in words(previewed.text)
    assert all(value.splitlines()[0] in previewed.text for value in fields.values())


def test_whoever_types_gets_a_piece_of_the_page(stage: Stage) -> None:
    stage.people(12)
    page = stage.page()
    token = page.get("/segments/new").text.partition('name="csrf_token" value="')[2].partition('"')[0]
    headers = {"Sec-Fetch-Site": "same-origin", "HX-Request": "true"}
    good = page.client.post("/segments/preview", data={**FORM, "csrf_token": token}, headers=headers)
    assert "<html" not in good.text
    assert "4" in good.text
    bad = page.client.post(
        "/segments/preview", data={**FORM, "expression": "plan ==", "csrf_token": token}, headers=headers
    )
    assert bad.status_code == 200
    assert "line 1, column 6" in bad.text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"expression": "plan == 1"}, "line 1, column 1"),
        ({"name": "Premium"}, "small letter"),
        ({"expression": 'attributes.plan == "none"'}, "None of the 12 subjects"),
        ({"description": "x" * 1_001}, "1000"),
    ],
)
def test_a_form_with_a_mistake_comes_back_as_it_was_typed(stage: Stage, fields: dict[str, str], said: str) -> None:
    stage.people(12)
    page = stage.page()
    answer = page.submit("/segments/new", {**FORM, **fields}, page="/segments/new")
    assert answer.status_code == 422
    assert said in words(answer.text)
    assert "to try" in answer.text
    assert stage.rules("premium") == {}


def test_a_form_of_no_type_is_no_accident_and_changes_nothing(stage: Stage) -> None:
    answer = stage.page().submit("/segments/new", {**FORM, "type": "nothing"}, page="/segments/new")
    assert (answer.status_code, stage.rules("premium")) == (422, {})
    assert "no such type" in words(answer.text)


def test_an_edit_is_guarded_by_the_version_it_began_with(stage: Stage) -> None:
    stage.people(12)
    stage.custom()
    page = stage.page()
    version = page.get("/segments/premium").text.partition('name="version" value="')[2].partition('"')[0]
    stage.clock.advance(timedelta(seconds=5))
    edit = {"type": "custom", "expression": "age > 20", "reason": "better"}
    assert page.submit("/segments/premium", edit, page="/segments/premium").status_code == 303
    late = page.submit(
        "/segments/premium",
        {**edit, "expression": "age > 30", "version": version.replace("&#34;", '"')},
        page="/segments/premium",
    )
    assert late.status_code == 412
    assert "Somebody else changed this segment meanwhile" in words(late.text)
    assert "age &gt; 30" in late.text


def test_members_are_added_and_removed_by_a_form_and_seen_by_editors_only(stage: Stage) -> None:
    stage.manual("testers", "u1")
    page = stage.page()
    fields = {"add": "u7\nu8", "remove": "u1", "reason": "swap"}
    assert page.submit("/segments/testers/members", fields, page="/segments/testers").status_code == 303
    assert "u7, u8" in page.text("/segments/testers")
    assert "u7" not in stage.page("bob").text("/segments/testers")
    wrong = page.submit("/segments/testers/members", {"add": "a@example.org", "reason": "x"}, page="/segments/testers")
    assert wrong.status_code == 422
    assert "e-mail address" in words(wrong.text)


def test_readers_see_how_many_but_no_ids(stage: Stage) -> None:
    stage.people(12)
    stage.custom()
    text = stage.page("bob").text("/segments/premium")
    assert "4 of 12 users" in text
    assert "u0" not in text
    assert "Save" not in text


def test_a_segment_in_use_has_no_button_to_delete_it_and_a_late_one_is_refused(stage: Stage) -> None:
    stage.custom()
    page = stage.page()
    form = page.get("/segments/premium").text
    assert "Delete premium" in words(form)
    stage.used["premium"] = ["an override of MATCHES in production"]
    assert "Delete premium" not in page.text("/segments/premium")
    token = form.partition('name="csrf_token" value="')[2].partition('"')[0]
    version = form.partition('name="version" value="')[2].partition('"')[0].replace("&#34;", '"')
    sent = {"csrf_token": token, "version": version, "reason": "x"}
    late = page.client.post("/segments/premium/delete", data=sent, headers={"Sec-Fetch-Site": "same-origin"})
    assert late.status_code == 409
    assert "an override of MATCHES in production" in words(late.text)


def test_a_cell_of_the_csv_is_never_a_formula(stage: Stage) -> None:
    stage.people(3)
    page = stage.page()
    page.submit("/segments/new", {**FORM, "description": "=cmd|' /C calc'!A0"}, page="/segments/new")
    (row,) = csv.DictReader(io.StringIO(page.get("/segments.csv").text))
    assert (row["name"], row["description"], row["members"]) == ("premium", "'=cmd|' /C calc'!A0", "1")
    rows = list(csv.DictReader(io.StringIO(page.get("/subjects.csv").text)))
    assert {(one["by"], one["value"], one["subjects"]) for one in rows} == {
        ("status", "active", "3"),
        ("country", "NO", "2"),
        ("country", "SE", "1"),
    }


def test_counts_are_for_readers_and_single_users_for_those_whose_duty_it_is(stage: Stage, dora: Page) -> None:
    stage.people(12)
    assert "Look up" not in stage.page("bob").text("/subjects")
    assert stage.page("alice").get("/subjects/one?id=u1").status_code == 403
    assert "Look up" in dora.text("/subjects")
    text = dora.text("/subjects/one?id=u3")
    assert "premium" in text
    assert "SE" in text
    assert stage.facts("subjects.looked_up")[0].actor == SAFE.id
    assert dora.get("/subjects/one?id=nobody").status_code == 404


def test_what_users_are_told_to_be_is_shown_as_text(stage: Stage, dora: Page) -> None:
    stage.send({"id": "<b>u</b>", "attributes": {"x": "<script>alert(1)</script>"}})
    answer = dora.get("/subjects/one?id=<b>u</b>")
    assert "<script>alert" not in answer.text
    assert "<b>u" not in answer.text


def test_erasing_asks_for_the_id_once_more(stage: Stage, dora: Page) -> None:
    stage.people(3)
    address = "/subjects/one?id=u1"
    assert dora.submit("/subjects/erase", {"sure": "u2"}, page=address).status_code == 422
    assert dora.submit("/subjects/erase", {"sure": "u1"}, page=address).status_code == 303
    assert dora.get(address).status_code == 404
