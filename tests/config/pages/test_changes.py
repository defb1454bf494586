"""Pages of changes: what waits, who may decide, and the way back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.config.pages.support import Pages, pages, words
from tests.config.support import GREETING, MATCHES, Stage
from watchkeeper.modules.config.model import ChangeSet, Operation


@pytest.fixture
def filled(stage: Stage) -> Stage:
    stage.define({**MATCHES, "needs_approval": True}, GREETING)
    return stage


def proposed(stage: Stage, value: int = 7, by: str = "per_dora") -> ChangeSet:
    """A change that waits for approval."""
    return stage.set("MATCHES_PER_DAY", value, by=by, reason="people asked for it")


def decide(page: Pages, change: ChangeSet, verb: str, **form: str) -> str:
    """Press a button on a change's page; answers what one reads afterwards."""
    answer = page.post(f"/config/changes/{change.id}/{verb}", **form)
    if answer.status_code == 303:
        return page.text(answer.headers["location"])
    return words(answer.text)


def test_before_the_first_change_the_page_says_what_it_is_for(stage: Stage) -> None:
    text = pages(stage, "bob").text("/config/changes")
    assert "Nothing was changed yet" in text
    assert "watchkeeper config set" in text


def test_what_waits_is_planned_and_was_made_stands_apart(filled: Stage) -> None:
    filled.set("GREETING", "made", reason="because")
    filled.set("GREETING", "planned", due_at=filled.clock.now() + timedelta(hours=3))
    proposed(filled)
    text = pages(filled, "bob").text("/config/changes")
    waiting, planned, lately = (text.index(one) for one in ("people asked for it", "will be made", "because"))
    assert waiting < planned < lately
    assert "in 3 h" in text
    assert "nothing → 7" in text


def test_the_number_of_what_waits_stands_on_every_page_of_configuration(filled: Stage) -> None:
    proposed(filled)
    for path in ("/config", "/config/changes", "/config/diff", "/config/environments", "/config/stale"):
        assert "Changes 1 Compare" in pages(filled).text(path)


def test_somebody_else_approves_exactly_what_they_looked_at(filled: Stage) -> None:
    change, page = proposed(filled), pages(filled)
    text = page.text(f"/config/changes/{change.id}")
    assert change.content_hash[:12] in text
    assert "is not what this change says" in decide(page, change, "approve", content_hash="0" * 64)
    assert "decided by per_alice" in decide(page, change, "approve", content_hash=change.content_hash)
    assert filled.get("MATCHES_PER_DAY") == 7


def test_who_proposed_it_finds_no_button_and_is_refused(filled: Stage) -> None:
    change, dora = proposed(filled), pages(filled, "dora")
    assert "You proposed it: somebody else has to approve it" in dora.text(f"/config/changes/{change.id}")
    assert "Approve" not in dora.text(f"/config/changes/{change.id}")
    assert "does not approve it" in decide(dora, change, "approve", content_hash=change.content_hash)
    assert filled.get("MATCHES_PER_DAY") == 3


def test_who_may_only_read_finds_no_button_and_is_refused(filled: Stage) -> None:
    change, bob = proposed(filled), pages(filled, "bob")
    assert 'method="post"' not in bob.get(f"/config/changes/{change.id}").text
    for verb in ("approve", "reject", "cancel", "revert"):
        assert bob.post(f"/config/changes/{change.id}/{verb}", reason="x").status_code == 403


def test_a_change_is_rejected_with_a_reason(filled: Stage) -> None:
    change, page = proposed(filled), pages(filled)
    assert "Say why; nothing was changed." in decide(page, change, "reject", reason="  ")
    assert "“not before Christmas”" in decide(page, change, "reject", reason="not before Christmas")
    assert "rejected already" in decide(page, change, "reject", reason="again")


def test_a_planned_change_is_cancelled_before_its_time(filled: Stage) -> None:
    change = filled.set("GREETING", "planned", due_at=filled.clock.now() + timedelta(hours=3))
    text = decide(pages(filled), change, "cancel", reason="no longer")
    assert "cancelled" in text
    assert filled.document()["scheduled"] == []


def test_a_change_is_undone_with_a_reason_and_leads_to_the_change_that_undid_it(filled: Stage) -> None:
    filled.set("GREETING", "first")
    change, page = filled.set("GREETING", "second"), pages(filled, "dora")
    assert "Sets back GREETING to first in production" in page.text(f"/config/changes/{change.id}")
    assert "Expected" not in decide(page, change, "revert", reason="")
    assert filled.get("GREETING") == "second", "without a reason nothing is undone"
    text = decide(page, change, "revert", reason="too loud")
    assert "second → first" in text
    assert "Undoes an earlier change" in text
    assert filled.get("GREETING") == "first"
    text = page.text(f"/config/changes/{change.id}")
    assert "Undone by per_dora" in text
    assert "Undo the change" not in text


def test_what_was_changed_since_is_not_undone(filled: Stage) -> None:
    change = filled.set("GREETING", "first")
    filled.set("GREETING", "second")
    text = decide(pages(filled), change, "revert", reason="back")
    assert "was changed again since" in text
    assert filled.get("GREETING") == "second"


def test_an_undo_that_needs_approval_waits_for_it(filled: Stage) -> None:
    change = proposed(filled)
    page = pages(filled)
    decide(page, change, "approve", content_hash=change.content_hash)
    text = decide(page, change, "revert", reason="too many")
    assert "waits for approval" in text
    assert "An undo is under way" in page.text(f"/config/changes/{change.id}")


def test_a_change_of_many_keys_is_one_thing(filled: Stage) -> None:
    filled.define({"key": "OTHER", "type": "integer", "default": 1})
    operations = [Operation("GREETING", "value", "both"), Operation("OTHER", "value", 2)]
    change = filled.changes(
        lambda changes: changes.propose("production", operations, reason="x", by="alice", source="api")
    )
    text = pages(filled).text(f"/config/changes/{change.id}")
    assert "Change of GREETING and 1 more" in text
    assert "GREETING everybody nothing → both" in text
    assert "OTHER everybody nothing → 2" in text


def test_the_change_of_a_parameter_that_is_gone_still_reads(filled: Stage) -> None:
    change = filled.set("GREETING", "first")
    filled.set("GREETING", None)
    filled.config(lambda config: config.remove("GREETING", by="alice", source="api"))
    text = pages(filled).text(f"/config/changes/{change.id}")
    assert "GREETING (removed since) everybody nothing → first" in text
    assert "first" in pages(filled).text("/config/changes")


def test_older_changes_come_on_the_next_page(filled: Stage) -> None:
    for number in range(32):
        filled.clock.advance(timedelta(seconds=1))
        filled.set("GREETING", f"hello {'abcdefghijklmnopqrstuvwxyzabcdefgh'[number:]}")
    page = pages(filled)
    first = page.get("/config/changes").text
    following = first.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert "Before that" in page.text(following)
    assert "nothing → hello" in page.text(following)


def test_a_change_that_is_not_there_is_not_found(stage: Stage) -> None:
    assert "There is no such change" in pages(stage).text("/config/changes/chg_nothing", 404)
