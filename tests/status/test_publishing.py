"""From a draft to a word for everybody."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.status.support import BY, Stage
from watchkeeper.kernel.errors import Refusal
from watchkeeper.modules.status.errors import (
    StatusInvalid,
    UpdateChanged,
    UpdateDiscarded,
    UpdateNotFound,
    UpdatePublished,
)
from watchkeeper.modules.status.model import Review, State
from watchkeeper.modules.status.publishing import Edit


def test_nobody_outside_sees_a_draft(stage: Stage) -> None:
    component = stage.component()
    stage.draft("Secret suspicion", components={component.id: State.MAJOR})
    assert "Secret suspicion" not in stage.html()
    assert stage.state() is State.OPERATIONAL
    assert stage.json("incidents.json")["incidents"] == []


def test_publishing_says_it_and_sets_the_states(stage: Stage) -> None:
    component = stage.component()
    update = stage.told(components={component.id: State.PARTIAL})
    assert update.review is Review.PUBLISHED
    assert stage.state() is State.PARTIAL
    assert "Sign-in is slow" in stage.html()
    assert stage.kinds() == ["component_put", "update_drafted", "update_published"]


def test_publishing_twice_is_one_publication(stage: Stage) -> None:
    draft = stage.draft()
    first, second = stage.publish(draft), stage.publish(draft)
    assert first == second
    assert stage.kinds().count("update_published") == 1
    assert len(stage.rows("status.fan_out")) == 1


def test_what_was_changed_after_the_review_is_not_published(stage: Stage) -> None:
    draft = stage.draft()
    stage.publishing(lambda one: one.edit(draft.id, Edit(body="Something else"), **BY))
    with pytest.raises(UpdateChanged):
        stage.publish(draft, version=draft.version)
    assert stage.publish(draft, version=draft.version + 1).body == "Something else"


def test_an_edit_of_what_is_public_is_shown_as_edited_and_told_nobody_again(stage: Stage) -> None:
    update = stage.told(body="We brok it.")
    stage.clock.advance(timedelta(minutes=5))
    stage.publishing(lambda one: one.edit(update.id, Edit(body="We broke it."), **BY))
    shown = stage.html()
    assert "We broke it." in shown
    assert "We brok it." not in shown
    assert "edited 2 Mar 2026, 12:05 UTC" in shown
    assert len(stage.rows("status.fan_out")) == 1
    (fact,) = stage.facts("status.update_edited")
    assert fact.data["fields"] == ["body"]
    assert all("brok" not in str(one.data) for one in stage.facts())


def test_an_edited_draft_does_not_look_edited_once_it_is_public(stage: Stage) -> None:
    draft = stage.draft()
    stage.publishing(lambda one: one.edit(draft.id, Edit(body="Better words"), **BY))
    assert stage.publish(draft).edited_at is None


def test_an_edit_that_changes_nothing_is_none(stage: Stage) -> None:
    update = stage.told()
    stage.publishing(lambda one: one.edit(update.id, Edit(body=update.body), **BY))
    assert "update_edited" not in stage.kinds()


def test_resolving_ends_the_states_and_keeps_the_history(stage: Stage) -> None:
    component = stage.component()
    stage.clock.advance(timedelta(hours=9))
    update = stage.told(components={component.id: State.MAJOR})
    stage.clock.advance(timedelta(hours=1))
    stage.told(how="resolved", incident=update.incident, body="It works again.")
    assert stage.state() is State.OPERATIONAL
    assert stage.uptime() == pytest.approx(0.9)
    stage.clock.advance(timedelta(hours=10))
    assert stage.uptime() == pytest.approx(0.95)


def test_an_update_that_is_published_late_leads_to_the_same_history(stage: Stage) -> None:
    component = stage.component()
    begun = stage.clock.now()
    first = stage.draft(components={component.id: State.MAJOR}, at=begun)
    stage.clock.advance(timedelta(hours=1))
    stage.told(how="resolved", incident=first.incident)
    assert stage.uptime() == 1
    stage.publish(first)
    assert stage.state() is State.OPERATIONAL
    assert stage.uptime() == 0
    assert stage.snapshot().open_incidents == []


def test_a_discarded_draft_is_never_seen(stage: Stage) -> None:
    draft = stage.draft()
    stage.publishing(lambda one: one.discard(draft.id, reason="wrong", **BY))
    stage.publishing(lambda one: one.discard(draft.id, reason="again", **BY))
    assert stage.kinds().count("update_discarded") == 1
    with pytest.raises(UpdateDiscarded):
        stage.publish(draft)
    assert stage.drafts() == []


def test_what_everybody_has_seen_is_not_discarded(stage: Stage) -> None:
    update = stage.told()
    with pytest.raises(UpdatePublished):
        stage.publishing(lambda one: one.discard(update.id, reason="", **BY))


def test_one_source_makes_one_draft(stage: Stage) -> None:
    first = stage.draft(source="incidents:iup_1")
    assert stage.draft(incident=first.incident, source="incidents:iup_1").id == first.id
    assert stage.kinds() == ["update_drafted"]


def test_an_incident_inside_has_one_outside(stage: Stage) -> None:
    at = stage.clock.now()
    first = stage.publishing(lambda one: one.open("A", started_at=at, about="inc_1"))
    assert stage.publishing(lambda one: one.open("B", started_at=at, about="inc_1")) == first


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ({"body": "  "}, "body"),
        ({"body": "x" * 10_001}, "body"),
        ({"components": {"cmp_nobody": State.MAJOR}}, "components.cmp_nobody"),
        ({"title": "two\nlines"}, "title"),
        ({"title": " "}, "title"),
    ],
)
def test_what_can_t_be_shown_is_refused_with_its_place(stage: Stage, said: dict[str, object], where: str) -> None:
    with pytest.raises(StatusInvalid) as refused:
        stage.draft(**said)  # type: ignore[arg-type]
    assert [one.where for one in refused.value.complaints] == [where]


def test_maintenance_is_planned_not_written(stage: Stage) -> None:
    component = stage.component()
    with pytest.raises(StatusInvalid):
        stage.draft(components={component.id: State.MAINTENANCE})


def test_what_is_not_there_can_t_be_published(stage: Stage) -> None:
    with pytest.raises(UpdateNotFound):
        stage.publishing(lambda one: one.publish("upd_nobody", **BY))


def test_nothing_is_told_before_it_happened(stage: Stage) -> None:
    update = stage.told(at=stage.clock.now() + timedelta(days=1))
    assert update.happened_at == stage.clock.now()


def test_refusals_have_codes_of_their_own() -> None:
    from watchkeeper.modules.status import errors

    codes = [one.code for one in vars(errors).values() if isinstance(one, type) and issubclass(one, Refusal)]
    ours = [code for code in codes if code.startswith("status.")]
    assert len(ours) == len(set(ours)) >= 10
