"""Environments: which there are, who reads them, how they differ, and taking values over."""

from __future__ import annotations

import pytest

from tests.config.pages.support import pages, words
from tests.config.support import GREETING, MATCHES, VIDEO, Stage
from watchkeeper.modules.config import store
from watchkeeper.modules.config.reports import Report, take_report

DIFF = "/config/diff?from=staging&to=production"


@pytest.fixture
def filled(stage: Stage) -> Stage:
    stage.define(MATCHES, GREETING, VIDEO)
    stage.config(
        lambda config: config.add_environment(
            "staging", copy_from=None, needs_approval=False, reason="to try", by="alice", source="api"
        )
    )
    return stage


def test_an_environment_is_added_with_the_values_of_another(filled: Stage) -> None:
    filled.set("GREETING", "hi")
    page = pages(filled)
    form = {"name": "test-lab", "copy_from": "production", "needs_approval": "yes", "reason": "for the lab"}
    assert page.post("/config/environments", **form).status_code == 303
    assert filled.get("GREETING", environment="test-lab") == "hi"
    text = page.text("/config/environments")
    assert "test-lab" in text
    assert "waits until a second person approves it" in text


@pytest.mark.parametrize(
    ("form", "status", "complaint"),
    [
        ({"name": "Test Lab", "reason": "x"}, 422, "lower-case letters"),
        ({"name": "staging", "reason": "x"}, 409, "There is an environment staging already"),
        ({"name": "lab", "reason": ""}, 422, "why, in 1 to 500 characters"),
    ],
)
def test_a_wrong_environment_is_told_and_can_be_mended(
    filled: Stage, form: dict[str, str], status: int, complaint: str
) -> None:
    answer = pages(filled).post("/config/environments", **form)
    assert answer.status_code == status
    assert complaint in words(answer.text)
    assert f'value="{form["name"]}"' in answer.text


def test_whether_changes_wait_is_for_admins_to_say(filled: Stage) -> None:
    form = {"needs_approval": "yes", "reason": "it is serious now"}
    assert pages(filled, "dora").post("/config/environments/production/approval", **form).status_code == 403
    assert "Approval in" not in pages(filled, "dora").text("/config/environments")
    assert pages(filled).post("/config/environments/production/approval", **form).status_code == 303
    with filled.database.read() as session:
        found = store.environment(session, "production")
    assert found is not None
    assert found.needs_approval


def test_the_page_tells_which_programs_read_an_environment_and_how_far_behind(filled: Stage) -> None:
    assert "No program reported that it reads production" in pages(filled).text("/config/environments")
    with filled.database.begin() as session:
        take_report(session, filled.clock, "production", Report("shop", "web-1", 4, 0, {}, ()))
        take_report(session, filled.clock, "production", Report("shop", "web-2", 3, 400, {}, ()))
    text = pages(filled, "bob").text("/config/environments")
    assert "shop web-1 4 following" in text
    assert "shop web-2 3 for 6 min 40 s not" in text


def test_with_one_environment_comparing_leads_to_adding_another(stage: Stage) -> None:
    assert "There is one environment" in pages(stage).text("/config/diff")


def test_environments_that_agree_say_so(filled: Stage) -> None:
    assert "Nothing differs" in pages(filled).text(DIFF)
    assert "Choose two environments" in pages(filled).text("/config/diff?from=staging&to=staging")
    assert "no environment 'nowhere'" in pages(filled).text("/config/diff?from=nowhere&to=staging", 404)


def test_what_would_be_taken_away_is_not_chosen_beforehand(filled: Stage) -> None:
    filled.set("MATCHES_PER_DAY", 9, environment="staging")
    filled.set("GREETING", "only here")
    text = pages(filled).get(DIFF).text
    assert 'value="MATCHES_PER_DAY" checked' in text
    assert 'value="GREETING" checked' not in text
    assert "takes something away" in words(text)


def test_chosen_values_are_taken_over_together_after_a_look(filled: Stage) -> None:
    filled.set("MATCHES_PER_DAY", 9, environment="staging")
    filled.set("MATCHES_PER_DAY", {"value": 8}, slot="segment:all_users", environment="staging")
    filled.set("GREETING", "tried", environment="staging")
    filled.set("ENABLE_VIDEO", "on", environment="staging")
    page = pages(filled)
    form = {"source": "staging", "target": "production", "reason": "it was good"}
    preview = page.post("/config/promote", key=["MATCHES_PER_DAY", "GREETING"], **form)
    assert preview.status_code == 200
    assert "3 steps, made together or not at all" in words(preview.text)
    assert filled.get("GREETING") == "hello"
    page.make(preview)
    assert filled.get("GREETING") == "tried"
    assert filled.get("MATCHES_PER_DAY", "u1") == 8
    assert filled.get("ENABLE_VIDEO") is False


def test_nothing_chosen_or_no_reason_changes_nothing(filled: Stage) -> None:
    filled.set("GREETING", "tried", environment="staging")
    page = pages(filled)
    answer = page.post("/config/promote", source="staging", target="production", reason="x")
    assert answer.status_code == 422
    assert "at least one parameter" in words(answer.text)
    answer = page.post("/config/promote", source="staging", target="production", reason="", key=["GREETING"])
    assert answer.status_code == 422
    assert filled.get("GREETING") == "hello"


def test_who_may_only_read_compares_and_takes_nothing_over(filled: Stage) -> None:
    filled.set("GREETING", "tried", environment="staging")
    bob = pages(filled, "bob")
    assert "hello" not in bob.text(DIFF)
    assert "nothing → tried" in bob.text(DIFF)
    assert 'type="checkbox" name="key"' not in bob.get(DIFF).text
    assert bob.post("/config/promote", source="staging", target="production", reason="x").status_code == 403


def test_what_nobody_needs_any_more_is_listed_with_what_to_do(stage: Stage) -> None:
    assert "Nothing to clear up" in pages(stage).text("/config/stale")
    stage.define({**VIDEO, "expires_on": "2026-02-01", "owner": "Team Video"})
    text = pages(stage, "bob").text("/config/stale")
    assert "ENABLE_VIDEO expired It was to be gone by 2026-02-01: take it out of the code. Team Video" in text
