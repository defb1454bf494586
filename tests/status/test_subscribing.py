"""Who is told, and who can find out about it: nobody."""

from __future__ import annotations

import email
import hashlib
import hmac
import json
import re
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from tests.status.support import BASE, Stage
from tests.support.running import eventually
from watchkeeper.kernel import work
from watchkeeper.kernel.keys import InstallationKey
from watchkeeper.kernel.outbound import DestinationRefused
from watchkeeper.kernel.work import Transactional
from watchkeeper.modules.status.errors import StatusInvalid
from watchkeeper.modules.status.model import State
from watchkeeper.modules.status.subscribers import LinkTo, Sealing, SubscriberState, Way, is_email
from watchkeeper.modules.status.tables import subscribers

ADA, BEN = "ada@example.org", "ben@example.org"


class Inbox:
    """Takes mails, but for recipients that it refuses."""

    def __init__(self) -> None:
        self.mails: list[Message] = []
        self.raw: list[bytes] = []
        self.refused: dict[str, str] = {}

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.raw.append(envelope.content)
        self.mails.append(email.message_from_bytes(envelope.content, policy=default))
        return "250 OK"

    def to(self, address: str) -> list[Message]:
        return [one for one in self.mails if one["To"] == address]


@pytest.fixture
def inbox(stage: Stage) -> Iterator[Inbox]:
    inbox = Inbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(inbox, hostname="127.0.0.1", port=port)
    controller.start()
    stage.mail = {"host": "127.0.0.1", "port": port, "security": "none", "sender": "status@watch.example"}
    yield inbox
    controller.stop()


class Hook:
    """A webhook on a loopback port."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                hook.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(hook.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join(60)


def rows(stage: Stage) -> list[Any]:
    return stage.read(lambda session: session.execute(select(subscribers).order_by(subscribers.c.asked_at)).all())  # type: ignore[no-any-return]


def link_in(mail: Message, what: str) -> str:
    found = re.search(rf"{BASE}(/status/{what}/\S+)", str(mail.get_content()))  # type: ignore[attr-defined]
    assert found is not None
    return found[1]


def subscribe(stage: Stage, address: str = ADA, kind: str = "email", **more: str) -> Any:
    return stage.post("/status/subscribe", address=address, kind=kind, **more)


def subscribed(stage: Stage, inbox: Inbox, address: str = ADA) -> str:
    """Asked, confirmed; the link that ends it."""
    assert subscribe(stage, address).status_code == 200
    stage.work_off()
    mail = inbox.to(address)[-1]
    assert stage.post(link_in(mail, "confirm")).status_code == 200
    return str(mail["List-Unsubscribe"]).strip("<>").removeprefix(BASE)


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


def test_each_subscriber_is_told_of_a_publication_once(stage: Stage, inbox: Inbox) -> None:
    subscribed(stage, inbox, ADA)
    subscribed(stage, inbox, BEN)
    draft = stage.draft()
    stage.publish(draft)
    stage.publish(draft)
    stage.work_off()
    stage.publish(draft)
    stage.work_off()
    assert len(inbox.to(ADA)) == len(inbox.to(BEN)) == 2
    # Nobody sees who else is told.
    assert all(str(one).count("@example.org") == str(one["To"]).count("@example.org") for one in inbox.mails)


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


def test_three_refusals_for_good_and_nothing_is_sent_any_more(stage: Stage, inbox: Inbox) -> None:
    subscribed(stage, inbox)
    inbox.refused[ADA] = "550 No such user"
    for number in range(5):
        stage.told(f"Trouble {number}")
        stage.work_off()
    assert rows(stage)[0].state == SubscriberState.INACTIVE
    (fact,) = stage.facts("status.subscriber_deactivated")
    assert fact.data["refusals"] == 3
    assert len(stage.rows("status.mail")) == 3
    # Whoever asks again and confirms is told again.
    inbox.refused.clear()
    stage.clock.advance(timedelta(hours=2))
    subscribed(stage, inbox)
    stage.told("After all")
    stage.work_off()
    assert "After all" in inbox.mails[-1]["Subject"]


def test_a_delivery_that_is_taken_starts_the_count_anew(stage: Stage, inbox: Inbox) -> None:
    subscribed(stage, inbox)
    for number in range(6):
        inbox.refused = {ADA: "550 Full"} if number % 3 < 2 else {}
        stage.told(f"Trouble {number}")
        stage.work_off()
    assert rows(stage)[0].state == SubscriberState.ACTIVE


def test_a_refusal_for_now_is_tried_again_and_counts_for_nothing(stage: Stage, inbox: Inbox) -> None:
    subscribed(stage, inbox)
    inbox.refused[ADA] = "451 Later"
    stage.told()
    stage.work_off()
    (row,) = stage.rows("status.mail")
    assert row.state == "due"
    assert row.last_error == "MailFailed"
    assert rows(stage)[0].refusals == 0


def test_only_those_who_chose_a_component_hear_of_it(stage: Stage, inbox: Inbox) -> None:
    chat, login = stage.component("chat"), stage.component("sign-in")
    subscribe(stage, ADA, components="chat")
    stage.work_off()
    stage.post(link_in(inbox.mails[0], "confirm"))
    stage.told("Sign-in trouble", components={login.id: State.MAJOR})
    stage.told("Chat trouble", components={chat.id: State.MAJOR})
    stage.told("About everything")
    stage.work_off()
    assert sorted(one["Subject"].split(": ")[1] for one in inbox.mails[1:]) == ["About everything", "Chat trouble"]


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


def test_a_name_that_leads_into_a_private_network_gets_nothing(stage: Stage) -> None:
    stage.outbound = {}
    stage.subscribing(lambda one: one.ask(Way.WEBHOOK, "http://localhost:9/hook"))
    stage.work_off()
    (row,) = stage.rows("status.hello")
    assert row.state == "done"
    assert rows(stage)[0].refusals == 1


def test_a_webhook_confirms_gets_signed_news_and_can_leave(stage: Stage, hook: Hook) -> None:
    assert subscribe(stage, hook.url, "webhook").status_code == 200
    stage.work_off()
    asked = json.loads(hook.got[0][1])
    assert asked["type"] == "confirm_subscription"
    assert stage.client().post(asked["confirm"].removeprefix(BASE)).status_code == 200
    stage.told("Chat is down")
    stage.work_off()
    headers, body = hook.got[1]
    sent_at, signature = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", headers["watchkeeper-signature"]).groups()  # type: ignore[union-attr]
    made = hmac.new(asked["signing_secret"].encode(), f"{sent_at}.".encode() + body, hashlib.sha256).hexdigest()
    assert signature == made
    said = json.loads(body)
    assert said["incident"]["name"] == "Chat is down"
    assert stage.client().post(said["meta"]["unsubscribe"].removeprefix(BASE)).status_code == 200
    assert rows(stage) == []


def test_a_webhook_that_is_gone_is_given_up_and_one_that_fails_is_tried_again(stage: Stage, hook: Hook) -> None:
    subscribe(stage, hook.url, "webhook")
    stage.work_off()
    stage.client().post(json.loads(hook.got[0][1])["confirm"].removeprefix(BASE))
    hook.status = 500
    stage.told("One")
    stage.work_off()
    (row,) = stage.rows("status.webhook")
    assert row.state == "due"
    assert rows(stage)[0].refusals == 0
    hook.status = 410
    for number in range(3):
        stage.told(f"More {number}")
        stage.work_off()
    assert rows(stage)[0].state == SubscriberState.INACTIVE


def test_a_delivery_that_fails_ten_times_is_told_and_wakes_nobody(stage: Stage, hook: Hook) -> None:
    from sqlalchemy import update

    from watchkeeper.kernel.work.tables import work as due

    subscribe(stage, hook.url, "webhook")
    stage.work_off()
    stage.client().post(json.loads(hook.got[0][1])["confirm"].removeprefix(BASE))
    hook.status = 503
    stage.told()
    stage.work_off()
    nine = (
        update(due)
        .where(due.c.kind == "status.webhook")
        .values(attempts=9, due_at=stage.clock.now() - timedelta(days=999))
    )
    stage.write(lambda session: session.execute(nine))
    stage.work_off()
    assert stage.rows("status.webhook")[0].state == "done"
    assert len(stage.facts("status.delivery_given_up")) == 1
    assert stage.facts("work.failed") == []


def test_news_of_maintenance_are_sent_unless_it_was_cancelled(stage: Stage, inbox: Inbox) -> None:
    from watchkeeper.modules.status.maintaining import Planned

    component = stage.component()
    subscribed(stage, inbox)
    now = stage.clock.now()

    def plan(title: str) -> Any:
        said = Planned(title=title, body="", components=(component.id,))
        times = {"starts_at": now + timedelta(hours=1), "ends_at": now + timedelta(hours=2)}
        return stage.maintaining(lambda one: one.schedule(said, **times, by="per_alice", source="test"))

    plan("New disks")
    gone = plan("New racks")
    stage.maintaining(lambda one: one.end(gone.id, by="per_alice", source="test"))
    stage.work_off()
    assert [one["Subject"] for one in inbox.mails[1:]] == ["[Status] Maintenance: New disks"]


def test_without_a_mail_server_nobody_is_offered_mails(stage: Stage) -> None:
    assert "by e-mail" not in stage.reader.get("/status/subscribe").text


def test_a_fan_out_of_many_goes_on_in_pieces(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    from watchkeeper.modules.status import sending

    monkeypatch.setattr(sending, "AT_ONCE", 2)
    for number in range(5):
        stage.subscribing(lambda one, number=number: one.ask(Way.WEBHOOK, f"https://hooks.example/{number}"))
    active = subscribers.update().values(state=SubscriberState.ACTIVE)
    stage.write(lambda session: session.execute(active))
    stage.told()
    handlers = stage.worker._handlers
    for _ in range(4):
        from tests.status.support import task_of

        for row in stage.rows("status.fan_out"):
            stage.write(lambda session, row=row: handlers[row.kind].finish(session, task_of(row), None))
    assert len(stage.rows("status.webhook")) == 5


def test_a_mail_server_that_hangs_holds_up_neither_webhooks_nor_other_lanes(stage: Stage, hook: Hook) -> None:
    done: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        stage.mail = {"host": "127.0.0.1", "port": silent.getsockname()[1], "security": "none"}
        for number in range(4):
            stage.subscribing(lambda one, number=number: one.ask(Way.EMAIL, f"a{number}@example.org"))
        stage.subscribing(lambda one: one.ask(Way.WEBHOOK, hook.url))
        stage.write(lambda session: session.execute(subscribers.update().values(state=SubscriberState.ACTIVE)))
        stage.told("Chat is down")
        stage.worker.start()
        try:
            # Two messages to the webhook, beside eight mails that nobody takes.
            eventually(lambda: any(b"Chat is down" in body for _, body in hook.got))
            page = {"test.page": Transactional(lambda _session, task: done.append(task.key))}
            at = stage.clock.now()
            stage.write(lambda session: work.enqueue(session, kind="test.page", key="page", due_at=at, payload={}))
            other = work.Worker(stage.database, stage.clock, page, lane="test")
            assert other.run_once() == 1
            assert done == ["page"]
            assert all(row.state == "due" for row in stage.rows("status.mail"))
            other.stop()
        finally:
            silent.close()
            stage.worker.stop()
