"""How subscribers are told, and when they are given up."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import socket
from datetime import timedelta
from typing import Any

import pytest

from tests.status.readers import ADA, BEN, Hook, Inbox, link_in, rows, subscribe, subscribed
from tests.status.support import BASE, Stage
from tests.support.running import eventually
from watchkeeper.kernel import work
from watchkeeper.kernel.work import Transactional
from watchkeeper.modules.status.model import State
from watchkeeper.modules.status.subscribers import SubscriberState, Way
from watchkeeper.modules.status.tables import subscribers


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


def test_news_of_maintenance_are_sent_and_of_what_was_cancelled_only_that(stage: Stage, inbox: Inbox) -> None:
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
    subjects = [one["Subject"] for one in inbox.mails[1:]]
    assert sorted(subjects) == ["[Status] Cancelled: New racks", "[Status] Maintenance: New disks"]


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
