"""Pages of on-call, as people use them."""

from __future__ import annotations

import re

from tests.oncall.support import ID, SHOP, URL, WEEK, Stage


def test_an_empty_console_teaches_the_next_step(stage: Stage) -> None:
    assert "Nobody is on call yet" in stage.page().text("/oncall")
    assert "No policies yet" in stage.page().text("/oncall/policies")
    assert "Make the first schedule" not in stage.page("vic").text("/oncall")


def test_on_call_now_says_who_until_when_and_who_is_next(stage: Stage) -> None:
    stage.make()
    text = stage.page("ann").text("/oncall")
    assert "You are on call for On call until 2026-03-09 08:00:00 UTC" in text
    assert "then Ben until 2026-03-16 08:00:00 UTC" in text
    assert "You are on call" not in stage.page("ben").text("/oncall")


def test_gaps_and_double_cover_are_said_in_words(stage: Stage) -> None:
    office = {**WEEK["layers"][0], "name": "office", "hours": [{"days": ["tuesday"], "start": "09:00", "end": "17:00"}]}
    nights = {
        **WEEK["layers"][0],
        "name": "nights",
        "people": ["cleo@example.com"],
        "hours": [{"start": "16:00", "end": "08:00"}],
    }
    stage.make({**WEEK, "layers": [office, nights]})
    text = stage.page().text("/oncall/schedules/primary")
    assert "double cover" in text
    assert "gap" in text
    assert "gap: nobody is on call" in stage.page().text("/oncall")
    shown = stage.page().get("/oncall/schedules/primary").text
    assert 'class="wo-gap-fill"' in shown
    assert "Nobody is on call from" in text


def test_a_responder_takes_over_on_the_page_and_ends_it_again(stage: Stage) -> None:
    stage.make()
    cleo, path = stage.page("cleo"), "/oncall/schedules/primary"
    fields = {"since": "2026-03-02T14:00", "until": "2026-03-03T08:00", "instead_of": ID["ann"], "reason": "Dentist"}
    assert cleo.submit(f"{path}/overrides", fields, page=path).status_code == 303
    assert "stands in for Ann" in cleo.text(path)
    [made] = stage.api().get(f"{URL}/schedules/primary/overrides").json()["items"]
    assert (made["since"], made["reason"]) == ("2026-03-02T13:00:00Z", "Dentist")  # Oslo's time
    assert cleo.submit(f"/oncall/overrides/{made['id']}/end", {}, page=path).status_code == 303
    assert "stands in" not in cleo.text(path)


def test_what_is_wrong_with_an_override_is_said_on_the_page(stage: Stage) -> None:
    stage.make()
    path = "/oncall/schedules/primary"
    fields = {"since": "2026-03-05T14:00", "until": "2026-03-04T08:00"}
    answer = stage.page("cleo").submit(f"{path}/overrides", fields, page=path)
    assert answer.status_code == 422
    assert "an instant after" in answer.text


def test_a_swap_is_asked_for_and_accepted_on_pages(stage: Stage) -> None:
    stage.make()
    path = "/oncall/schedules/primary"
    fields = {"other": ID["ben"], "gives_since": "2026-03-04T09:00", "gives_until": "2026-03-05T09:00"}
    assert stage.page("ann").submit(f"{path}/swaps", fields, page=path).status_code == 303
    ben = stage.page("ben")
    assert "Ann asks you to take primary" in ben.text("/oncall")
    assert "asks you" not in stage.page("cleo").text("/oncall")
    action = re.search(r'action="(/oncall/swaps/[^"]+/accept)"', ben.get("/oncall").text)
    assert action is not None
    assert ben.submit(action[1], {}, page="/oncall").status_code == 303
    assert "asks you" not in ben.text("/oncall")
    assert "stands in for Ann" in ben.text(path)


def test_a_schedule_is_made_by_fields_after_looking_at_it(stage: Stage) -> None:
    ann, new = stage.page("ann"), "/oncall/schedules/new"
    fields = {
        "name": "primary",
        "time_zone": "Europe/Oslo",
        "people": "ann@example.com\nben@example.com",
        "weekday": "monday",
        "start": "2026-03-02",
    }
    looked = ann.submit(new, {**fields, "check": "1"}, page=new)
    assert looked.status_code == 200
    assert "Checked, not saved" in looked.text
    assert stage.facts() == []
    assert ann.submit(new, fields, page=new).status_code == 303
    assert stage.kinds() == ["schedule_defined"]
    wrong = ann.submit(new, {**fields, "name": "other", "people": "zoe@example.com"}, page=new)
    assert wrong.status_code == 422
    assert "zoe@example.com" in wrong.text


def test_a_change_that_somebody_else_overtook_changes_nothing(stage: Stage) -> None:
    stage.make()
    ann, edit = stage.page("ann"), "/oncall/schedules/primary/edit"
    fields = {"way": "fields", "version": "7", "people": "ben@example.com", "start": "2026-03-02", "name": "primary"}
    answer = ann.submit(edit, fields, page=edit)
    assert answer.status_code == 409
    assert stage.kinds() == ["schedule_defined"]


def test_a_policy_is_written_checked_and_shown_as_a_path(stage: Stage) -> None:
    stage.make()
    ann, new = stage.page("ann"), "/oncall/policies/new"
    text = (
        "name: shop\ndefault: true\nsteps:\n  - {notify: [{schedule: primary}], wait: 5m}\n  - {notify: [], wait: 5m}\n"
        "unresolved: [{after: 1h, severities: [critical], notify: [{person: ada@example.com}]}]\n"
    )
    looked = ann.submit(new, {"way": "text", "text": text, "check": "1"}, page=new)
    assert "Step 2 has no targets: it is skipped at once." in looked.text
    assert ann.submit(new, {"way": "text", "text": text}, page=new).status_code == 303
    shown = ann.text("/oncall/policies/shop")
    assert "after 1 h, if it is not resolved Ada" in shown
    assert "Critical" in shown
    assert "nobody: skipped at once" in shown
    wrong = ann.submit(
        new, {"way": "text", "text": text.replace("primary", "nights").replace("shop", "other")}, page=new
    )
    assert "the name of a schedule, found" in wrong.text
    broken = ann.submit(new, {"way": "text", "text": "name: [", "check": "1"}, page=new)
    assert broken.status_code == 422
    assert "line " in broken.text


def test_a_calendar_link_is_shown_once_and_revoked(stage: Stage) -> None:
    stage.make(policy=SHOP)
    ben, path = stage.page("ben"), "/oncall/calendars"
    made = ben.submit(path, {"name": "phone"}, page=path)
    assert "/oncall/me.ics?token=wkcal_" in made.text
    assert "wkcal_" not in ben.get(path).text
    action = re.search(r'action="(/oncall/calendars/[^"]+/revoke)"', ben.get(path).text)
    assert action is not None
    assert ben.submit(action[1], {}, page=path).status_code == 303
    assert "Revoke it" not in ben.get(path).text


def test_who_may_only_look_sees_no_forms(stage: Stage) -> None:
    stage.make(policy=SHOP)
    vic = stage.page("vic")
    for path in ("/oncall", "/oncall/schedules/primary", "/oncall/policies", "/oncall/policies/shop"):
        assert 'method="post"' not in vic.get(path).text
    assert vic.get("/oncall/schedules/primary/edit").status_code == 403
