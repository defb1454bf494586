"""Changes of values: refused whole or made whole, told on the timeline, and undone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.config.support import COACH, GREETING, MATCHES, RADIUS, VIDEO, Stage
from watchkeeper.kernel.errors import Refusal
from watchkeeper.modules.config.errors import (
    CannotBeReverted,
    ChangedMeanwhile,
    ChangeInvalid,
    ChangeIsDecided,
    ContentDiffers,
    DefinitionInvalid,
    EnvironmentNotFound,
    NothingChanges,
    OwnChange,
    ParameterInUse,
)
from watchkeeper.modules.config.model import ChangeState, Operation
from watchkeeper_client.rules import Definition


@pytest.fixture(autouse=True)
def defined(stage: Stage) -> None:
    stage.define(MATCHES, RADIUS, GREETING, VIDEO, COACH)


def told(refusal: pytest.ExceptionInfo[Any]) -> str:
    """Everything a refusal says."""
    error = refusal.value
    return " ".join([error.detail, *(f"{one.where}: expected {one.expected}" for one in error.complaints)])


def test_a_value_that_is_set_is_what_clients_get_and_a_fact_says_what_it_was(stage: Stage) -> None:
    assert stage.get("MATCHES_PER_DAY") == 3
    stage.set("MATCHES_PER_DAY", 5)
    stage.set("MATCHES_PER_DAY", 7, reason="Friday evening")
    assert stage.get("MATCHES_PER_DAY") == 7
    fact = stage.facts("config.changed")[-1]
    assert (fact.data["before"], fact.data["after"]) == ({"MATCHES_PER_DAY": 5}, {"MATCHES_PER_DAY": 7})
    assert (fact.service, fact.data["reason"], fact.data["environment"]) == ("matching", "Friday evening", "production")


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("MATCHES_PER_DAY", 11, "a whole number that is from 1 to 10"),
        ("MATCHES_PER_DAY", 0, "a whole number that is from 1 to 10"),
        ("MATCHES_PER_DAY", "5", "a whole number"),
        ("MATCHES_PER_DAY", True, "a whole number"),
        ("MATCHES_PER_DAY", 2.5, "a whole number"),
        ("MATCHES_PER_DAY", 10**30, "a whole number from"),
        ("RADIUS_KM", float("nan"), "a finite number"),
        ("RADIUS_KM", float("inf"), "a finite number"),
        ("RADIUS_KM", "50", "a number"),
        ("GREETING", "HELLO", "text that matches [a-z ]+"),
        ("GREETING", "x" * 5_000, "text of at most 4,000 characters"),
        ("GREETING", "a\0b", "text without NUL"),
        ("ENABLE_VIDEO", "maybe", "one of the variants on, off"),
        ("ENABLE_VIDEO", {"serve": {"percent": 101, "variants": {"on": 1}}}, "a number from 0 to 100"),
        ("ENABLE_VIDEO", {"serve": {"percent": -1, "variants": {"on": 1}}}, "a number from 0 to 100"),
        ("ENABLE_VIDEO", {"serve": {"percent": 50, "variants": {"blue": 1}}}, "one of on, off"),
        ("ENABLE_VIDEO", {"serve": {"percent": 50, "variants": {"on": 0}}}, "a weight above 0"),
        ("ENABLE_VIDEO", {"rollout": 5}, "no such field"),
        (
            "ENABLE_VIDEO",
            {"rules": [{"when": {"country": "NO"}, "serve": {"variant": "on"}}]},
            "exactly one of all, any",
        ),
        ("ENABLE_VIDEO", {"rules": [{"when": {"segment": "ghosts"}, "serve": {"variant": "on"}}]}, "found 'ghosts'"),
        ("ENABLE_VIDEO", {"prerequisites": [{"key": "NOT_THERE", "variants": ["on"]}]}, "found 'NOT_THERE'"),
        ("ENABLE_VIDEO", {"prerequisites": [{"key": "ENABLE_COACH", "variants": ["blue"]}]}, "found 'blue'"),
        ("ENABLE_VIDEO", {"prerequisites": [{"key": "ENABLE_VIDEO", "variants": ["on"]}]}, "no circle"),
        ("NOBODY_KNOWS", 1, "a key of the registry, found 'NOBODY_KNOWS'"),
        ("MATCHES/PER/DAY", 1, "a key of the registry"),
        ("MАTCHES_PER_DAY", 1, "a key of the registry"),  # noqa: RUF001 (the second letter is Cyrillic)
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_where_and_what_was_expected(
    stage: Stage, key: str, value: Any, expected: str
) -> None:
    version = stage.version()
    with pytest.raises(ChangeInvalid) as refused:
        stage.set(key, value)
    assert expected in told(refused)
    assert stage.version() == version
    assert stage.facts("config.changed") == []


def test_of_a_change_set_either_all_is_made_or_nothing(stage: Stage) -> None:
    operations = [Operation("MATCHES_PER_DAY", "value", 5), Operation("RADIUS_KM", "value", 9_999)]
    with pytest.raises(ChangeInvalid, match="nothing was changed"):
        stage.changes(lambda c: c.propose("production", operations, reason="both", by="alice", source="api"))
    assert stage.get("MATCHES_PER_DAY") == 3
    operations[1] = Operation("RADIUS_KM", "value", 99)
    version = stage.version()
    made = stage.changes(lambda c: c.propose("production", operations, reason="both", by="alice", source="api"))
    assert (stage.get("MATCHES_PER_DAY"), stage.get("RADIUS_KM")) == (5, 99.0)
    assert stage.version() == version + 1
    assert [fact.data["change_id"] for fact in stage.facts("config.changed")] == [made.id, made.id]


def test_who_read_an_older_version_is_told_so_and_overwrites_nothing(stage: Stage) -> None:
    stage.set("MATCHES_PER_DAY", 5, expected_version=0)
    version = stage.document()["version"]
    stage.set("MATCHES_PER_DAY", 6, expected_version=version)
    with pytest.raises(ChangedMeanwhile, match="it is 6 now"):
        stage.set("MATCHES_PER_DAY", 7, expected_version=version)
    with pytest.raises(ChangedMeanwhile):
        stage.set("MATCHES_PER_DAY", 7, expected_version=0)
    assert stage.get("MATCHES_PER_DAY") == 6


def test_setting_what_is_set_is_refused_so_that_no_fact_lies(stage: Stage) -> None:
    stage.set("MATCHES_PER_DAY", 5)
    with pytest.raises(NothingChanges):
        stage.set("MATCHES_PER_DAY", 5)


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
def test_a_change_without_a_reason_is_refused(stage: Stage, reason: str) -> None:
    with pytest.raises(ChangeInvalid, match="not valid"):
        stage.set("MATCHES_PER_DAY", 5, reason=reason)


def test_an_environment_that_is_not_there_is_named_with_those_that_are(stage: Stage) -> None:
    with pytest.raises(EnvironmentNotFound, match="there are: production"):
        stage.set("MATCHES_PER_DAY", 5, environment="prodction")


def test_undo_sets_back_what_a_change_set_and_says_so(stage: Stage) -> None:
    stage.set("MATCHES_PER_DAY", 5)
    change = stage.set("MATCHES_PER_DAY", 9)
    undone = stage.changes(lambda c: c.revert(change.id, reason="too many", by="bob", source="console"))
    assert stage.get("MATCHES_PER_DAY") == 5
    assert undone.reverts == change.id
    assert stage.facts("config.changed")[-1].data["reverts"] == change.id
    with pytest.raises(CannotBeReverted, match="undone already"):
        stage.changes(lambda c: c.revert(change.id, reason="again", by="bob", source="console"))


def test_undo_of_the_first_value_empties_the_slot(stage: Stage) -> None:
    change = stage.set("MATCHES_PER_DAY", 9)
    stage.changes(lambda c: c.revert(change.id, reason="no", by="bob", source="console"))
    assert stage.get("MATCHES_PER_DAY") == 3
    assert "value" not in stage.document()["parameters"]["MATCHES_PER_DAY"]


def test_undo_never_overwrites_what_somebody_set_since(stage: Stage) -> None:
    change = stage.set("MATCHES_PER_DAY", 9)
    stage.set("MATCHES_PER_DAY", 4)
    with pytest.raises(CannotBeReverted, match="changed again since"):
        stage.changes(lambda c: c.revert(change.id, reason="no", by="bob", source="console"))
    assert stage.get("MATCHES_PER_DAY") == 4


def test_undo_is_checked_against_todays_bounds(stage: Stage) -> None:
    stage.set("MATCHES_PER_DAY", 9)
    change = stage.set("MATCHES_PER_DAY", 4)
    stage.define({**MATCHES, "maximum": 8})
    with pytest.raises(ChangeInvalid) as refused:
        stage.changes(lambda c: c.revert(change.id, reason="back", by="bob", source="console"))
    assert "from 1 to 8" in told(refused)
    assert stage.get("MATCHES_PER_DAY") == 4


def test_where_approval_is_needed_a_change_waits_and_nobody_approves_their_own(stage: Stage) -> None:
    stage.config(lambda c: c.set_needs_approval("production", True, reason="care", by="alice", source="api"))
    change = stage.set("MATCHES_PER_DAY", 5)
    assert change.state is ChangeState.WAITING_APPROVAL
    assert stage.get("MATCHES_PER_DAY") == 3
    with pytest.raises(OwnChange):
        stage.changes(lambda c: c.approve(change.id, seen=change.content_hash, by="alice", source="api"))
    with pytest.raises(ContentDiffers):
        stage.changes(lambda c: c.approve(change.id, seen="0" * 64, by="bob", source="api"))
    made = stage.changes(lambda c: c.approve(change.id, seen=change.content_hash, by="bob", source="api"))
    assert (made.state, made.decided_by) == (ChangeState.APPLIED, "bob")
    assert stage.get("MATCHES_PER_DAY") == 5
    with pytest.raises(ChangeIsDecided):
        stage.changes(lambda c: c.approve(change.id, seen=change.content_hash, by="bob", source="api"))
    assert stage.kinds()[-4:] == ["environment_changed", "change_proposed", "change_approved", "changed"]


def test_an_approval_of_something_that_moved_meanwhile_is_refused(stage: Stage) -> None:
    waiting = {**MATCHES, "needs_approval": True}
    stage.set("MATCHES_PER_DAY", 4)
    stage.define(waiting)
    change = stage.set("MATCHES_PER_DAY", 5)
    other = stage.set("MATCHES_PER_DAY", 6)
    stage.changes(lambda c: c.approve(other.id, seen=other.content_hash, by="bob", source="api"))
    with pytest.raises(ChangedMeanwhile):
        stage.changes(lambda c: c.approve(change.id, seen=change.content_hash, by="bob", source="api"))
    assert stage.get("MATCHES_PER_DAY") == 6


def test_a_revert_needs_approval_like_any_other_change(stage: Stage) -> None:
    change = stage.set("MATCHES_PER_DAY", 5)
    stage.config(lambda c: c.set_needs_approval("production", True, reason="care", by="alice", source="api"))
    undone = stage.changes(lambda c: c.revert(change.id, reason="no", by="bob", source="console"))
    assert undone.state is ChangeState.WAITING_APPROVAL
    assert stage.get("MATCHES_PER_DAY") == 5


def test_killing_a_flag_waits_for_nobody(stage: Stage) -> None:
    stage.set("ENABLE_VIDEO", {"serve": {"variant": "on"}})
    stage.config(lambda c: c.set_needs_approval("production", True, reason="care", by="alice", source="api"))
    killed = stage.set("ENABLE_VIDEO", {"enabled": False, "serve": {"variant": "on"}})
    assert killed.state is ChangeState.APPLIED
    assert stage.get("ENABLE_VIDEO") is False
    revived = stage.set("ENABLE_VIDEO", {"enabled": True, "serve": {"variant": "on"}})
    assert revived.state is ChangeState.WAITING_APPROVAL


def test_a_scheduled_change_is_in_the_snapshot_and_acts_there_at_its_time_without_the_server(stage: Stage) -> None:
    due = stage.clock.now() + timedelta(hours=1)
    change = stage.set("MATCHES_PER_DAY", 8, due_at=due)
    assert change.state is ChangeState.SCHEDULED
    carried = stage.document()
    assert stage.get("MATCHES_PER_DAY") == 3
    stage.clock.advance(timedelta(hours=1))
    assert stage.get("MATCHES_PER_DAY") == 8, "the server has not made it yet"
    stage.changes(lambda c: c.apply_due(change.id))
    assert stage.get("MATCHES_PER_DAY") == 8
    assert stage.document()["scheduled"] == []
    assert carried["scheduled"][0]["id"] == change.id
    facts = len(stage.facts())
    stage.changes(lambda c: c.apply_due(change.id))
    assert len(stage.facts()) == facts, "a repeated delivery is harmless"


def test_a_cancelled_schedule_is_gone_from_the_snapshot(stage: Stage) -> None:
    change = stage.set("MATCHES_PER_DAY", 8, due_at=stage.clock.now() + timedelta(hours=1))
    stage.changes(lambda c: c.cancel(change.id, reason="not this week", by="bob", source="api"))
    stage.clock.advance(timedelta(hours=2))
    assert stage.get("MATCHES_PER_DAY") == 3
    stage.changes(lambda c: c.apply_due(change.id))
    assert stage.get("MATCHES_PER_DAY") == 3


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(seconds=-1), timedelta(days=400)])
def test_a_schedule_lies_in_the_next_year(stage: Stage, ahead: timedelta) -> None:
    with pytest.raises(ChangeInvalid) as refused:
        stage.set("MATCHES_PER_DAY", 8, due_at=stage.clock.now() + ahead)
    assert "an instant in the future" in told(refused)


def test_a_definition_that_something_set_or_planned_would_not_fit_is_refused_with_which(stage: Stage) -> None:
    stage.set("MATCHES_PER_DAY", 9)
    with pytest.raises(DefinitionInvalid) as refused:
        stage.define({**MATCHES, "maximum": 8})
    assert "the value in production" in told(refused)
    stage.set("MATCHES_PER_DAY", 5)
    stage.set("MATCHES_PER_DAY", 9, due_at=stage.clock.now() + timedelta(hours=1))
    with pytest.raises(DefinitionInvalid) as planned:
        stage.define({**MATCHES, "maximum": 8})
    assert "scheduled" in told(planned)


def test_a_parameter_in_use_stays_and_says_by_what(stage: Stage) -> None:
    stage.set("MATCHES_PER_DAY", 9)
    stage.set("ENABLE_VIDEO", {"prerequisites": [{"key": "ENABLE_COACH", "variants": ["on"]}]})
    with pytest.raises(ParameterInUse, match="1 value or overrides in production"):
        stage.config(lambda c: c.remove("MATCHES_PER_DAY", by="alice", source="api"))
    with pytest.raises(ParameterInUse, match="a prerequisite of ENABLE_VIDEO"):
        stage.config(lambda c: c.remove("ENABLE_COACH", by="alice", source="api"))
    stage.config(lambda c: c.remove("RADIUS_KM", by="alice", source="api"))
    assert "RADIUS_KM" not in stage.document()["parameters"]


def test_prerequisites_never_go_round(stage: Stage) -> None:
    stage.set("ENABLE_VIDEO", {"prerequisites": [{"key": "ENABLE_COACH", "variants": ["on"]}]})
    with pytest.raises(ChangeInvalid) as refused:
        stage.set("ENABLE_COACH", {"prerequisites": [{"key": "ENABLE_VIDEO", "variants": ["on"]}]})
    assert "ENABLE_COACH → ENABLE_VIDEO → ENABLE_COACH" in told(refused) or "→" in told(refused)


def test_a_promotion_brings_what_differs_and_leaves_users_alone(stage: Stage) -> None:
    stage.config(
        lambda c: c.add_environment(
            "staging", copy_from=None, needs_approval=False, reason="", by="alice", source="api"
        )
    )
    stage.set("MATCHES_PER_DAY", 5, environment="staging")
    stage.set("RADIUS_KM", 20, "user:u1", environment="staging")
    made = stage.changes(lambda c: c.promote("staging", "production", None, reason="tested", by="alice", source="api"))
    assert [step.key for step in made.steps] == ["MATCHES_PER_DAY"]
    assert stage.get("MATCHES_PER_DAY") == 5
    assert stage.get("RADIUS_KM", "u1") == 50.0
    with pytest.raises(NothingChanges):
        stage.changes(lambda c: c.promote("staging", "production", None, reason="again", by="alice", source="api"))


def test_refusals_leave_no_trace(stage: Stage) -> None:
    before = stage.facts()
    for value in (99, "x", None):
        with pytest.raises(Refusal):
            stage.set("MATCHES_PER_DAY", value)
    assert stage.facts() == before


def test_the_salt_of_a_flag_stays_whatever_is_said_of_it(stage: Stage) -> None:
    salt = stage.document()["parameters"]["ENABLE_COACH"]["salt"]
    stage.define({**COACH, "description": "A coach."})
    assert stage.document()["parameters"]["ENABLE_COACH"]["salt"] == salt


def test_a_flag_stays_a_flag(stage: Stage) -> None:
    with pytest.raises(DefinitionInvalid):
        stage.config(
            lambda c: c.define(
                Definition.of({"key": "ENABLE_VIDEO", "type": "boolean"}), managed_by="people", by="alice", source="api"
            )
        )


def test_only_a_flag_is_killed_past_the_second_person(stage: Stage) -> None:
    stage.define({"key": "GATEWAY", "type": "json", "default": {"enabled": True}})
    stage.config(lambda c: c.set_needs_approval("production", True, reason="care", by="alice", source="api"))
    assert stage.set("GATEWAY", {"enabled": False}).state is ChangeState.WAITING_APPROVAL
    assert stage.get("GATEWAY") == {"enabled": True}


def test_a_bound_of_nothing_is_a_bound(stage: Stage) -> None:
    for kind, zero, below in (("integer", 0, -1), ("float", 0.0, -0.5)):
        stage.define({"key": f"LEAST_{kind}", "type": kind, "default": 1, "minimum": zero})
        stage.define({"key": f"MOST_{kind}", "type": kind, "default": -1, "maximum": zero})
        for key, wrong in ((f"LEAST_{kind}", below), (f"MOST_{kind}", -below)):
            with pytest.raises(ChangeInvalid):
                stage.set(key, wrong)
            stage.set(key, zero)
