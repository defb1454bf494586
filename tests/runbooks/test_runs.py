"""Runs of steps: who confirms what, what follows, and what a lost runner leaves behind."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from tests.conftest import NOON
from tests.runbooks.support import Stage, block, text_of
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database, open_database
from watchkeeper.kernel.errors import Forbidden
from watchkeeper.kernel.journal import FactFilter, read_facts
from watchkeeper.modules.identity.control import LOCAL
from watchkeeper.modules.runbooks.errors import (
    InputsInvalid,
    LeaseIsGone,
    NotApproved,
    RevisionDiffers,
    RunIsOver,
    SecondPersonNeeded,
    StepIsElsewhere,
)
from watchkeeper.modules.runbooks.leasing import Lease, Leases
from watchkeeper.modules.runbooks.model import MOST_ATTEMPTS, State, WaitsFor
from watchkeeper.modules.runbooks.service import Runbooks

NONE = block("echo a", "run=shell id=a confirm=none")
AGAIN = block("echo a", "run=shell id=a confirm=none repeatable")
LAMP = block("watts: 60", "run=light id=lamp confirm=confirm", "yaml")
RELEASE = "inputs: [{name: release, type: choice, choices: [v1, v2]}, {name: count, type: integer, default: 2}]\n"


def test_only_a_revision_that_was_signed_off_runs(stage: Stage) -> None:
    content = stage.keep(text_of(NONE), approve=False)
    with pytest.raises(NotApproved):
        stage.start()
    assert stage.start(dry_run=True).state is State.SUCCEEDED
    stage.keep(text_of(NONE))
    assert stage.start().state is State.RUNNING
    stage.keep(text_of(NONE + "More.\n"), approve=False)
    with pytest.raises(NotApproved):
        stage.start()
    with pytest.raises(RevisionDiffers), stage.database.begin() as session:
        Runbooks(session, stage.clock).approve("shop", content.revision, by=LOCAL, source="cli")


def test_a_run_keeps_its_steps_whatever_becomes_of_the_file(stage: Stage) -> None:
    first = stage.keep(text_of(NONE))
    run = stage.start()
    stage.keep(text_of(block("rm -rf /", "run=shell id=a confirm=none")))
    assert stage.run(run).steps[0].step.body == "echo a\n"
    assert stage.must_claim().revision == first.revision


def test_steps_go_one_after_the_other_and_each_asks_for_its_confirmation(stage: Stage) -> None:
    stage.keep(text_of(LAMP + "- [ ] Look\n\n" + NONE))
    run = stage.start(by=stage.bob)
    assert [one.waits_for for one in run.steps] == [WaitsFor.CONFIRMATION, WaitsFor.TURN, WaitsFor.TURN]
    with pytest.raises(StepIsElsewhere):
        stage.do("check", run, "check-look")
    run = stage.do("confirm", run, "lamp", by=stage.alice)
    assert run.steps[0].state is State.SUCCEEDED
    assert run.steps[0].output == "60 watts\n/lamps"
    assert stage.lamp.asked == [(stage.alice, 60)]
    assert stage.claim() is None
    run = stage.do("check", run, 2)
    lease = stage.must_claim()
    stage.begin(lease)
    stage.finish(lease, output="a\n", output_bytes=2, exit_code=0)
    assert stage.run(run).state is State.SUCCEEDED
    assert stage.sentences()[-3:] == [
        "The step Rollback of the runbook shop begins on r1.",
        "The step Rollback of the runbook shop succeeded.",
        "The run of the runbook shop succeeded.",
    ]


def test_an_action_has_the_permissions_of_whoever_confirmed_it(stage: Stage) -> None:
    stage.keep(text_of(LAMP))
    run = stage.do("confirm", stage.start(by=stage.alice), "lamp", by=stage.bob)
    assert run.state is State.FAILED
    assert "lacks the scope 'write'" in run.steps[0].detail
    assert stage.lamp.asked == []
    for verb in (stage.start, lambda **said: stage.do("confirm", stage.start(), "lamp", **said)):
        with pytest.raises(Forbidden):
            verb(by=stage.charlie)


def test_a_second_person_is_somebody_else_in_person(stage: Stage) -> None:
    stage.keep(text_of(block("watts: 60", "run=light id=lamp confirm=second", "yaml")))
    run = stage.start(by=stage.bob)
    for who in (stage.bob, "local"):
        with pytest.raises(SecondPersonNeeded):
            stage.do("confirm", run, "lamp", by=who)
    assert stage.do("confirm", run, "lamp", by=stage.alice).state is State.SUCCEEDED


def test_an_action_that_refuses_leaves_nothing_and_the_rest_is_not_carried_out(stage: Stage) -> None:
    stage.keep(text_of(block("watts: broken", "run=light id=lamp confirm=none", "yaml") + NONE))
    run = stage.start()
    assert run.state is State.FAILED
    assert run.steps[0].detail == "The lamp is broken."
    assert stage.states(run) == ["failed", "cancelled"]
    assert stage.claim() is None


def test_an_action_is_told_what_it_needs(stage: Stage) -> None:
    stage.keep(text_of(block("volts: 3", "run=light id=lamp confirm=none", "yaml")))
    assert stage.start().steps[0].detail == (
        "The step does not say what its action needs.; watts: expected a number; volts: expected one of reason, watts"
    )


def test_what_an_action_did_is_taken_back_by_what_it_knows(stage: Stage) -> None:
    stage.keep(text_of(LAMP))
    run = stage.do("confirm", stage.start(), "lamp")
    undoing = stage.do("undo", run, "lamp")
    assert undoing.undoes == (run.id, "lamp")
    assert undoing.steps[0].waits_for is WaitsFor.CONFIRMATION
    assert stage.do("confirm", undoing, 1).state is State.SUCCEEDED
    assert [watts for _, watts in stage.lamp.asked] == [60, 0]
    with pytest.raises(StepIsElsewhere):
        stage.do("undo", stage.start(), "lamp")


def test_a_step_is_undone_by_the_step_that_its_file_names(stage: Stage) -> None:
    back = block("echo $WK_RELEASE", "run=shell id=back confirm=none undo=forth")
    stage.keep(text_of(back + block("echo forth $WK_RELEASE", "run=shell id=forth confirm=none"), RELEASE))
    run = stage.start(inputs={"release": "v1"})
    assert [one.step.key for one in run.steps] == ["back"]
    lease = stage.must_claim()
    stage.begin(lease)
    stage.finish(lease, State.FAILED, exit_code=1)
    undoing = stage.do("undo", run, "back", inputs={"release": "v2"})
    assert [one.step.key for one in undoing.steps] == ["forth"]
    assert stage.must_claim().inputs == {"release": "v2"}


def test_inputs_are_checked_before_anything_begins(stage: Stage) -> None:
    stage.keep(text_of(block("echo $WK_RELEASE $WK_COUNT", "run=shell id=a confirm=none"), RELEASE))
    for inputs, where in (
        ({}, ["release"]),
        ({"release": "v3"}, ["release"]),
        ({"release": "v1", "count": "many", "size": 1}, ["size", "count"]),
    ):
        with pytest.raises(InputsInvalid) as refused:
            stage.start(inputs=inputs)
        assert [one.where for one in refused.value.complaints] == where
    assert stage.start(inputs={"release": "v1", "count": "7"}).inputs == {"release": "v1", "count": 7}
    (fact,) = stage.facts("runbooks.run_started")
    assert fact.data["inputs"] == ["release", "count"]
    assert re.search(r"\bv1\b", str(fact.data)) is None


def test_a_rehearsal_shows_what_would_be_done_and_does_nothing(stage: Stage) -> None:
    stage.keep(text_of(LAMP + NONE))
    run = stage.start(dry_run=True)
    assert stage.states(run) == ["skipped", "skipped"]
    assert run.steps[1].output == "echo a\n"
    assert stage.lamp.asked == []
    assert stage.claim() is None
    with stage.database.read() as session:
        held = Runbooks(session, stage.clock).runbook("shop")
    assert held.rehearsed_at == stage.clock.now()
    assert held.ran_at is None


def test_a_run_that_is_stopped_begins_nothing_more_and_its_runner_is_told(stage: Stage) -> None:
    stage.keep(text_of(NONE + LAMP))
    run = stage.start()
    lease = stage.must_claim()
    stage.begin(lease)
    assert stage.progress(lease, "so far") is False
    assert stage.do("cancel", run).state is State.RUNNING
    assert stage.progress(lease, "so far") is True
    stage.finish(lease, State.CANCELLED, output="so far", output_bytes=6)
    assert stage.run(run).state is State.CANCELLED
    assert stage.states(run) == ["cancelled", "cancelled"]
    with pytest.raises(RunIsOver):
        stage.do("cancel", run)


def test_a_run_that_is_stopped_before_its_runner_began_never_begins(stage: Stage) -> None:
    stage.keep(text_of(NONE))
    run = stage.start()
    lease = stage.must_claim()
    assert stage.do("cancel", run).state is State.CANCELLED
    with pytest.raises(LeaseIsGone):
        stage.begin(lease)


def test_a_runner_that_is_lost_before_it_began_leaves_the_step_to_another(stage: Stage) -> None:
    stage.keep(text_of(NONE))
    run = stage.start()
    lost = stage.must_claim("r1")
    assert stage.claim("r2") is None
    stage.clock.advance(timedelta(seconds=31))
    found = stage.must_claim("r2")
    with pytest.raises(LeaseIsGone):
        stage.begin(lost)
    stage.begin(found)
    stage.finish(found)
    assert stage.run(run).steps[0].attempts == 1


def test_a_runner_that_is_lost_while_it_ran_leaves_a_step_that_nobody_repeats(stage: Stage) -> None:
    stage.keep(text_of(NONE))
    run = stage.start()
    lease = stage.must_claim()
    stage.begin(lease)
    stage.clock.advance(timedelta(seconds=29))
    stage.progress(lease, "half")
    stage.clock.advance(timedelta(seconds=29))
    assert stage.sweep() == 0
    stage.clock.advance(timedelta(seconds=2))
    assert stage.sweep() == 1
    assert stage.run(run).state is State.UNKNOWN
    assert stage.claim() is None
    # Its runner was only cut off: what it says is kept, and changes nothing.
    stage.finish(lease, output="whole", output_bytes=5, exit_code=0)
    one = stage.run(run).steps[0]
    assert (one.state, one.output) == (State.UNKNOWN, "whole")
    assert one.detail.startswith("later: its runner says succeeded")


def test_a_step_that_may_be_repeated_is_given_to_others_but_not_for_ever(stage: Stage) -> None:
    stage.keep(text_of(AGAIN))
    run = stage.start()
    for _ in range(MOST_ATTEMPTS):
        lease = stage.must_claim()
        stage.begin(lease)
        stage.clock.advance(timedelta(seconds=31))
        stage.sweep()
        with pytest.raises(LeaseIsGone):
            stage.progress(lease)
    assert stage.run(run).state is State.UNKNOWN
    assert stage.run(run).steps[0].attempts == MOST_ATTEMPTS


def test_a_report_that_comes_twice_counts_once(stage: Stage) -> None:
    stage.keep(text_of(NONE))
    run = stage.start()
    lease = stage.must_claim()
    stage.begin(lease)
    stage.begin(lease)
    stage.finish(lease, State.FAILED, exit_code=3, detail="it said no")
    stage.finish(lease, State.SUCCEEDED)
    assert stage.run(run).state is State.FAILED
    assert len(stage.facts("runbooks.step_started")) == 1
    assert len(stage.facts("runbooks.step_finished")) == 1


def test_secrets_and_what_is_too_much_are_not_kept(stage: Stage) -> None:
    stage.keep(text_of(NONE))
    run = stage.start()
    lease = stage.must_claim()
    stage.begin(lease)
    stage.finish(lease, output="Bearer abcdefghijkl\0" + "x" * 1_000_000, output_bytes=1_000_020, exit_code=0)
    one = stage.run(run).steps[0]
    assert "abcdefghijkl" not in one.output
    assert len(one.output) == lease.output_bytes
    assert one.output_bytes == 1_000_020


@pytest.fixture(scope="module")
def held(migrated_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One database for many runs."""
    folder = tmp_path_factory.mktemp("held") / "data"
    shutil.copytree(migrated_folder, folder)
    opened = open_database(None, folder)
    yield opened
    opened.close()


MOVES = ("claim", "begin", "progress", "finish", "die", "sweep")
# Two servers on one database, the clock of the second an hour apart, either way.
SKEWS = (timedelta(0), timedelta(hours=1), timedelta(hours=-1))


@given(
    moves=st.lists(st.tuples(st.sampled_from(MOVES), st.booleans(), st.booleans()), max_size=14),
    repeatable=st.booleans(),
    skew=st.sampled_from(SKEWS),
)
@settings(deadline=None, max_examples=80)
def test_whatever_runners_and_servers_do_and_when_they_die_a_step_begins_once_and_is_never_forgotten(
    held: Database, moves: list[tuple[str, bool, bool]], repeatable: bool, skew: timedelta
) -> None:
    stages = (Stage(held, ManualClock(NOON)), Stage(held, ManualClock(NOON + skew)))
    stage = stages[0]
    stage.keep(text_of(AGAIN if repeatable else NONE))
    run = stage.start(by="local")
    leases: dict[bool, Lease | None] = {}
    for move, second_server, second_runner in moves:
        with contextlib.suppress(LeaseIsGone):
            if move == "die":
                for each in stages:
                    each.clock.advance(timedelta(seconds=31))
            else:
                leases[second_runner] = _moved(stages[second_server], leases.get(second_runner), move)
    with held.read() as session:
        about = FactFilter(kinds=("runbooks.step_started",), subjects=(run.id,))
        begun = len(read_facts(session, about, limit=50))
    assert begun <= (MOST_ATTEMPTS if repeatable else 1)
    # However it stands, time alone brings it to an end, or back to where a runner finds it.
    for each in stages:
        each.clock.advance(2 * abs(skew) + timedelta(seconds=31))
        each.sweep()
    one = stage.run(run).steps[0]
    assert one.state.is_over or (one.waits_for is WaitsFor.RUNNER and one.lease_until is None)
    if not one.state.is_over:
        stage.do("cancel", run, by="local")


def test_by_the_databases_clock_a_server_whose_own_is_ahead_takes_no_runner_for_lost(stage: Stage) -> None:
    """As servers do it: the clocks of tests stand still, that of a database does not."""
    stage.keep(text_of(NONE))
    run = stage.start()
    ahead = ManualClock(NOON + timedelta(days=3_650))

    def leases(session: Session, clock: ManualClock) -> Leases:
        return Leases(session, clock, stage.actions, stage.settings, stage.database.database_now)

    with stage.database.begin() as session:
        lease = leases(session, stage.clock).claim("r1", by="tok_runner")
        assert lease is not None
        leases(session, stage.clock).begin(lease.run, lease.number, lease.token)
    with stage.database.begin() as session:
        assert leases(session, ahead).sweep() == 0
        assert leases(session, ahead).anything() is False
    assert stage.states(run) == ["running"]


def test_of_runners_that_ask_at_once_one_gets_the_step(stage: Stage) -> None:
    stage.keep(text_of(NONE))
    stage.start()
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(stage.claim, [f"r{number}" for number in range(6)]))
    assert sum(one is not None for one in found) == 1


def _moved(stage: Stage, lease: Lease | None, move: str) -> Lease | None:
    """What a runner holds after one move of it or of a server."""
    if move == "claim":
        return stage.claim() or lease
    if move == "sweep":
        stage.sweep()
    elif lease is not None:
        {"begin": stage.begin, "progress": stage.progress, "finish": stage.finish}[move](lease)
    return lease
