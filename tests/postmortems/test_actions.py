"""Action items: what was promised, by whom, by when, and who is reminded."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.incidents.support import ID
from tests.postmortems.support import BY, URL, Stage
from watchkeeper.kernel.errors import PreconditionFailed
from watchkeeper.modules.catalog.model import Description, Finding, Outcome, Service
from watchkeeper.modules.notify import public as notify
from watchkeeper.modules.postmortems import wiring
from watchkeeper.modules.postmortems.errors import ActionInvalid, ActionNotFound
from watchkeeper.modules.postmortems.model import ActionItem, ActionState, due_problem, end_of, reminders
from watchkeeper.modules.postmortems.public import overdue_actions

SOON = date(2026, 3, 10)


def overdue(stage: Stage, service: str | None = "shop") -> list[str]:
    found: list[ActionItem] = stage.ask(lambda session: overdue_actions(session, service, stage.clock.now()))
    return [one.title for one in found]


def told(stage: Stage, one: ActionItem) -> list[str]:
    """Titles of what people were told of an item, and to whom."""
    found = stage.ask(lambda session: notify.record_of(session, "action_item", one.id))
    return [each.person_id for each in found]


@given(st.dates(date(2026, 1, 1), date(2040, 1, 1)))
def test_reminders_come_in_order_and_the_last_two_after_the_day(day: date) -> None:
    found = list(reminders(day).values())
    assert found == sorted(found)
    assert [at < end_of(day) for at in found] == [True, True, False, False]


@given(st.dates(date(2020, 1, 1), date(2035, 1, 1)))
def test_a_day_can_be_met_unless_it_is_over_or_too_far(day: date) -> None:
    now = end_of(date(2026, 3, 1))  # the first instant of the second of March
    possible = date(2026, 3, 2) <= day <= date(2026, 3, 2) + timedelta(days=3 * 366)
    assert (due_problem(day, now) is None) is possible


def test_an_action_item_is_overdue_after_the_end_of_its_day_and_not_before(stage: Stage) -> None:
    stage.incident()
    stage.action(stage.postmortem(), due_on=stage.clock.now().date())
    assert overdue(stage) == []
    stage.clock.advance(timedelta(hours=11, minutes=29))
    assert overdue(stage) == []
    stage.clock.advance(timedelta(minutes=1))
    assert overdue(stage) == ["Add a confirmation"]
    assert overdue(stage, None) == ["Add a confirmation"]
    assert overdue(stage, "another") == []


def test_only_bad_incidents_count_at_the_gate_and_no_drill(stage: Stage) -> None:
    small, drill = stage.incident("SEV-3"), stage.incident("SEV-1", drill=True, title="A drill")
    story = stage.ask(lambda session: stage.gatherer.story(session, small.id, stage.clock.now()))
    for one in (stage.do(lambda verbs: verbs.draft(story, **BY)), stage.postmortem(drill)):
        stage.action(one, due_on=stage.clock.now().date())
    stage.clock.advance(timedelta(days=3))
    assert overdue(stage) == []


def test_what_is_done_or_dropped_is_overdue_no_more_until_it_is_opened_again(stage: Stage) -> None:
    stage.incident()
    one = stage.action(stage.postmortem(), due_on=stage.clock.now().date())
    stage.clock.advance(timedelta(days=2))
    for state, expected in ((ActionState.DONE, 0), (ActionState.OPEN, 1), (ActionState.DROPPED, 0)):
        changed = stage.act(lambda verbs, state=state: verbs.change(one.id, {"state": state}, **BY))
        assert len(overdue(stage)) == expected
        assert (changed.closed_at is not None) is (expected == 0)


def test_a_day_that_is_over_an_owner_who_has_left_and_an_empty_title_are_refused_at_once(stage: Stage) -> None:
    stage.incident()
    one = stage.postmortem()
    stage.leaves("ben")
    with pytest.raises(ActionInvalid) as refused:
        stage.action(one, "  ", due_on=date(2026, 3, 1), owner=ID["ben"])
    wrong = {each.where: each.expected for each in refused.value.complaints}
    assert set(wrong) == {"title", "owner", "due_on"}
    assert "Ben has left" in wrong["owner"]
    assert "2026-03-01 is over" in wrong["due_on"]
    with pytest.raises(ActionInvalid):
        stage.action(one, owner="per_nobody")


def test_a_change_is_bound_to_the_version_that_was_read(stage: Stage) -> None:
    stage.incident()
    one = stage.action(stage.postmortem())
    stage.act(lambda verbs: verbs.change(one.id, {"title": "Ann's"}, version=1, **BY))
    with pytest.raises(PreconditionFailed):
        stage.act(lambda verbs: verbs.change(one.id, {"title": "Ben's"}, version=1, **BY))
    with pytest.raises(ActionNotFound):
        stage.act(lambda verbs: verbs.change("act_nobody", {"title": "x"}, **BY))
    api = stage.api("respond")
    tag = api.get(f"{URL}/actions/{one.id}").headers["etag"]
    assert api.patch(f"{URL}/actions/{one.id}", json={"state": "done"}).status_code == 428
    done = api.patch(f"{URL}/actions/{one.id}", json={"state": "done"}, headers={"If-Match": tag})
    assert done.json()["state"] == "done"
    assert api.get(f"{URL}/actions").json() == []
    assert len(api.get(f"{URL}/actions?all=true").json()) == 1


def test_the_owner_is_reminded_before_on_and_after_the_day_and_once_each(stage: Stage) -> None:
    stage.can_be_reached("ben")
    stage.incident()
    one = stage.action(stage.postmortem(), due_on=SOON, owner=ID["ben"])
    assert stage.work_off("postmortems.remind", until=timedelta(days=20)) == 4
    assert told(stage, one) == [ID["ben"]] * 4
    stage.again("postmortems.remind")
    assert told(stage, one) == [ID["ben"]] * 4
    assert [fact.data["told"] for fact in stage.facts("postmortems.action_reminded")][:4] == [1, 1, 1, 1]


def test_whoever_finished_is_reminded_no_more(stage: Stage) -> None:
    stage.can_be_reached("ben")
    stage.incident()
    one = stage.action(stage.postmortem(), due_on=SOON, owner=ID["ben"])
    stage.act(lambda verbs: verbs.change(one.id, {"state": ActionState.DONE}, **BY))
    stage.work_off("postmortems.remind", until=timedelta(days=20))
    assert told(stage, one) == []


def test_another_day_and_another_owner_are_reminded_in_their_place(stage: Stage) -> None:
    stage.can_be_reached("ann")
    stage.can_be_reached("ben")
    stage.incident()
    one = stage.action(stage.postmortem(), due_on=SOON, owner=ID["ben"])
    stage.act(lambda verbs: verbs.change(one.id, {"due_on": date(2026, 3, 30), "owner": ID["ann"]}, **BY))
    stage.work_off("postmortems.remind", until=timedelta(days=60))
    assert told(stage, one) == [ID["ann"]] * 4


def test_when_the_owner_has_left_whoever_sees_to_the_postmortem_is_told(stage: Stage) -> None:
    stage.can_be_reached("ann")
    stage.can_be_reached("ben")
    stage.incident()
    one = stage.action(stage.postmortem(), due_on=SOON, owner=ID["ben"])
    stage.leaves("ben")
    stage.work_off("postmortems.remind", until=timedelta(days=9))
    assert set(told(stage, one)) == {ID["ann"]}
    assert "its owner has left" in stage.facts("postmortems.action_reminded")[0].data["why"]
    assert "has left: give it to somebody else" in stage.page().text("/postmortems/actions")


def test_when_nobody_can_be_told_the_record_says_so(stage: Stage) -> None:
    stage.incident()
    one = stage.action(stage.postmortem(), due_on=SOON, owner=ID["ben"])
    stage.leaves("ben")
    stage.leaves("ann")
    stage.work_off("postmortems.remind", until=timedelta(days=9))
    assert told(stage, one) == []
    assert {fact.data["told"] for fact in stage.facts("postmortems.action_reminded")} == {0}


def test_the_scorecard_of_a_service_says_what_was_promised_and_is_not_there(stage: Stage) -> None:
    stage.incident()
    stage.action(stage.postmortem(), due_on=stage.clock.now().date())
    now = stage.clock.now()
    (check,) = wiring.readiness_checks(stage.database, stage.clock)

    def outcome(name: str) -> Finding:
        service = Service("svc_1", name, Description(), "people", False, now, now)
        return asyncio.run(check.check(service))

    assert outcome("shop").outcome is Outcome.OK
    stage.clock.advance(timedelta(days=1))
    late = outcome("shop")
    assert late.outcome is Outcome.MISSING
    assert "Add a confirmation" in late.detail
    assert outcome("another").outcome is Outcome.OK
