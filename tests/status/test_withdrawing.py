"""What was published by mistake is taken back: outside nobody reads it, inside nothing is lost."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest

from tests.status.readers import ADA, BEN, Inbox, link_in, subscribe, subscribed
from tests.status.support import BY, Stage
from watchkeeper.modules.status.errors import NothingToWithdraw, StatusInvalid, UpdateWithdrawn
from watchkeeper.modules.status.model import Review, State
from watchkeeper.modules.status.publishing import Edit

WHY = {"reason": "the wrong customer's words", **BY}
EVERYWHERE = ("/status", "/status/history", "/status/history.rss", "/status/history.atom", "/api/v2/summary.json")


def outside(stage: Stage) -> str:
    """All that anybody outside can read."""
    stage.keeper.renew()
    return "".join(stage.reader.get(path).text for path in (*EVERYWHERE, "/api/v2/incidents.json"))


def test_what_is_withdrawn_is_nowhere_outside_and_components_are_as_if_it_had_never_been(stage: Stage) -> None:
    component = stage.component()
    stage.clock.advance(timedelta(hours=3))
    begun = stage.told("Initech is down", components={component.id: State.MAJOR}, body="Initech's disks")
    stage.told(how="identified", incident=begun.incident, body="Initech's racks")
    assert "Initech" in outside(stage)
    gone = stage.publishing(lambda one: one.withdraw(begun.incident, **WHY))
    assert [one.review for one in gone] == [Review.WITHDRAWN] * 2
    assert "Initech" not in outside(stage)
    assert stage.state() is State.OPERATIONAL
    assert stage.uptime() == 1


def test_one_update_is_withdrawn_and_the_incident_is_as_the_others_say(stage: Stage) -> None:
    component = stage.component()
    begun = stage.told(components={component.id: State.PARTIAL}, body="First words")
    stage.clock.advance(timedelta(minutes=5))
    wrong = stage.told(how="resolved", incident=begun.incident, body="All is well")
    assert stage.state() is State.OPERATIONAL
    stage.publishing(lambda one: one.withdraw_update(wrong.id, **WHY))
    assert stage.state() is State.PARTIAL
    shown = stage.html()
    assert "First words" in shown
    assert "All is well" not in shown


def test_the_record_keeps_who_withdrew_it_and_why_and_no_word_of_it(stage: Stage) -> None:
    begun = stage.told(body="Secret words")
    stage.publishing(lambda one: one.withdraw(begun.incident, **WHY))
    (fact,) = stage.facts("status.update_withdrawn")
    assert (fact.actor, fact.data["reason"], fact.data["whole"]) == ("per_alice", WHY["reason"], True)
    assert fact.data["updates"] == [begun.id]
    assert all("Secret words" not in str(one.data) for one in stage.facts())


def test_withdrawing_again_changes_nothing_and_what_is_not_public_can_t_be_withdrawn(stage: Stage) -> None:
    draft, public = stage.draft(), stage.told()
    first = stage.publishing(lambda one: one.withdraw_update(public.id, **WHY))
    assert stage.publishing(lambda one: one.withdraw_update(public.id, **WHY)) == first
    assert stage.kinds().count("update_withdrawn") == 1
    for verb in (lambda one: one.withdraw_update(draft.id, **WHY), lambda one: one.withdraw(public.incident, **WHY)):
        with pytest.raises(NothingToWithdraw):
            stage.publishing(verb)


@pytest.mark.parametrize("reason", ["", " \n ", "x" * 501])
def test_nothing_is_withdrawn_without_a_reason(stage: Stage, reason: str) -> None:
    begun = stage.told()
    with pytest.raises(StatusInvalid) as refused:
        stage.publishing(lambda one: one.withdraw(begun.incident, reason=reason, **BY))
    assert [one.where for one in refused.value.complaints] == ["reason"]
    assert "Sign-in is slow" in stage.html()


def test_what_was_withdrawn_is_neither_edited_nor_published_again_but_other_words_are(stage: Stage) -> None:
    begun = stage.told(body="Wrong words")
    stage.publishing(lambda one: one.withdraw(begun.incident, **WHY))
    for verb in (lambda one: one.publish(begun.id, **BY), lambda one: one.edit(begun.id, Edit(body="x"), **BY)):
        with pytest.raises(UpdateWithdrawn):
            stage.publishing(verb)
    stage.told(incident=begun.incident, body="Right words")
    shown = stage.html()
    assert "Right words" in shown
    assert "Wrong words" not in shown


def test_subscribers_are_told_once_and_those_who_never_heard_of_it_are_not(stage: Stage, inbox: Inbox) -> None:
    chat, login = stage.component("chat"), stage.component("sign-in")
    subscribed(stage, inbox, ADA)
    subscribe(stage, BEN, components="chat")
    stage.work_off()
    stage.post(link_in(inbox.to(BEN)[-1], "confirm"))
    before = len(inbox.to(BEN))
    begun = stage.told("Sign-in is down", components={login.id: State.MAJOR}, body="Wrong words")
    stage.work_off()
    stage.publishing(lambda one: one.withdraw(begun.incident, **WHY))
    stage.work_off()
    stage.work_off()
    mail = inbox.to(ADA)[-1]
    assert mail["Subject"] == "[Status] Withdrawn: Sign-in is down"
    assert [one["Subject"] for one in inbox.to(ADA)].count(mail["Subject"]) == 1
    text = str(mail.get_content())  # type: ignore[attr-defined]
    assert "published by mistake" in text
    assert "Wrong words" not in text
    assert WHY["reason"] not in text
    assert len(inbox.to(BEN)) == before
    assert chat.id != login.id


def test_what_was_withdrawn_before_it_was_sent_is_not_sent(stage: Stage, inbox: Inbox) -> None:
    subscribed(stage, inbox)
    begun = stage.told("Sign-in is down")
    stage.publishing(lambda one: one.withdraw(begun.incident, **WHY))
    stage.work_off()
    assert [one["Subject"] for one in inbox.mails[1:]] == ["[Status] Withdrawn: Sign-in is down"]


def test_an_incident_that_was_withdrawn_and_ends_inside_asks_for_no_publication(stage: Stage) -> None:
    at = stage.clock.now()
    incident = stage.publishing(lambda one: one.open("Inside", started_at=at, about="inc_1"))
    stage.told(incident=incident.id)
    stage.publishing(lambda one: one.withdraw(incident.id, **WHY))
    assert stage.snapshot().open_incidents == []
    assert stage.drafts() == []


def test_old_words_of_an_edited_update_are_kept_and_proved_by_the_record(stage: Stage) -> None:
    update = stage.told(body="We brok it.")
    stage.clock.advance(timedelta(minutes=5))
    stage.publishing(lambda one: one.edit(update.id, Edit(body="We broke it."), **BY))
    stage.publishing(lambda one: one.edit(update.id, Edit(body="It broke."), **BY))
    found = stage.api("read").get(f"/api/v1/status/updates/{update.id}").json()
    assert found["update"]["body"] == "It broke."
    assert [one["body"] for one in found["earlier"]] == ["We broke it.", "We brok it."]
    proofs = [fact.data["was"] for fact in stage.facts("status.update_edited")]
    kept = [hashlib.sha256(one["body"].encode()).hexdigest() for one in reversed(found["earlier"])]
    assert proofs == kept
    page = stage.page().get("/status-page")
    assert "What it said before" in page.text
    assert "We brok it." in page.text
    assert "We brok it." not in outside(stage)


def test_an_admin_withdraws_in_the_console_and_sees_it_there_afterwards(stage: Stage) -> None:
    begun = stage.told("Initech is down", body="Initech's disks")
    page = stage.page()
    action = f"/status-page/updates/{begun.id}/withdraw"
    page.submit(action, {"reason": "", "what": "incident"}, page="/status-page")
    assert "Initech" in outside(stage)
    page.submit(action, {"reason": "Wrong page", "what": "incident"}, page="/status-page")
    assert "Initech" not in outside(stage)
    shown = page.get("/status-page").text
    assert "Withdrawn" in shown
    assert "Wrong page" in shown
    assert "Initech&#39;s disks" in shown


def test_who_may_not_publish_may_not_withdraw(stage: Stage) -> None:
    begun = stage.told()
    for path in (f"updates/{begun.id}", f"incidents/{begun.incident}"):
        for scope in ("read", "respond"):
            refused = stage.api(scope).post(f"/api/v1/status/{path}/withdraw", json={"reason": "x"})
            assert refused.status_code == 403
    done = stage.api().post(f"/api/v1/status/incidents/{begun.incident}/withdraw", json={"reason": "wrong"})
    assert done.status_code == 200
    assert [one["review"] for one in done.json()["items"]] == ["withdrawn"]
    listed = stage.api("read").get("/api/v1/status/updates?review=withdrawn").json()["items"]
    assert [one["id"] for one in listed] == [begun.id]
