"""Who subscribes, and who can find out about it: nobody."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.status.readers import ADA, BEN, Inbox, link_in, rows, subscribe, subscribed
from tests.status.support import BASE, Stage
from watchkeeper.kernel.keys import InstallationKey
from watchkeeper.kernel.outbound import DestinationRefused
from watchkeeper.modules.status.errors import StatusInvalid
from watchkeeper.modules.status.subscribers import LinkTo, Sealing, SubscriberState, Way, is_email


def test_nothing_is_sent_before_it_is_confirmed(stage: Stage, inbox: Inbox) -> None:
    subscribe(stage)
    stage.work_off()
    stage.told()
    stage.work_off()
    (mail,) = inbox.mails
    assert "Confirm" in mail["Subject"]
    assert stage.facts("status.subscribed") == []
    # A program that opens every link confirms nothing.
    assert stage.reader.get(link_in(mail, "confirm")).status_code == 200
    assert rows(stage)[0].state == SubscriberState.PENDING
    stage.post(link_in(mail, "confirm"))
    stage.post(link_in(mail, "confirm"))
    assert len(stage.facts("status.subscribed")) == 1
    stage.told("Chat is down")
    stage.work_off()
    assert [one["Subject"] for one in inbox.mails[1:]] == ["[Status] Investigating: Chat is down"]


def test_one_click_ends_it_and_forgets_the_address(stage: Stage, inbox: Inbox) -> None:
    leave = subscribed(stage, inbox)
    stage.told()
    stage.work_off()
    mail = inbox.mails[-1]
    assert mail["List-Unsubscribe"] == f"<{BASE}{leave}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    # As a mail program sends it: no cookie, no form of ours.
    assert stage.client().get(leave).status_code == 200
    assert len(rows(stage)) == 1
    for _ in range(2):
        assert stage.client().post(leave, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert rows(stage) == []
    assert len(stage.facts("status.unsubscribed")) == 1
    stage.told("More")
    stage.work_off()
    assert len(inbox.mails) == 2


def test_long_links_in_headers_stay_readable(stage: Stage, inbox: Inbox) -> None:
    subscribe(stage)
    stage.work_off()
    head = inbox.raw[0].partition(b"\r\n\r\n")[0] + b"\r\n"
    assert b"=?" not in head
    assert re.search(rb"List-Unsubscribe:\s+<https://watch.example/status/unsubscribe/sub_\S+>\r\n", head)


def test_the_answer_is_the_same_for_known_unknown_and_inactive_addresses(stage: Stage, inbox: Inbox) -> None:
    subscribed(stage, inbox, ADA)
    answers = [subscribe(stage, address) for address in (ADA, BEN, "eve@example.org", BEN)]
    assert {one.status_code for one in answers} == {200}
    bodies = {re.sub(r'name="csrf_token" value="[^"]*"', "", one.text) for one in answers}
    assert len(bodies) == 1


def test_an_address_that_others_type_in_gets_one_message_an_hour(stage: Stage, inbox: Inbox) -> None:
    for _ in range(4):
        subscribe(stage)
        stage.work_off()
    assert len(inbox.mails) == 1
    stage.clock.advance(timedelta(hours=1, seconds=1))
    subscribe(stage)
    stage.work_off()
    assert len(inbox.mails) == 2


def test_who_has_subscribed_already_is_told_so_and_stays(stage: Stage, inbox: Inbox) -> None:
    subscribed(stage, inbox)
    stage.clock.advance(timedelta(hours=2))
    subscribe(stage)
    stage.work_off()
    assert "already" in inbox.mails[-1]["Subject"]
    assert rows(stage)[0].state == SubscriberState.ACTIVE


def test_one_network_address_asks_only_so_often(stage: Stage, inbox: Inbox) -> None:
    stage.said = {"subscriptions_per_hour": 2}
    assert [subscribe(stage, f"a{number}@example.org").status_code for number in range(3)] == [200, 200, 429]
    stage.clock.advance(timedelta(minutes=31))
    assert subscribe(stage, "later@example.org").status_code == 200


def test_a_link_gets_old(stage: Stage, inbox: Inbox) -> None:
    subscribe(stage)
    stage.work_off()
    stage.clock.advance(timedelta(hours=49))
    link = link_in(inbox.mails[0], "confirm")
    assert stage.post(link).status_code == 404
    stage.subscribing(lambda one: one.forget())
    assert rows(stage) == []
    assert stage.reader.get(link).status_code == 404


@pytest.mark.parametrize("token", ["x", "sub_.x", "sub_00000000000000000000000000.x", "a%20b", "sub_" + "0" * 26])
def test_links_that_were_not_made_here_open_nothing(stage: Stage, token: str) -> None:
    for what in ("confirm", "unsubscribe"):
        assert stage.client().get(f"/status/{what}/{token}").status_code == 404
        assert stage.client().post(f"/status/{what}/{token}").status_code == 404


def test_a_link_that_confirms_does_not_end_and_the_other_way_round() -> None:
    sealing = Sealing(InstallationKey(b"k" * 32))
    token = sealing.token(LinkTo.CONFIRM, "sub_" + "0" * 26)
    assert sealing.subscriber_in(LinkTo.CONFIRM, token) == "sub_" + "0" * 26
    assert sealing.subscriber_in(LinkTo.UNSUBSCRIBE, token) is None


def test_addresses_are_sealed_and_in_no_fact_and_no_row_of_work(stage: Stage, inbox: Inbox) -> None:
    subscribed(stage, inbox)
    stage.told()
    stage.work_off()
    for held in (*rows(stage), *stage.rows(), *stage.facts()):
        assert "ada" not in str(held).lower()
        assert "example.org" not in str(held)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nobody",
        "a@b",
        "a b@example.org",
        "a@example.org\nBcc: all@example.org",
        "a@example.org\r\nSubject: x",
        "a@example.org, b@example.org",
        "<a@example.org>",
        '"a b"@example.org',
        "a@exämple.org",
        "a@-example.org",
        "a@example.org\0",
        f"{'a' * 65}@example.org",
        f"a@{'b' * 250}.org",
    ],
)
def test_what_is_no_address_is_refused(stage: Stage, address: str) -> None:
    with pytest.raises(StatusInvalid):
        stage.subscribing(lambda one: one.ask(Way.EMAIL, address))
    assert rows(stage) == []


@given(st.text(max_size=60))
def test_no_text_that_could_end_a_header_is_an_address(text: str) -> None:
    for address in (text, f"{text}@example.org", f"a@{text}.org"):
        if is_email(address):
            assert not re.search(r"[\s<>,;:\"\\()\x00-\x1f\x7f]", address)
            assert address.isascii()


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/x",
        "http://[::1]/",
        "http://169.254.169.254/latest",
        "ftp://example.org",
        "https://u:p@x.example/",
    ],
)
def test_a_webhook_into_a_private_network_is_refused(stage: Stage, url: str) -> None:
    stage.outbound = {}
    with pytest.raises(DestinationRefused):
        stage.subscribing(lambda one: one.ask(Way.WEBHOOK, url))
    assert subscribe(stage, url, "webhook").status_code == 422
    assert rows(stage) == []


def test_without_a_mail_server_nobody_is_offered_mails(stage: Stage) -> None:
    assert "by e-mail" not in stage.reader.get("/status/subscribe").text
