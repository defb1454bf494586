"""Pages of postmortems, as people use them."""

from __future__ import annotations

import asyncio
import re

from tests.incidents.support import ID
from tests.postmortems.support import BY, URL, Stage
from watchkeeper.kernel.web.paging import encode_cursor
from watchkeeper.modules.postmortems.model import Section
from watchkeeper.modules.postmortems.rendering import html_beside, html_of

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)> [a](javascript:alert(3)) ![x](https://spy.example/x.png)"
)


def test_an_empty_library_teaches_the_next_step(stage: Stage) -> None:
    assert "No postmortems yet" in stage.page().text("/postmortems")
    assert "Nothing to do here" in stage.page().text("/postmortems/actions")
    assert "No themes yet" in stage.page().text("/postmortems/themes")
    assert "Issues go nowhere yet" in stage.page("vic").text("/postmortems/tracker")


def test_a_postmortem_is_read_by_everybody_and_written_by_who_responds(stage: Stage) -> None:
    stage.incident()
    one = stage.postmortem()
    path = f"/postmortems/{one.id}"
    assert "Checkout is down" in stage.page("vic").text("/postmortems")
    assert "Summary" in stage.page("vic").text(path)
    assert "Add an action item" not in stage.page("vic").text(path)
    fields = {"text": "What *we* learned.", "version": "1"}
    form = f"{path}/sections/summary"
    assert stage.page("vic").submit(form, fields, page=form).status_code == 403
    assert stage.page("ann").submit(form, fields, page=form).status_code == 303
    assert "<em>we</em>" in stage.page().get(path).text


def test_what_somebody_typed_stays_when_another_was_quicker(stage: Stage) -> None:
    stage.incident()
    one = stage.postmortem()
    form = f"/postmortems/{one.id}/sections/impact"
    stage.do(lambda verbs: verbs.edit(one.id, Section.IMPACT, "Ben's words.", version=1, by=ID["ben"], source="test"))
    answer = stage.page("ann").submit(form, {"text": "Ann's words.", "version": "1"}, page=form)
    assert answer.status_code == 412
    assert "Ann&#39;s words." in answer.text
    assert "Ben&#39;s words." in answer.text
    assert stage.page("ann").submit(form, {"text": "Both.", "version": "2"}, page=form).status_code == 303


def test_html_and_links_that_act_are_shown_as_text_and_do_nothing(stage: Stage) -> None:
    stage.incident(title=HOSTILE[:100])
    one = stage.postmortem()
    stage.do(lambda verbs: verbs.edit(one.id, Section.SUMMARY, HOSTILE, version=1, **BY))
    stage.do(lambda verbs: verbs.add_moment(one.id, stage.clock.now(), HOSTILE, **BY))
    stage.action(one, HOSTILE)
    for path in ("", "/sections/summary", "/history/summary", "/public"):
        shown = stage.page().get(f"/postmortems/{one.id}{path}").text
        assert "<script>alert" not in shown
        assert "<img" not in shown
        assert 'href="javascript' not in shown
    assert "<script>alert" not in stage.page().get("/postmortems").text
    assert "<script>alert" not in stage.page().get("/postmortems/actions").text


def test_the_page_of_an_incident_leads_to_its_postmortem_or_to_the_button_that_drafts_it(stage: Stage) -> None:
    over = stage.incident("SEV-3")
    path = f"/postmortems/of/{over.id}"
    assert "Draft it from the record" in stage.page("ann").text(path)
    assert "Draft it from the record" not in stage.page("vic").text(path)
    made = stage.page("ann").submit("/postmortems/draft", {}, page=path)
    assert made.status_code == 303
    assert stage.page("vic").get(path).headers["location"] == made.headers["location"]


def test_blaming_words_are_pointed_at_while_somebody_writes(stage: Stage) -> None:
    stage.incident()
    one = stage.postmortem()
    page = stage.page("ann")
    form = f"/postmortems/{one.id}/sections/causes"
    answer = page.submit("/postmortems/check", {"text": "Ben broke it: human error."}, page=form)
    assert answer.status_code == 200
    assert "<mark>Ben broke</mark>" in answer.text
    assert "<mark>human error</mark>" in answer.text
    calm = page.submit("/postmortems/check", {"text": "The tool asked nothing."}, page=form)
    assert "Nothing here blames anybody" in calm.text


def test_an_action_item_is_added_with_what_was_typed_kept_when_it_is_wrong(stage: Stage) -> None:
    stage.incident()
    one = stage.postmortem()
    path = f"/postmortems/{one.id}"
    fields = {"title": "Alert on the pool", "due_on": "2026-03-01", "owner": ID["ben"], "priority": "high"}
    answer = stage.page().submit(f"{path}/actions", fields, page=path)
    assert answer.status_code == 422
    assert "from 2026-03-02 on" in answer.text
    assert 'value="Alert on the pool"' in answer.text
    assert stage.page().submit(f"{path}/actions", {**fields, "due_on": "2026-03-20"}, page=path).status_code == 303
    text = stage.page().text(path)
    assert "due 2026-03-20" in text
    assert "Ben" in stage.page().text("/postmortems/actions")
    assert "Alert on the pool" in stage.page("ben").text("/postmortems/actions?show=mine")
    assert "Nothing to do here" in stage.page("ann").text("/postmortems/actions?show=mine")


def test_a_review_is_held_on_the_page(stage: Stage) -> None:
    stage.incident()
    one = stage.postmortem()
    path = f"/postmortems/{one.id}"
    assert stage.page("ann").submit(f"{path}/state", {"to": "in_review"}, page=path).status_code == 303
    too_early = stage.page("ann").submit(f"{path}/state", {"to": "reviewed"}, page=path)
    assert too_early.status_code == 409
    assert "One more person has to read it" in too_early.text
    assert stage.page("ben").submit(f"{path}/review", {}, page=path).status_code == 303
    assert stage.page("ann").submit(f"{path}/state", {"to": "reviewed"}, page=path).status_code == 303
    assert stage.page("ann").submit(f"{path}/state", {"to": "published"}, page=path).status_code == 303
    assert "Checkout is down" in stage.page("vic").text("/postmortems?show=library")


def test_the_library_is_searched_by_words_theme_and_service(stage: Stage) -> None:
    stage.incident()
    one = stage.postmortem()
    stage.do(lambda verbs: verbs.edit(one.id, Section.CAUSES, "The connection pool was small.", version=1, **BY))
    path = f"/postmortems/{one.id}"
    fields = {"lead": ID["ben"], "themes": "Capacity, detection gap"}
    assert stage.page().submit(f"{path}/about", fields, page=path).status_code == 303
    for query in ("q=connection+pool", "theme=capacity", "service=shop", "severity=SEV-1", "show=drafts"):
        assert "Checkout is down" in stage.page().text(f"/postmortems?{query}"), query
    for query in ("q=certificate", "theme=other", "service=else", "severity=SEV-2", "show=library", "q=100%25"):
        assert "No postmortem fits" in stage.page().text(f"/postmortems?{query}"), query
    assert re.search(r"capacity 1\b", stage.page().text("/postmortems/themes"))


def test_all_of_it_is_taken_away_as_markdown(stage: Stage) -> None:
    stage.incident()
    one = stage.postmortem()
    stage.action(one, owner=ID["ben"])
    answer = stage.page("vic").get(f"/postmortems/{one.id}.md")
    assert answer.headers["content-type"].startswith("text/markdown")
    assert "# Checkout is down" in answer.text
    assert "- [ ] Add a confirmation (Ben, medium, open)" in answer.text


def test_a_formula_in_a_title_is_harmless_in_the_csv(stage: Stage) -> None:
    stage.incident()
    stage.action(stage.postmortem(), "=HYPERLINK(1)")
    assert "'=HYPERLINK" in stage.page().get("/postmortems/actions.csv").text


def test_a_section_is_changed_by_the_api_with_the_tag_that_was_read(stage: Stage) -> None:
    stage.incident()
    one = stage.postmortem()
    api, path = stage.api(), f"{URL}/{one.id}/sections/summary"
    read = api.get(path)
    order = {"text": "By the API."}
    assert api.put(path, json=order).status_code == 428
    assert api.put(path, json=order, headers={"If-Match": '"old"'}).status_code == 412
    done = api.put(path, json=order, headers={"If-Match": read.headers["etag"]})
    assert (done.status_code, done.json()["version"]) == (200, 2)
    assert api.get(path, headers={"If-None-Match": done.headers["etag"]}).status_code == 304
    assert [each["version"] for each in api.get(f"{path}/revisions").json()] == [2, 1]
    assert stage.api("read").put(path, json=order, headers={"If-Match": "*"}).status_code == 403


def test_the_api_tells_all_of_a_postmortem_and_refuses_what_is_wrong(stage: Stage) -> None:
    over = stage.incident("SEV-3")
    api = stage.api("respond")
    made = api.post(URL, json={"incident": over.name}, headers={"Idempotency-Key": "k"})
    assert made.status_code == 201
    one = made.json()
    found = api.get(f"{URL}/{one['id']}").json()
    assert found["measures"]["seconds_to_resolve"] == 1800
    assert {each["name"] for each in found["sections"]} == {"summary", "impact", "detection", "helped", "causes"}
    assert [each["id"] for each in api.get(URL).json()["items"]] == [one["id"]]
    assert api.post(URL, json={"incident": "inc_nobody"}).status_code == 422
    assert api.post(f"{URL}/{one['id']}/actions", json={"title": "x", "due_on": "2020-01-01"}).status_code == 422
    assert api.post(f"{URL}/{one['id']}/actions", json={"title": "x", "colour": "red"}).status_code == 422
    assert api.get(f"{URL}/pmt_nobody").status_code == 404
    assert api.get(f"{URL}/themes?since=2026-01-01T00:00:00").status_code == 422, "in which zone?"
    for at in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2030-01-01T00:00:00Z"):
        assert api.post(f"{URL}/{one['id']}/moments", json={"at": at, "text": "x"}).status_code == 422, at
    naive = encode_cursor(("2026-01-01T00:00:00", "pmt_x"))
    assert api.get(f"{URL}?cursor={naive}").status_code == 422
    said = api.post(f"{URL}/check", json={"text": "It was human error."}).json()["findings"]
    assert (said[0]["offset"], said[0]["phrase"]) == (7, "human error")


async def _answered_meanwhile(slow: str) -> int:
    """How often the loop turned while this was rendered."""
    rendering = asyncio.ensure_future(html_beside([slow]))
    answered = 0
    while not rendering.done():
        # Each turn of the loop is somebody else's request.
        await asyncio.sleep(0.001)
        answered += 1
    assert (await rendering)(slow).startswith("<p>[[[")
    return answered


def test_while_a_huge_text_is_rendered_others_are_answered() -> None:
    assert asyncio.run(_answered_meanwhile("[" * 50_000)) > 10


def test_what_is_longer_than_any_section_is_shown_as_it_was_written() -> None:
    assert html_of("**<b>**" * 200_000).startswith("<pre>**&lt;b&gt;**")
