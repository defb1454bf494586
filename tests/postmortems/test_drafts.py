"""A postmortem is drafted from the record when an incident is over."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.incidents.support import ID
from tests.postmortems.support import BY, Stage, actor
from tests.runbooks.support import block, text_of
from tests.slo.support import slo
from watchkeeper.kernel.errors import PreconditionFailed
from watchkeeper.kernel.ids import new_id
from watchkeeper.modules.incidents.model import Role, Severity, Status
from watchkeeper.modules.incidents.public import LinkKind
from watchkeeper.modules.incidents.service import Incidents
from watchkeeper.modules.postmortems import store
from watchkeeper.modules.postmortems.errors import PostmortemInvalid, PostmortemNotNeeded, StateRefused
from watchkeeper.modules.postmortems.model import LONGEST_SECTION, Cause, Section, State
from watchkeeper.modules.postmortems.public import postmortem_of
from watchkeeper.modules.postmortems.watching import OwedWatch
from watchkeeper.modules.runbooks import store_runs
from watchkeeper.modules.runbooks.model import State as RunState
from watchkeeper.modules.runbooks.model import WaitsFor
from watchkeeper.modules.runbooks.reading import content_of
from watchkeeper.modules.runbooks.runs import Run, RunStep
from watchkeeper.modules.slo.service import Slos


@pytest.mark.parametrize(("severity", "hours"), [("SEV-1", 24), ("SEV-2", 48)])
def test_the_end_of_a_bad_incident_makes_a_draft_with_its_hour(stage: Stage, severity: str, hours: int) -> None:
    over = stage.incident(severity)
    one = stage.postmortem(over)
    assert over.resolved_at is not None
    assert (one.state, one.due_at) == (State.DRAFT, over.resolved_at + timedelta(hours=hours))
    assert stage.kinds() == ["drafted"]


def test_the_end_told_twice_makes_one_draft(stage: Stage) -> None:
    stage.incident()
    before = stage.postmortem()
    stage.again("postmortems.draft")
    assert stage.postmortem() == before
    assert stage.kinds() == ["drafted"]


def test_a_small_incident_gets_one_when_somebody_wants_it_and_the_smallest_never(stage: Stage) -> None:
    small, smallest = stage.incident("SEV-3"), stage.incident("SEV-4", title="A typo")
    assert stage.kinds() == []
    now = stage.clock.now()
    story = stage.ask(lambda session: stage.gatherer.story(session, small.id, now))
    assert stage.do(lambda verbs: verbs.draft(story, **BY)).due_at is None
    story = stage.ask(lambda session: stage.gatherer.story(session, smallest.id, now))
    with pytest.raises(PostmortemNotNeeded):
        stage.do(lambda verbs: verbs.draft(story, **BY))


def test_a_drill_is_marked_and_never_owed(stage: Stage) -> None:
    stage.incident(drill=True)
    one = stage.postmortem()
    assert (one.drill, one.due_at) == (True, None)
    assert "This was a drill" in stage.text(one, Section.SUMMARY)
    stage.said = {"draft_drills": False}
    other = stage.incident(drill=True, title="Another drill")
    assert stage.ask(lambda session: postmortem_of(session, other.id)) is None


def test_the_draft_tells_what_is_known(stage: Stage) -> None:
    stage.incidents.fire("disk", service="shop")
    group = stage.incidents.group()
    assert group is not None
    stage.clock.advance(timedelta(minutes=4))
    made = (
        stage.incidents.only()
        if stage.incidents.all()
        else stage.incidents.open("Checkout is down", severity=Severity.SEV1, services=("shop",), groups=(group.id,))
    )
    stage.incidents.do(lambda verbs: verbs.assign(made.id, Role.COMMANDER, ID["ben"], by=ID["ben"], source="test"))
    stage.incidents.do(lambda verbs: verbs.decide(made.id, "Roll back the release", by=ID["ben"], source="test"))
    stage.incidents.do(lambda verbs: verbs.note(made.id, "The pool is full", by=ID["ann"], source="test"))
    stage.incidents.do(lambda verbs: verbs.change_status(made.id, Status.IDENTIFIED, by=ID["ben"], source="test"))
    stage.incidents.do(
        lambda verbs: verbs.post_update(made.id, "We are on it", public=True, by=ID["ben"], source="test")
    )
    stage.clock.advance(timedelta(minutes=20))
    stage.incidents.settle("disk", service="shop")
    if stage.incidents.now_is(made).resolved_at is None:
        stage.incidents.do(lambda verbs: verbs.resolve(made.id, reason="rolled back", by=ID["ben"], source="test"))
    stage.hear()
    one = stage.postmortem()
    assert one.lead == ID["ben"]
    assert one.measures.detected_by == "alert"
    assert "disk is bad" in stage.text(one, Section.DETECTION)
    assert "commander Ben" in stage.text(one, Section.SUMMARY)
    lines = "\n".join(stage.moments(one))
    assert "Ben: Roll back the release" in lines
    assert "Ann: The pool is full" in lines
    assert "public update (identified): We are on it" in lines


def test_what_it_took_of_the_error_budget_is_in_the_draft(stage: Stage) -> None:
    with stage.database.begin() as session:
        Slos(session, stage.clock).put(slo(service="shop"), by="alice", source="api")
    began = int(stage.clock.now().timestamp())
    stage.tape.by_slo["api"] = lambda minute: (90.0, 100.0) if minute >= began else (100.0, 100.0)
    stage.engine.run_once()
    made = stage.incidents.open("Checkout is down", severity=Severity.SEV1, services=("shop",))
    stage.clock.advance(timedelta(minutes=30))
    stage.engine.run_once()
    stage.incidents.do(lambda verbs: verbs.resolve(made.id, reason="over", **BY))
    stage.hear()
    one = stage.postmortem()
    [spent] = one.budgets
    # 300 bad events, of 0.1 % of 100 a minute over 30 days: 4,320 may be bad.
    assert (spent.slo, spent.bad) == ("api", pytest.approx(300))
    assert spent.share == pytest.approx(300 / 4320, rel=0.05)
    assert "| api" in stage.text(one, Section.IMPACT)


def test_the_suspects_are_named_and_which_of_them_was_undone(stage: Stage) -> None:
    at = stage.clock.now()
    stage.suspects = lambda _session, _incident: (
        Cause("shop.pool_size was changed from 20 to 2", at, "shop", 0.9, ("11 s before",), True),
        Cause("Release 41 runs.", at - timedelta(minutes=9), "shop", 0.4),
    )
    stage.clock.advance(timedelta(seconds=11))
    stage.incident()
    one = stage.postmortem()
    causes = stage.text(one, Section.CAUSES)
    assert "shop.pool_size was changed from 20 to 2, under a minute before" in causes
    assert "the change that was undone" in causes
    assert "Release 41 runs on shop, 9 min before" in causes
    assert "could be undone" in stage.text(one, Section.HELPED)


def test_without_suspects_and_objectives_the_draft_asks_in_place_of_making_up(stage: Stage) -> None:
    stage.incident()
    one = stage.postmortem()
    assert "What made it possible" in stage.text(one, Section.CAUSES)
    assert "not known" in stage.text(one, Section.IMPACT)
    assert "by hand" in stage.text(one, Section.DETECTION)


def test_an_incident_that_comes_back_is_read_again_and_keeps_what_people_wrote(stage: Stage) -> None:
    over = stage.incident()
    one = stage.postmortem()
    stage.do(lambda verbs: verbs.edit(one.id, Section.SUMMARY, "Mine.", version=1, **BY))
    stage.incidents.do(lambda verbs: verbs.reopen(over.id, reason="it is back", **BY))
    stage.hear()
    assert stage.postmortem().due_at is None
    stage.clock.advance(timedelta(hours=2))
    stage.incidents.do(lambda verbs: verbs.resolve(over.id, reason="now really", **BY))
    stage.hear()
    again = stage.postmortem()
    assert stage.text(one, Section.SUMMARY) == "Mine."
    assert again.due_at == stage.clock.now() + timedelta(hours=24)
    assert "2 h 30 min" in stage.text(one, Section.DETECTION)


def test_two_people_never_overwrite_each_other(stage: Stage) -> None:
    stage.incident()
    one = stage.postmortem()
    stage.do(lambda verbs: verbs.edit(one.id, Section.IMPACT, "Ann's.", version=1, **BY))
    with pytest.raises(PreconditionFailed):
        stage.do(lambda verbs: verbs.edit(one.id, Section.IMPACT, "Ben's.", version=1, by=ID["ben"], source="test"))
    assert stage.text(one, Section.IMPACT) == "Ann's."
    # Another section is nobody's conflict.
    stage.do(lambda verbs: verbs.edit(one.id, Section.HELPED, "Ben's.", version=1, by=ID["ben"], source="test"))


def test_a_text_that_is_too_long_is_refused_with_the_limit(stage: Stage) -> None:
    stage.incident()
    one = stage.postmortem()
    with pytest.raises(PostmortemInvalid) as refused:
        stage.do(lambda verbs: verbs.edit(one.id, Section.IMPACT, "x" * (LONGEST_SECTION + 1), version=1, **BY))
    assert "50,000" in refused.value.complaints[0].expected


def test_a_review_is_of_what_was_read(stage: Stage) -> None:
    stage.incident()
    one = stage.postmortem()
    with pytest.raises(StateRefused):
        stage.do(lambda verbs: verbs.review(one.id, by=ID["ben"], source="test"))
    stage.do(lambda verbs: verbs.move(one.id, State.IN_REVIEW, **BY))
    with pytest.raises(StateRefused):
        stage.do(lambda verbs: verbs.move(one.id, State.REVIEWED, **BY))
    stage.do(lambda verbs: verbs.review(one.id, by=ID["ben"], source="test"))
    stage.do(lambda verbs: verbs.edit(one.id, Section.IMPACT, "Changed after Ben read it.", version=1, **BY))
    with pytest.raises(StateRefused, match="before its last change"):
        stage.do(lambda verbs: verbs.move(one.id, State.REVIEWED, **BY))
    stage.do(lambda verbs: verbs.review(one.id, by=ID["ben"], source="test"))
    assert stage.do(lambda verbs: verbs.move(one.id, State.REVIEWED, **BY)).state is State.REVIEWED
    assert stage.do(lambda verbs: verbs.move(one.id, State.PUBLISHED, **BY)).state is State.PUBLISHED
    stage.do(lambda verbs: verbs.edit(one.id, Section.IMPACT, "And again.", version=2, **BY))
    assert stage.postmortem().state is State.IN_REVIEW


def test_a_draft_is_overdue_until_it_is_sent_into_review(stage: Stage) -> None:
    stage.can_be_reached("ann")
    stage.incident()
    one = stage.postmortem()
    stage.work_off("postmortems.due", until=timedelta(hours=25))
    assert stage.postmortem().is_overdue(stage.clock.now())
    assert stage.kinds().count("overdue") == 1
    stage.do(lambda verbs: verbs.move(one.id, State.IN_REVIEW, **BY))
    assert not stage.postmortem().is_overdue(stage.clock.now())


def test_what_is_owed_stands_beside_the_page_s_name_and_the_worst_above_every_page(stage: Stage) -> None:
    stage.incident()
    one = stage.postmortem()
    stage.action(one, due_on=stage.clock.now().date())
    watch = OwedWatch(stage.database, stage.clock)
    stage.ask(watch.look)
    assert (watch.badges(actor("vic")), watch.banners(actor("vic"))) == ({}, [])
    stage.clock.advance(timedelta(hours=25))
    stage.ask(watch.look)
    assert watch.badges(actor("vic"))["/postmortems"].count == 2
    [banner] = watch.banners(actor("vic"))
    assert (one.name in banner.text, banner.href) == (True, f"/postmortems/{one.id}")
    stage.do(lambda verbs: verbs.move(one.id, State.IN_REVIEW, **BY))
    stage.ask(watch.look)
    assert watch.badges(actor("vic"))["/postmortems"].count == 1
    assert watch.banners(actor("vic")) == []


def test_a_draft_that_was_sent_in_time_is_told_to_nobody(stage: Stage) -> None:
    stage.incident()
    one = stage.postmortem()
    stage.do(lambda verbs: verbs.move(one.id, State.IN_REVIEW, **BY))
    stage.work_off("postmortems.due", until=timedelta(hours=48))
    assert "overdue" not in stage.kinds()


def test_themes_are_one_whatever_their_spelling(stage: Stage) -> None:
    stage.incident()
    one = stage.postmortem()
    changed = stage.do(
        lambda verbs: verbs.set_about(one.id, themes=["Expired Certificate", "expired-certificate"], **BY)
    )
    assert changed.themes == ("expired-certificate",)


def test_a_line_of_the_timeline_is_added_pinned_and_hidden(stage: Stage) -> None:
    stage.incident()
    one = stage.postmortem()
    made = stage.do(lambda verbs: verbs.add_moment(one.id, stage.clock.now(), "The  phone\nrang", **BY))
    assert made.text == "The phone rang"
    hidden = stage.do(lambda verbs: verbs.mark_moment(one.id, made.id, hidden=True, **BY))
    assert hidden.hidden
    with pytest.raises(PostmortemInvalid):
        stage.do(lambda verbs: verbs.add_moment(one.id, stage.clock.now() + timedelta(days=1), "To come", **BY))


def test_another_incident_of_the_service_is_a_detail(stage: Stage) -> None:
    stage.incident(title="Payments are slow")
    one = stage.postmortem(stage.incident(title="Checkout is down"))
    moments = stage.ask(lambda session: store.moments_of(session, one.id))
    opened = {each.text: each.first_class for each in moments if "opened" in each.text}
    assert opened == {text: "Checkout is down" in text for text in opened}
    assert set(opened.values()) == {True, False}


def test_a_runbook_that_was_only_rehearsed_did_not_help(stage: Stage) -> None:
    made = stage.incidents.open("Checkout is down", services=("shop",), severity=Severity.SEV1)
    for title, dry_run in (("The release before", False), ("A rehearsal", True)):
        run = _run(title, stage.clock.now(), dry_run=dry_run)

        def linked(verbs: Incidents, run: Run = run) -> None:
            store_runs.add(verbs.session, run)
            verbs.link(made.id, LinkKind.RUNBOOK_RUN, run.id, **BY)

        stage.incidents.do(linked)
    stage.incidents.do(lambda verbs: verbs.resolve(made.id, reason="over", **BY))
    stage.hear()
    helped = stage.text(stage.postmortem(), Section.HELPED)
    assert "was run: The release before" in helped
    assert "A rehearsal" not in helped


def _run(title: str, at: datetime, *, dry_run: bool) -> Run:
    (step,) = content_of("shop", text_of(block("echo a", "run=shell id=a confirm=none"))).steps
    return Run(
        id=new_id("run"),
        runbook="shop",
        title=title,
        service="shop",
        revision="0" * 64,
        text="",
        state=RunState.SUCCEEDED,
        inputs={},
        dry_run=dry_run,
        about=None,
        started_by="per_a",
        source="test",
        reason="",
        undoes=None,
        cancelled_by=None,
        started_at=at,
        finished_at=at,
        steps=(RunStep(number=1, step=step, state=RunState.SUCCEEDED, waits_for=WaitsFor.RUNNER),),
    )
