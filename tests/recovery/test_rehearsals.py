"""Rehearsals: for real where nobody is hurt, and a record of how they went."""

from __future__ import annotations

from datetime import timedelta

from tests.incidents.support import ID
from tests.recovery.support import BOOK, Stage, rule
from watchkeeper.modules.config.service import Config
from watchkeeper.modules.runbooks.reading import content_of
from watchkeeper.modules.runbooks.service import Runbooks

PLACES = (
    BOOK.format(value=8, confirm="confirm")
    .replace("owners: [team-shop]", "owners: [team-shop]\ninputs: [{name: environment, type: text}]")
    .replace("environment: production", "environment: ${environment}")
)
WEEK = timedelta(days=7)


def rehearsed(stage: Stage, name: str = "shop") -> tuple[str, str]:
    """State and detail of the last rehearsal, as the API tells."""
    stage.hear()
    shown = stage.rule_shown(name)
    return shown["rehearsed_state"], shown["rehearsed_detail"]


def staging(stage: Stage) -> None:
    with stage.database.begin() as session:
        Config(session, stage.clock).ensure_environment("staging")


def test_steps_that_take_an_environment_are_carried_out_in_the_one_of_rehearsals_and_nowhere_else(stage: Stage) -> None:
    stage.keep(PLACES)
    staging(stage)
    stage.put(rule(inputs={"environment": "production"}))
    run = stage.act(lambda verbs: verbs.rehearse("shop", by=ID["cleo"], source="test"))
    assert not run.dry_run
    assert rehearsed(stage) == ("succeeded", "")
    (change,) = stage.changes()
    assert (change.data["environment"], change.data["after"]) == ("staging", {"WORKERS": 8})
    assert stage.held().rehearsed_at == stage.clock.now()
    assert stage.states() == [], "a rehearsal is no attempt"


def test_a_rehearsal_that_comes_by_its_schedule_confirms_its_steps_itself(stage: Stage) -> None:
    stage.keep(PLACES)
    staging(stage)
    said = {"every": "7d", "environment": "staging"}
    stage.put(rule(inputs={"environment": "production"}, rehearse=said), mode=None)
    stage.clock.advance(WEEK)
    stage.act(lambda verbs: verbs.rehearse_when_due("shop"))
    assert rehearsed(stage) == ("succeeded", "")
    assert [one.data["environment"] for one in stage.changes()] == ["staging"]


def test_a_rehearsal_that_fails_says_which_step_and_why(stage: Stage) -> None:
    stage.keep(PLACES)
    stage.put(rule(inputs={"environment": "production"}))
    stage.act(lambda verbs: verbs.rehearse("shop", by=ID["cleo"], source="test"))
    state, detail = rehearsed(stage)
    assert state == "failed"
    assert detail.startswith("fix: ")
    assert "staging" in detail
    assert not stage.held().breaker.is_open, "nothing was to be mended"


def test_a_scheduled_rehearsal_that_is_refused_keeps_all_of_why(stage: Stage) -> None:
    stage.put(rule(rehearse={"every": "7d"}), mode=None)
    text = PLACES.replace("type: text", "type: choice, choices: [qa]")
    with stage.database.begin() as session:
        Runbooks(session, stage.clock).put(content_of("shop", text), by="local", source="ops")
    stage.clock.advance(WEEK)
    stage.act(lambda verbs: verbs.rehearse_when_due("shop"))
    state, detail = rehearsed(stage)
    assert state == "refused"
    assert detail.startswith("Nobody signed revision ")
    assert detail.endswith("approve it on its page.")
    stage.keep(text)
    stage.clock.advance(WEEK)
    stage.act(lambda verbs: verbs.rehearse_when_due("shop"))
    assert rehearsed(stage)[1].endswith("environment: expected one of qa")
    assert rehearsed(stage)[1] in stage.pages().text("/recovery/rules/shop")
