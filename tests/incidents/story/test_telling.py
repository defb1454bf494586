"""What an incident's story tells: what happened, since when, and which change may be to blame."""

from __future__ import annotations

from datetime import timedelta

from tests.incidents.story.support import Stage
from tests.incidents.support import by
from tests.kernel.web.support import bearer
from watchkeeper.modules.config.service import Config
from watchkeeper.modules.incidents.drill import Scenario, play
from watchkeeper.modules.incidents.model import Severity
from watchkeeper.modules.incidents.story.model import OnsetFrom, UndoKind, rollback_steps
from watchkeeper.modules.runbooks.reading import content_of
from watchkeeper_client.rules import Definition as Parameter

ROLLBACK = """\
---
title: "Shop"
service: shop
owners: [team-shop]
---

# Shop

## Rolling back a release

```sh {run=shell id=previous confirm=confirm}
./release previous
```

## When it is slow

```sh {run=shell id=restart confirm=confirm}
./restart
```
"""


def test_the_change_that_broke_it_is_named_with_what_was_before_and_its_undo(stage: Stage) -> None:
    stage.parameter()
    stage.after(60)
    change = stage.set(1)
    stage.after(3)
    one = stage.burst()
    story = stage.story(one)
    (suspect,) = story.suspects
    assert (suspect.before, suspect.after) == ({"WORKERS": "8"}, {"WORKERS": "1"}) or suspect.after == {"WORKERS": "1"}
    assert "3 min before it began" in suspect.why
    assert suspect.undo is not None
    assert (suspect.undo.kind, suspect.undo.target) == (UndoKind.REVERT_CHANGE, change.id)
    assert story.onset.known_from is OnsetFrom.SYMPTOM
    assert story.onset.at == one.started_at


def test_it_begins_half_an_hour_before_the_first_symptom_and_tells_what_it_calls_too(stage: Stage) -> None:
    stage.deployed(summary="too early")
    stage.after(40)
    stage.deployed("db", "the database")
    stage.deployed("other", "somebody else")
    stage.after(10)
    one = stage.burst()
    stage.do(lambda verbs: verbs.note(one.id, "I look at the database", **by("ben")))
    told = [line.text for line in stage.story(one).lines]
    assert not any("too early" in text or "somebody else" in text for text in told)
    assert told[0].startswith("the database")
    assert any("I look at the database" in text for text in told)
    ats = [line.fact.seq for line in stage.story(one).lines]
    assert ats == sorted(ats)


def test_when_a_dependency_fails_too_its_change_is_named_before_a_newer_one_of_the_service(stage: Stage) -> None:
    stage.after(60)
    stage.deployed("db", "Database upgraded")
    stage.after(5)
    stage.deployed("shop", "Shop deployed")
    stage.after(4)
    stage.fire("db", service="db")
    one = stage.burst()
    story = stage.story(one)
    assert story.onset.failing >= {"db"}
    assert [suspect.text for suspect in story.changes] == ["Database upgraded (ci).", "Shop deployed (ci)."]
    assert [suspect.is_suspect for suspect in story.changes] == [True, False]


def test_without_a_change_nothing_is_to_blame(stage: Stage) -> None:
    stage.after(60)
    one = stage.burst()
    assert stage.story(one).suspects == ()
    stage.after(1)
    stage.deployed(summary="after the fact")
    assert stage.story(one).suspects == ()


def test_a_deployment_can_be_rolled_back_by_the_runbook_of_its_service(stage: Stage) -> None:
    stage.after(60)
    stage.deployed()
    stage.after(2)
    one = stage.burst()
    (suspect,) = stage.story(one).suspects
    assert suspect.undo is None
    stage.keep(ROLLBACK)
    (suspect,) = stage.story(one).suspects
    assert suspect.undo is not None
    assert (suspect.undo.kind, suspect.undo.target, suspect.undo.steps) == (
        UndoKind.RUN_RUNBOOK,
        "shop",
        ("previous",),
    )


def test_a_heading_says_which_steps_roll_back_and_a_runbook_without_one_has_none() -> None:
    assert rollback_steps(content_of("shop", ROLLBACK)) == ("previous",)
    assert rollback_steps(content_of("shop", ROLLBACK.replace("Rolling back a release", "Releases"))) == ()


def test_what_a_person_does_first_by_hand_is_no_part_of_rolling_back_at_once() -> None:
    first = "## Rolling back a release\n\n- [ ] Say what you are about to do\n"
    after = "previous\n```\n\n- [ ] Look at the errors\n"
    text = ROLLBACK.replace("## Rolling back a release\n", first).replace("previous\n```\n", after)
    machine, hand = rollback_steps(content_of("shop", text))
    assert (machine, hand.startswith("check-look")) == ("previous", True)


def test_a_silence_that_goes_on_can_be_ended_from_the_story(stage: Stage) -> None:
    stage.after(60)
    now = stage.clock.now()
    with stage.database.begin() as session:
        stage.alerting.silence(
            session,
            ["service=shop"],
            ends_at=now + timedelta(hours=1),
            reason="work",
            by="per_olga",
            at=now,
            source="test",
        )
    stage.after(1)
    one = stage.open(services=["shop"])
    (line,) = (line for line in stage.story(one).lines if line.fact.kind == "alerts.silence_made")
    assert line.undo is not None
    assert line.undo.kind is UndoKind.END_SILENCE
    stage.after(90)
    assert all(line.undo is None for line in stage.story(one).lines)


def test_an_incident_that_names_no_service_tells_its_own_facts(stage: Stage) -> None:
    stage.deployed()
    stage.after(1)
    one = stage.open(services=[])
    story = stage.story(one)
    assert story.services == ()
    assert "incidents.opened" in [line.fact.kind for line in story.lines]
    assert not any("Deployed" in line.text for line in story.lines)
    assert story.suspects == ()


def test_it_ends_half_an_hour_after_it_was_resolved(stage: Stage) -> None:
    one = stage.burst()
    stage.settle("shop")
    stage.do(lambda verbs: verbs.resolve(one.id, **by("ann"), reason="fixed"))
    stage.after(20)
    stage.deployed(summary="shortly after")
    stage.after(40)
    stage.deployed(summary="long after")
    texts = " ".join(line.text for line in stage.story(one).lines)
    assert "shortly after" in texts
    assert "long after" not in texts


def test_an_apply_of_many_files_is_one_line_that_can_be_opened(stage: Stage) -> None:
    with stage.database.begin() as session:
        for number in range(20):
            said = {"key": f"SETTING_{number}", "type": "integer", "default": 1, "service": "shop"}
            Config(session, stage.clock).define(Parameter.of(said), managed_by="people", by="per_olga", source="ops")
    stage.after(1)
    stage.deployed(summary="a release")
    stage.after(1)
    one = stage.burst()
    lines = stage.story(one).lines
    (apply,) = [line for line in lines if line.fact.source == "ops"]
    assert (len(apply.more), "And 19 more at the same moment." in apply.text) == (19, True)
    # What the incident itself is about stays by itself.
    assert all(not line.more for line in lines if line is not apply)
    assert any("a release" in line.text for line in lines)
    shown = stage.client(headers=bearer("read")).get(f"/api/v1/incidents/{one.id}/story").json()["lines"]
    assert [len(line["more"]) for line in shown if line["kind"] == "config.parameter_defined"] == [19]
    assert "19 more</summary>" in stage.console().get(f"/incidents/{one.id}/story").text


def test_what_is_only_played_at_the_same_service_is_no_part_of_it(stage: Stage) -> None:
    one = stage.burst()
    with stage.database.begin() as session:
        scenario = Scenario("Nobody can sign in", Severity.SEV1, "shop")
        played = play(session, stage.clock, stage.incidenting, scenario, **by("cleo"))
    stage.after(1)
    told = [line.text for line in stage.story(one).lines]
    assert not [text for text in told if "Nobody can sign in" in text]
    assert [line for line in stage.story(played.incident).lines if "Nobody can sign in" in line.text]
