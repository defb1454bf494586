"""A rule from the alert to what became of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.incidents.support import ID
from tests.recovery.support import BOOK, Stage, rule
from watchkeeper.modules.alerts.public import Status
from watchkeeper.modules.incidents import public as incidents
from watchkeeper.modules.recovery.errors import MayNotAct, NotWaiting, RuleInvalid
from watchkeeper.modules.recovery.model import Mode

MINUTE = timedelta(minutes=1)


def test_a_new_rule_only_says_what_it_would_do(stage: Stage) -> None:
    stage.put(rule(), mode=None)
    stage.fire("shop")
    assert stage.states() == ["rehearsed"]
    assert stage.sets() == []
    (begun,) = stage.told("attempt_begun")
    assert begun.data["mode"] == "dry_run"
    assert begun.service == "shop"


def test_an_armed_rule_acts_and_it_is_recovered_when_the_symptom_went(stage: Stage) -> None:
    stage.put(rule())
    stage.fire("shop")
    assert stage.states() == ["verifying"]
    (change,) = stage.sets()
    assert change.data["after"] == {"WORKERS": 8}
    stage.clock.advance(MINUTE)
    stage.settle("shop")
    (one,) = stage.attempts()
    assert (one.state.value, one.finished_at) == ("recovered", stage.clock.now())
    assert [fact.data["state"] for fact in stage.told("attempt_ended")] == ["recovered"]
    assert not stage.held().breaker.is_open


def test_a_symptom_that_does_not_go_opens_the_breaker_and_pages(stage: Stage) -> None:
    stage.put(rule())
    stage.fire("shop")
    stage.look(9 * MINUTE)
    assert stage.states() == ["verifying"]
    stage.look(2 * MINUTE)
    assert stage.states() == ["failed"]
    assert stage.held().breaker.is_open
    group = stage.own_group("breaker:shop")
    assert group is not None
    assert (group.severity.value, group.service, group.status) == ("critical", "shop", Status.TRIGGERED)
    # Its own alert is no symptom, and the one that still fires is left to people.
    stage.look(60 * MINUTE)
    assert stage.states() == ["failed"]
    stage.act(lambda verbs: verbs.reset("shop", reason="looked at it", by="per_olga", source="test"))
    group = stage.own_group("breaker:shop")
    assert group is None or not group.is_open
    stage.set(2)
    stage.look()
    assert stage.states() == ["failed", "verifying"]


def test_what_is_set_already_counts_as_done(stage: Stage) -> None:
    stage.set(8)
    stage.put(rule())
    stage.fire("shop")
    assert stage.states() == ["verifying"]
    assert stage.sets() == []
    stage.settle("shop")
    assert stage.states() == ["recovered"]
    assert not stage.held().breaker.is_open


def test_it_acts_only_while_few_enough_instances_are_affected(stage: Stage) -> None:
    stage.put(rule(guards={"only_while_burning": False, "most_instances": 2}))
    stage.fire("shop")
    assert [fact.data["why"] for fact in stage.told("held_back")] == ["its alert names no instance"]
    stage.settle("shop")
    stage.fire_on("a", "b", "c")
    assert stage.told("held_back")[-1].data["why"] == "more than 2 instances are affected"
    assert stage.states() == []
    stage.settle_on("a")
    stage.look()
    assert stage.states() == ["verifying"]


def test_steps_that_fail_open_the_breaker_at_once(stage: Stage) -> None:
    stage.keep(BOOK.format(value="[none]", confirm="confirm"))
    stage.put(rule())
    stage.fire("shop")
    (one,) = stage.attempts()
    assert one.state.value == "failed"
    assert "failed" in one.detail
    assert stage.held().breaker.is_open


def test_what_it_did_stands_on_the_record_of_the_incident_with_its_run(stage: Stage) -> None:
    incident = stage.open(services=["shop"])
    stage.put(rule())
    stage.fire("shop")
    stage.settle("shop")
    texts = [one.text for one in stage.ask(lambda session: incidents.entries(session, incident.id))]
    assert any("runs shop" in text for text in texts)
    assert any("recovered" in text for text in texts)
    (one,) = stage.attempts()
    linked = stage.ask(lambda session: incidents.links(session, incident.id))
    assert one.run in [link.target for link in linked]


def test_it_acts_only_while_a_budget_burns_unless_its_file_says_otherwise(stage: Stage) -> None:
    stage.put(rule(guards={}))
    stage.fire("shop")
    stage.look()
    stage.look()
    assert stage.states() == []
    assert [fact.data["why"] for fact in stage.told("held_back")] == ["no objective of the service burns"]
    stage.burn("shop")
    stage.look()
    assert stage.states() == ["verifying"]


def test_a_flapping_alert_causes_no_loop(stage: Stage) -> None:
    guards = {"only_while_burning": False, "most_runs": 2, "window": "2h", "cooldown": "1m"}
    stage.put(rule(guards=guards))
    for number in range(20):
        stage.set(20 + number)
        stage.fire("shop")
        stage.look(MINUTE)
        stage.settle("shop")
        stage.look(2 * MINUTE)
    assert stage.states() == ["recovered", "recovered"]
    assert len(stage.sets()) == 2


def test_two_rules_for_the_same_alert_never_act_at_once(stage: Stage) -> None:
    stage.put(rule("one"), rule("two"))
    stage.fire("shop")
    assert [one.rule for one in stage.attempts()] == ["one"]
    why = {fact.data["why"] for fact in stage.told("held_back")}
    assert why == {"another recovery of this service goes on"}


def test_a_rule_that_asks_pages_with_a_link_and_acts_when_somebody_says_yes(stage: Stage) -> None:
    stage.put(rule(), mode=Mode.APPROVAL)
    stage.fire("shop")
    (one,) = stage.attempts()
    assert one.state.value == "waiting_approval"
    assert stage.sets() == []
    group = stage.own_group(f"approval:{one.id}")
    assert group is not None
    assert group.is_open
    done = stage.act(lambda verbs: verbs.approve(one.id, by=ID["cleo"], source="test"))
    assert (done.state.value, done.approved_by) == ("verifying", ID["cleo"])
    group = stage.own_group(f"approval:{one.id}")
    assert group is None or not group.is_open
    with pytest.raises(NotWaiting):
        stage.act(lambda verbs: verbs.approve(one.id, by=ID["cleo"], source="test"))


def test_nobody_who_says_anything_is_a_no_and_so_is_a_no(stage: Stage) -> None:
    stage.put(rule(), mode=Mode.APPROVAL)
    stage.fire("shop")
    stage.look(16 * MINUTE)
    assert stage.states() == ["declined"]
    stage.look(11 * MINUTE)
    assert stage.states() == ["declined", "waiting_approval"]
    last = stage.attempts()[-1]
    stage.act(lambda verbs: verbs.decline(last.id, reason="not now", by=ID["ann"], source="test"))
    assert stage.states() == ["declined", "declined"]
    assert stage.sets() == []
    assert not stage.held().breaker.is_open


def test_what_is_over_is_not_acted_on_any_more(stage: Stage) -> None:
    stage.put(rule(), mode=Mode.APPROVAL)
    stage.fire("shop")
    (one,) = stage.attempts()
    stage.settle("shop")
    with pytest.raises(MayNotAct):
        stage.act(lambda verbs: verbs.approve(one.id, by=ID["cleo"], source="test"))


def test_a_disarmed_rule_does_nothing(stage: Stage) -> None:
    stage.put(rule())
    stage.act(lambda verbs: verbs.rules.disarm("shop", reason="careful", by=ID["ann"], source="test"))
    stage.fire("shop")
    assert stage.states() == []
    assert [fact.data["why"] for fact in stage.told("held_back")] == ["the rule is disarmed"]


def test_what_needs_a_person_beside_it_is_not_armed(stage: Stage) -> None:
    stage.put(rule(steps=["fix", "check-think"]), mode=None)
    with pytest.raises(RuleInvalid) as refused:
        stage.act(lambda verbs: verbs.rules.arm("shop", Mode.AUTOMATIC, reason="x", by="per_olga", source="test"))
    assert [one.where for one in refused.value.complaints] == ["steps.1"]
    stage.keep(BOOK.format(value=8, confirm="second"))
    stage.put(rule(), mode=None)
    with pytest.raises(RuleInvalid):
        stage.act(lambda verbs: verbs.rules.arm("shop", Mode.APPROVAL, reason="x", by="per_olga", source="test"))


def test_a_rule_that_changed_in_the_files_begins_in_dry_run_again(stage: Stage) -> None:
    stage.put(rule())
    stage.put(rule(description="another"), mode=None)
    assert stage.held().rule.mode is Mode.DRY_RUN


def test_a_runbook_that_is_not_signed_off_any_more_fails_before_anything_is_done(stage: Stage) -> None:
    stage.put(rule())
    with stage.database.begin() as session:
        from watchkeeper.modules.runbooks.reading import content_of
        from watchkeeper.modules.runbooks.service import Runbooks

        Runbooks(session, stage.clock).put(
            content_of("shop", BOOK.format(value=9, confirm="none")), by="local", source="ops"
        )
    stage.fire("shop")
    (one,) = stage.attempts()
    assert one.state.value == "failed"
    assert "signed" in one.detail
    assert stage.sets() == []


def test_a_rehearsal_carries_nothing_out_where_the_steps_take_no_environment(stage: Stage) -> None:
    stage.put(rule(rehearse={"every": "7d"}))
    run = stage.act(lambda verbs: verbs.rehearse("shop", by=ID["cleo"], source="test"))
    assert run.dry_run
    held = stage.held()
    assert (held.rehearsed_at, held.rehearsed_state) == (stage.clock.now(), "dry run")
    assert stage.sets() == []
    assert [fact.data["state"] for fact in stage.told("rehearsed")] == ["dry run"]
    stage.act(lambda verbs: verbs.rehearse_when_due("shop"))
    assert len(stage.told("rehearsed")) == 1
    stage.clock.advance(timedelta(days=8))
    stage.act(lambda verbs: verbs.rehearse_when_due("shop"))
    assert len(stage.told("rehearsed")) == 2
