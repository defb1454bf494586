"""From an alert to a person who has it: once, fast, and never to nobody."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.oncall.paging.support import Tower
from tests.oncall.support import ID, WEEK
from watchkeeper.modules.alerts.model import Severity


def test_the_first_step_is_called_at_once_and_the_next_after_its_wait(tower: Tower) -> None:
    tower.reachable("ann", "ben")
    tower.policy()
    tower.fire()
    tower.run()
    assert tower.told() == ["ann"]
    assert tower.after(4.75) == []
    assert tower.after(0.5) == ["ben"]


def test_whoever_is_on_call_is_called(tower: Tower) -> None:
    tower.reachable("ann", "ben")
    tower.stage.make(
        schedule=WEEK, policy={"name": "shop", "default": True, "steps": [{"notify": [{"schedule": "primary"}]}]}
    )
    tower.fire()
    tower.run()
    assert tower.told() == ["ann"]
    (page,) = tower.pages()
    assert page.why == "on call for primary"


def test_an_acknowledgement_ends_the_calls_and_what_waited_is_not_sent(tower: Tower) -> None:
    tower.reachable("ann", "ben")
    tower.policy()
    tower.fire()
    tower.run()
    tower.acknowledge()
    assert tower.after(30) == []
    assert [page.ended_because for page in tower.pages()] == ["somebody has it"]
    assert tower.kinds() == ["calls_begun", "person_paged", "calls_paused"]


def test_it_goes_round_as_often_as_the_policy_says_and_then_calls_the_admins(tower: Tower) -> None:
    tower.reachable("ann", "ben", "ada")
    tower.policy(repeat=1)
    tower.fire()
    tower.run()
    assert tower.told() + tower.after(30) == ["ann", "ben", "ann", "ben", "ada"]
    assert tower.kinds().count("calls_exhausted") == 1
    assert tower.after(120) == []


def test_a_step_with_nobody_is_skipped_at_once_and_never_waited_out(tower: Tower) -> None:
    tower.reachable("ben")
    tower.policy()
    tower.fire()
    tower.run()
    assert tower.told() == ["ben"], "nobody can reach Ann, so Ben is called at once"
    assert tower.kinds() == ["calls_begun", "person_paged", "step_skipped", "person_paged"]


def test_when_nobody_of_the_policy_can_be_reached_somebody_else_is(tower: Tower) -> None:
    tower.reachable("cleo")
    tower.policy()
    tower.fire()
    tower.run()
    assert tower.told() == ["cleo"], "neither the policy's people nor an admin has a contact"


def test_without_a_policy_everybody_who_may_respond_is_called(tower: Tower) -> None:
    tower.reachable("ann", "ben", "vic")
    tower.fire()
    tower.run()
    assert sorted(tower.told()) == ["ann", "ben"]


def test_when_every_way_to_somebody_fails_the_next_step_begins_at_once(tower: Tower) -> None:
    tower.reachable("ann", "ben")
    tower.policy()
    tower.provider.answer = lambda asked: (500 if asked.json["topic"] == "topic-ann" else 200, {})
    tower.fire()
    tower.run()
    assert tower.told() == ["ann", "ben"]
    assert "person_missed" in tower.kinds()
    assert tower.after(4) == ["ann"] * 4, "she is tried again all the same, and nobody else is called twice"


def test_what_is_resolved_is_told_to_those_who_were_called_and_pages_nobody(tower: Tower) -> None:
    tower.reachable("ann", "ben")
    tower.policy()
    tower.fire()
    tower.run()
    tower.settle()
    assert tower.after(30) == []
    last = tower.provider.asked[-1].json
    assert (last["topic"], last["message"], last["actions"]) == ("topic-ann", "Resolved", [])
    assert {page.ended_because for page in tower.pages()} == {"resolved"}


def test_what_comes_back_calls_anew(tower: Tower) -> None:
    tower.reachable("ann", "ben")
    tower.policy()
    tower.fire()
    tower.run()
    tower.settle()
    tower.after(6)
    tower.provider.asked.clear()
    tower.fire()
    tower.run()
    assert tower.told() == ["ann"]


def test_an_acknowledgement_that_is_over_calls_anew(tower: Tower) -> None:
    tower.reachable("ann", "ben")
    tower.policy(acknowledged_for="30m")
    tower.fire()
    tower.run()
    tower.acknowledge()
    assert tower.after(29) == []
    assert tower.after(2) == ["ann"]
    assert tower.after(5) == ["ben"]


def test_a_severity_with_steps_of_its_own_calls_everybody_as_soon_as_it_is_that_bad(tower: Tower) -> None:
    tower.reachable("ann", "ben", "cleo")
    tower.policy(routes=[{"severities": ["critical"], "steps": [{"notify": [{"everyone": True}], "wait": "10m"}]}])
    tower.fire(severity=Severity.ERROR)
    tower.run()
    assert tower.told() == ["ann"]
    tower.fire(severity=Severity.CRITICAL)
    tower.run()
    assert sorted(tower.told()[1:]) == ["ann", "ben", "cleo"]


def test_what_becomes_worse_after_somebody_took_it_calls_anew_by_the_steps_of_what_it_is_now(tower: Tower) -> None:
    tower.reachable("ann", "ben", "cleo")
    tower.policy(routes=[{"severities": ["critical"], "steps": [{"notify": [{"person": "cleo@example.com"}]}]}])
    tower.fire(severity=Severity.ERROR)
    tower.run()
    tower.acknowledge("ann")
    assert tower.after(30) == []
    tower.fire(severity=Severity.CRITICAL)
    tower.run()
    assert tower.told() == ["ann", "cleo"], "critical has steps of its own"
    assert tower.group().status == "triggered"
    assert tower.kinds().count("calls_begun") == 2


def test_what_becomes_worse_by_the_same_steps_calls_whoever_had_it_again(tower: Tower) -> None:
    tower.reachable("ann", "ben")
    tower.policy()
    tower.fire(severity=Severity.WARNING)
    tower.run()
    tower.acknowledge("ann")
    tower.run()
    tower.fire(severity=Severity.CRITICAL)
    tower.run()
    assert tower.told() == ["ann", "ann"]
    assert tower.after(5.25) == ["ben"]


@pytest.mark.parametrize("acknowledged", [True, False])
def test_what_becomes_less_bad_pages_nobody(tower: Tower, acknowledged: bool) -> None:
    tower.reachable("ann", "ben")
    tower.policy(routes=[{"severities": ["warning"], "steps": [{"notify": [{"person": "ben@example.com"}]}]}])
    tower.fire(severity=Severity.CRITICAL)
    tower.run()
    if acknowledged:
        tower.acknowledge("ann")
        tower.run()
    for severity in (Severity.ERROR, Severity.WARNING, Severity.INFO):
        tower.fire(severity=severity)
        tower.run()
    assert tower.told() == ["ann"]
    assert tower.kinds().count("calls_begun") == 1


def test_what_is_not_resolved_in_time_calls_the_founder_whoever_has_it(tower: Tower) -> None:
    tower.reachable("ann", "ada")
    tower.policy(unresolved=[{"after": "1h", "notify": [{"person": "ada@example.com"}]}])
    tower.fire()
    tower.run()
    tower.acknowledge()
    assert tower.after(59) == []
    assert tower.after(2) == ["ada"]
    assert tower.pages()[-1].why == "it is not resolved after 1h"


def test_a_snooze_pauses_and_its_end_calls_anew(tower: Tower) -> None:
    from watchkeeper.modules.alerts.jobs import handlers

    tower.reachable("ann", "ben")
    tower.policy()
    tower.fire()
    tower.run()
    group = tower.group()
    until = tower.clock.now() + timedelta(hours=1)
    with tower.stage.database.begin() as session:
        tower.alerting.snooze(session, group.id, until=until, by=ID["ann"], at=tower.clock.now(), source="test")
    assert tower.after(30) == []
    tower.clock.jump(until + timedelta(seconds=1))
    with tower.stage.database.begin() as session:
        tower.alerting.on(session, tower.clock).time_has_come(group.id, tower.clock.now())
    assert handlers
    tower.run()
    assert tower.told()[1:] == ["ann"]


def test_what_is_given_to_somebody_else_calls_them_and_then_the_policy(tower: Tower) -> None:
    tower.reachable("ann", "ben", "cleo")
    tower.policy()
    tower.fire()
    tower.run()
    tower.acknowledge()
    tower.run()
    with tower.stage.database.begin() as session:
        tower.paging.reassign(session, tower.group().id, ID["cleo"], by=ID["ann"], source="test")
    tower.run()
    assert tower.told() == ["ann", "cleo"]
    assert tower.after(5.5) == ["ann"]


def test_somebody_who_is_called_in_is_called_though_somebody_has_it(tower: Tower) -> None:
    tower.reachable("ann", "cleo")
    tower.policy()
    tower.fire()
    tower.run()
    tower.acknowledge()
    with tower.stage.database.begin() as session:
        tower.paging.add_responder(session, tower.group().id, ID["cleo"], by=ID["ann"], source="test")
    tower.run()
    assert tower.told() == ["ann", "cleo"]


def test_the_same_change_told_twice_calls_once(tower: Tower) -> None:
    tower.reachable("ann", "ben")
    tower.policy()
    tower.fire()
    for _ in range(3):
        with tower.stage.database.begin() as session:
            tower.engine.look(session, tower.group().id)
    tower.run()
    assert tower.told() == ["ann"]
