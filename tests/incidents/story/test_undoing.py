"""Undoing from an incident's story: with the permissions of whoever does it, and on record whatever came of it."""

from __future__ import annotations

import pytest

from tests.incidents.story.support import OPERATOR, RESPONDER, Stage
from tests.incidents.story.test_telling import ROLLBACK
from tests.incidents.support import ID
from tests.kernel.web.support import bearer
from watchkeeper.kernel.errors import Forbidden
from watchkeeper.modules.incidents import public
from watchkeeper.modules.incidents.model import Incident
from watchkeeper.modules.incidents.story.undoing import NothingToUndo, UndoNotConfirmed
from watchkeeper.modules.runbooks import public as runbooks
from watchkeeper.modules.runbooks.public import WaitsFor


def broken(stage: Stage) -> tuple[Incident, str, str]:
    """An incident, the fact of the change that broke it, and the change."""
    stage.parameter()
    stage.after(60)
    change = stage.set(1)
    stage.after(2)
    one = stage.burst()
    return one, stage.story(one).suspects[0].mark, change.id


def notes(stage: Stage, one: Incident) -> list[str]:
    return [entry.text for entry in stage.ask(lambda session: public.entries(session, one.id)) if entry.kind == "note"]


def links(stage: Stage, one: Incident) -> list[tuple[str, str]]:
    return [(str(link.kind), link.target) for link in stage.ask(lambda session: public.links(session, one.id))]


def test_undoing_a_change_is_a_fact_and_a_line_on_the_record(stage: Stage) -> None:
    one, mark, change = broken(stage)
    stage.after(1)
    done = stage.undo(one, mark)
    assert done.outcome == "done"
    (fact,) = stage.facts("undone")
    assert (fact.actor, fact.data["undo"], fact.data["target"], fact.data["outcome"]) == (
        OPERATOR.id,
        "revert_change",
        change,
        "done",
    )
    (note,) = notes(stage, one)
    assert "it broke checkout" in note
    assert ("change", fact.data["result"]) in links(stage, one)
    story = stage.story(one)
    undone = next(suspect for suspect in story.changes if suspect.mark == mark)
    assert undone.undone_at == stage.clock.now()
    assert undone.is_suspect
    with pytest.raises(NothingToUndo):
        stage.undo(one, mark)
    assert len(stage.facts("undone")) == 1


def test_whoever_may_not_change_configuration_can_not_undo_a_change_of_it(stage: Stage) -> None:
    one, mark, _ = broken(stage)
    with pytest.raises(Forbidden, match="write"):
        stage.undo(one, mark, RESPONDER)
    assert stage.facts("undone") == []


@pytest.mark.parametrize("said", [{"reason": "  "}, {"confirmed": False}])
def test_nothing_is_undone_without_a_reason_and_a_yes(stage: Stage, said: dict[str, object]) -> None:
    one, mark, _ = broken(stage)
    with pytest.raises(UndoNotConfirmed):
        stage.undo(one, mark, **said)
    assert stage.story(one).undo_of(mark) is not None


def test_rolling_back_starts_a_run_that_is_about_the_incident(stage: Stage) -> None:
    stage.keep(ROLLBACK)
    stage.after(60)
    stage.deployed()
    stage.after(2)
    one = stage.burst()
    done = stage.undo(one, stage.story(one).suspects[0].mark, RESPONDER)
    (run,) = stage.ask(lambda session: runbooks.runs_about(session, "incident", one.id))
    assert (done.outcome, done.href) == ("begun", f"/runs/{run.id}")
    assert [step.step.key for step in run.steps] == ["previous"]
    assert ("runbook_run", run.id) in links(stage, one)
    assert run.started_by == ID["ann"]
    assert (run.steps[0].waits_for, run.steps[0].confirmed_by) == (WaitsFor.RUNNER, ID["ann"]), "one yes is enough"


def test_a_rollback_that_needs_a_second_person_waits_for_one(stage: Stage) -> None:
    stage.keep(ROLLBACK.replace("id=previous confirm=confirm", "id=previous confirm=second"))
    stage.after(60)
    stage.deployed()
    stage.after(2)
    one = stage.burst()
    stage.undo(one, stage.story(one).suspects[0].mark, RESPONDER)
    (run,) = stage.ask(lambda session: runbooks.runs_about(session, "incident", one.id))
    assert run.steps[0].waits_for is WaitsFor.SECOND_PERSON


def test_what_could_not_be_undone_stands_on_the_record(stage: Stage) -> None:
    one, mark, _ = broken(stage)
    stage.set(5)
    answer = stage.client().post(
        f"/api/v1/incidents/{one.id}/story/undo",
        json={"fact": mark, "reason": "it broke", "confirm": True},
        headers=bearer("write"),
    )
    assert answer.status_code == 409
    (note,) = notes(stage, one)
    assert "was refused" in note
    assert "WORKERS was changed again since" in note
    (fact,) = stage.facts("undone")
    assert fact.data["outcome"] == "refused"


def test_the_api_tells_the_story_and_undoes_once_however_often_it_is_asked(stage: Stage) -> None:
    one, mark, change = broken(stage)
    client = stage.client()
    told = client.get(f"/api/v1/incidents/{one.name}/story", headers=bearer("read")).json()
    assert told["changes"][0]["fact"] == mark
    assert told["changes"][0]["undo"]["allowed"] is False
    assert told["changes"][0]["suspect"] is True
    order = {"fact": mark, "reason": "it broke", "confirm": True}
    path = f"/api/v1/incidents/{one.id}/story/undo"
    assert client.post(path, json=order, headers=bearer("read")).status_code == 403
    assert client.post(path, json=order, headers=bearer("respond")).status_code == 403
    key = bearer("write") | {"idempotency-key": "once"}
    first, second = client.post(path, json=order, headers=key), client.post(path, json=order, headers=key)
    assert first.status_code == second.status_code == 200
    assert first.json() == second.json()
    assert len(stage.facts("undone")) == 1
    assert change in client.get(f"/api/v1/incidents/{one.id}/story", headers=bearer("read")).text


@pytest.mark.parametrize(
    "order",
    [
        {},
        {"fact": "fct_nothing", "reason": "x"},
        {"fact": "x" * 61, "reason": "x", "confirm": True},
        {"fact": "1", "reason": "", "confirm": True},
        {"fact": "1", "reason": "x", "confirm": True, "more": 1},
    ],
)
def test_an_order_that_is_none_is_refused(stage: Stage, order: dict[str, object]) -> None:
    one = stage.burst()
    path = f"/api/v1/incidents/{one.id}/story/undo"
    assert stage.client().post(path, json=order, headers=bearer("write")).status_code == 422


def test_what_is_not_there_is_not_found(stage: Stage) -> None:
    one = stage.burst()
    order = {"fact": "fct_nothing", "reason": "x", "confirm": True}
    client = stage.client()
    assert client.get("/api/v1/incidents/inc_nothing/story", headers=bearer("read")).status_code == 404
    path = f"/api/v1/incidents/{one.id}/story/undo"
    assert client.post(path, json=order, headers=bearer("write")).status_code == 404
    assert client.get(f"/api/v1/incidents/{one.id}/story").status_code == 401


def test_the_page_names_the_suspect_and_undoes_it(stage: Stage) -> None:
    one, mark, _ = broken(stage)
    page, path = stage.console(), f"/incidents/{one.id}/story"
    text = page.text(path)
    assert "What may be to blame" in text
    assert "WORKERS" in text
    refused = page.post(f"{path}/undo", page=path, fact=mark, reason="")
    assert refused.status_code == 422
    assert "confirm: expected yes" in refused.text
    assert page.post(f"{path}/undo", page=path, fact=mark, reason="it broke", confirm="yes").status_code == 303
    assert "undone" in page.text(path)


def test_the_part_for_another_page_is_no_whole_page_and_a_viewer_gets_no_buttons(stage: Stage) -> None:
    one, _, _ = broken(stage)
    part = stage.client("bob").get(f"/incidents/{one.id}/story", headers={"HX-Request": "true"}).text
    assert "<html" not in part
    assert "What may be to blame" in part
    assert "<form" not in part


def test_html_in_what_people_wrote_is_text(stage: Stage) -> None:
    one = stage.burst()
    stage.deployed(summary="<script>alert(1)</script>")
    stage.do(lambda verbs: verbs.note(one.id, "<img src=x onerror=alert(1)>", by=ID["ben"], source="test"))
    text = stage.console().get(f"/incidents/{one.id}/story").text
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert "&lt;img src=x" in text
