"""Schedules, policies, overrides and swaps through the API."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from tests.oncall.support import ID, SHOP, URL, WEEK, Stage

# The clock stands at noon of Monday 2 March 2026; Ann's weeks began on 5 January, so this one is Ann's.


def test_a_schedule_is_kept_with_ids_and_answers_who_is_on_call_and_until_when(stage: Stage) -> None:
    stage.make()
    kept = stage.api("read").get(f"{URL}/schedules/primary").json()
    assert kept["definition"]["layers"][0]["people"] == [ID["ann"], ID["ben"]]
    assert kept["people"] == [{"id": ID["ann"], "name": "Ann"}, {"id": ID["ben"], "name": "Ben"}]
    [now] = stage.api("read").get(f"{URL}/now").json()["items"]
    assert (now["who"]["name"], now["until"]) == ("Ann", "2026-03-09T08:00:00Z")
    assert (now["next"]["who"]["name"], now["next"]["until"]) == ("Ben", "2026-03-16T08:00:00Z")
    [later] = stage.api("read").get(f"{URL}/now?at=2026-07-06T06:59:59Z").json()["items"]
    assert later["until"] == "2026-07-06T07:00:00Z"  # 09:00 in Oslo's summer


def test_nobody_makes_a_schedule_of_people_who_are_not_there(stage: Stage) -> None:
    wrong = {**WEEK, "layers": [{**WEEK["layers"][0], "people": ["ann@example.com", "zoe@example.com"]}]}
    answer = stage.api().post(f"{URL}/schedules", json=wrong)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["where"] == "layers[0].people[1]"
    assert stage.facts() == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("shift", "90m"),
        ("shift", "400d"),
        ("hand_over", "9:00"),
        ("weekday", "someday"),
        ("people", []),
        ("start", "2026-02-30"),
        ("color", "red"),
    ],
)
def test_a_wrong_field_is_named(stage: Stage, field: str, value: Any) -> None:
    answer = stage.api().post(f"{URL}/schedules", json={**WEEK, "layers": [{**WEEK["layers"][0], field: value}]})
    assert answer.status_code == 422, answer.text
    assert field in answer.text


def test_a_change_needs_the_version_that_it_is_of(stage: Stage) -> None:
    stage.make()
    client = stage.api()
    tag = client.get(f"{URL}/schedules/primary").headers["etag"]
    changed = {**WEEK, "title": "Nights"}
    assert client.put(f"{URL}/schedules/primary", json=changed).status_code == 428
    assert client.put(f"{URL}/schedules/primary", json=changed, headers={"If-Match": '"old"'}).status_code == 412
    done = client.put(f"{URL}/schedules/primary", json=changed, headers={"If-Match": tag})
    assert (done.status_code, done.json()["version"]) == (200, 2)
    again = client.put(f"{URL}/schedules/primary", json=changed, headers={"If-Match": done.headers["etag"]})
    assert again.json()["version"] == 2
    assert stage.kinds() == ["schedule_defined", "schedule_changed"]
    assert stage.facts()[-1].data["after"] == {"title": "Nights"}


def test_a_preview_covers_all_of_its_time_and_marks_the_gaps(stage: Stage) -> None:
    for one in ("ann", "ben"):
        stage.can_be_reached(one)
    days = {**WEEK["layers"][0], "hours": [{"start": "08:00", "end": "20:00"}]}
    stage.make({**WEEK, "layers": [days]})
    answer = stage.api("read").get(f"{URL}/schedules/primary/preview").json()
    spans = answer["items"]
    assert spans[0]["since"] == "2026-03-02T12:00:00Z"
    assert spans[-1]["until"] == "2026-03-16T12:00:00Z"
    assert all(before["until"] == after["since"] for before, after in pairwise(spans))
    assert {one["cover"] for one in spans} == {"one", "gap"}
    advice = stage.api("read").get(f"{URL}/schedules/primary").json()["advice"]
    assert advice[0] == "Nobody is on call from Mon 02 Mar 20:00 CET to Tue 03 Mar 08:00 CET."


def test_a_responder_takes_over_and_may_not_give_away(stage: Stage) -> None:
    stage.make()
    times = {"since": "2026-03-03T18:00:00Z", "until": "2026-03-04T06:00:00Z"}
    cleo = stage.as_person("cleo")
    taken = cleo.post(f"{URL}/schedules/primary/overrides", json={**times, "reason": "Ann is at the opera"})
    assert taken.status_code == 201, taken.text
    assert taken.json()["who"]["name"] == "Cleo"
    [during] = cleo.get(f"{URL}/now?at=2026-03-03T23:00:00Z").json()["items"]
    assert (during["who"]["name"], during["why"]["instead_of"]["name"]) == ("Cleo", "Ann")
    given = cleo.post(f"{URL}/schedules/primary/overrides", json={**times, "who": "ben@example.com"})
    assert (given.status_code, given.json()["code"]) == (403, "oncall.not_your_shift")
    assert stage.as_person("vic").post(f"{URL}/schedules/primary/overrides", json=times).status_code == 403
    assert stage.as_person("ann").post(
        f"{URL}/schedules/primary/overrides", json={**times, "who": "ben@example.com"}
    ).status_code == 201  # fmt: skip
    assert cleo.delete(f"{URL}/overrides/{taken.json()['id']}").status_code == 204
    assert stage.kinds()[1:] == ["override_made", "override_made", "override_ended"]
    assert "opera" not in str([fact.data for fact in stage.facts()])


def test_the_past_can_not_be_overridden(stage: Stage) -> None:
    stage.make()
    order = {"since": "2026-03-02T08:00:00Z", "until": "2026-03-02T18:00:00Z"}
    answer = stage.as_person("ben").post(f"{URL}/schedules/primary/overrides", json=order)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["where"] == "since"


def test_a_swap_changes_nothing_until_the_other_accepts(stage: Stage) -> None:
    stage.make()
    order = {
        "other": "ben@example.com",
        "gives": {"since": "2026-03-04T08:00:00Z", "until": "2026-03-05T08:00:00Z"},
        "takes": {"since": "2026-03-11T08:00:00Z", "until": "2026-03-12T08:00:00Z"},
    }
    ann, ben, cleo = (stage.as_person(one) for one in ("ann", "ben", "cleo"))
    asked = ann.post(f"{URL}/schedules/primary/swaps", json=order)
    assert asked.status_code == 201, asked.text
    where = f"{URL}/swaps/{asked.json()['id']}"
    assert _who(stage, "2026-03-04T12:00:00Z") == "Ann"
    assert cleo.post(f"{where}/accept").status_code == 403
    assert ann.post(f"{where}/accept").status_code == 403
    assert ben.post(f"{where}/accept").json()["state"] == "accepted"
    assert [_who(stage, f"2026-03-{day}T12:00:00Z") for day in ("04", "05", "11", "12")] == ["Ben", "Ann", "Ann", "Ben"]
    assert ben.post(f"{where}/decline").status_code == 409
    assert stage.kinds()[1:] == ["swap_changed", "override_made", "override_made", "swap_changed"]


def test_nobody_gives_away_a_shift_that_is_not_theirs(stage: Stage) -> None:
    stage.make()
    order = {"other": "ann@example.com", "gives": {"since": "2026-03-04T08:00:00Z", "until": "2026-03-05T08:00:00Z"}}
    answer = stage.as_person("ben").post(f"{URL}/schedules/primary/swaps", json=order)
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, "gives")


def test_a_schedule_of_a_team_is_changed_by_its_members_only(stage: Stage) -> None:
    stage.team("web", "cleo")
    ann = stage.as_person("ann")
    answer = ann.post(f"{URL}/schedules", json={**WEEK, "team": "web"})
    assert answer.status_code == 403
    stage.make({**WEEK, "team": "web"})
    assert ann.delete(f"{URL}/schedules/primary").status_code == 403


def test_a_schedule_stays_while_a_policy_calls_it(stage: Stage) -> None:
    stage.make(policy=SHOP)
    client = stage.api()
    refused = client.delete(f"{URL}/schedules/primary")
    assert (refused.status_code, refused.json()["code"]) == (409, "oncall.schedule_in_use")
    assert client.delete(f"{URL}/policies/shop").status_code == 204
    assert client.delete(f"{URL}/schedules/primary").status_code == 204
    assert stage.kinds()[-2:] == ["policy_removed", "schedule_removed"]


def test_a_policy_tells_beforehand_who_would_be_called_when(stage: Stage) -> None:
    stage.make(policy={**SHOP, "unresolved": [{"after": "1h", "notify": [{"person": "ada@example.com"}]}], "repeat": 0})
    steps = stage.api("read").get(f"{URL}/policies/shop/preview").json()["items"]
    said = [(one["due_at"][11:16], [who["name"] for who in one["people"]], one["until"]) for one in steps]
    assert said == [
        ("12:00", ["Ann"], "acknowledged"),
        ("12:05", ["Ada", "Ann", "Ben", "Cleo"], "acknowledged"),
        ("13:00", ["Ada"], "resolved"),
    ]
    assert steps[0]["reasons"] == {ID["ann"]: "on call for primary"}


def test_a_policy_that_would_go_wrong_is_refused_with_every_reason(stage: Stage) -> None:
    stage.make(policy={**SHOP, "services": ["web"]})
    wrong = {
        "name": "other",
        "default": True,
        "services": ["web", "chat", "chat"],
        "steps": [{"notify": [{"schedule": "nights"}, {"team": "nobody"}, {"person": "zoe@example.com"}]}],
        "routes": [
            {"severities": ["critical"], "steps": [{"notify": [{"everyone": True}]}]},
            {"severities": ["critical"], "steps": [{"notify": [{"everyone": True}]}]},
        ],
    }
    answer = stage.api().post(f"{URL}/policies/check", json=wrong)
    assert answer.status_code == 422
    assert [one["where"] for one in answer.json()["errors"]] == [
        "steps[0].notify[2].person",
        "steps[0].notify[0].schedule",
        "steps[0].notify[1].team",
        "routes[1].severities",
        "default",
        "services[0]",
        "services[2]",
    ]


def test_what_an_author_should_know_is_said_before_saving(stage: Stage) -> None:
    stage.make()
    stage.can_be_reached("vic")
    said = {
        "name": "shop",
        "steps": [
            {"notify": []},
            {"notify": [{"person": "cleo@example.com"}]},
            {"notify": [{"person": "vic@example.com"}]},
        ],
    }
    advice = stage.api().post(f"{URL}/policies/check", json=said).json()["advice"]
    assert advice == [
        "It is no service's policy and not the default: it is used only where something names it.",
        "Step 1 has no targets: it is skipped at once.",
        "Cleo has no verified contact.",
        "Vic may only look: an acknowledgement needs the role responder.",
    ]


def test_making_twice_with_one_idempotency_key_makes_one(stage: Stage) -> None:
    client = stage.api()
    first, again = (client.post(f"{URL}/schedules", json=WEEK, headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert client.post(f"{URL}/schedules", json=WEEK).status_code == 409


def _who(stage: Stage, at: str) -> str:
    [one] = stage.api("read").get(f"{URL}/now?at={at}").json()["items"]
    return str(one["who"]["name"])
