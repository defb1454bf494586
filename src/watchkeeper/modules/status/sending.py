"""Telling subscribers: rows of due work in a lane of their own, so that a provider that hangs never holds up a page."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel import work
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.mail import Mail, Mailer, MailFailed
from watchkeeper.kernel.outbound import DeliveryFailed, DestinationRefused, Outbound
from watchkeeper.kernel.work import Handler, Task, Transactional
from watchkeeper.modules.status import store, store_subscribers
from watchkeeper.modules.status.letters import (
    Letter,
    Links,
    hello,
    news_of_maintenance,
    news_of_update,
    news_of_withdrawal,
)
from watchkeeper.modules.status.model import Turn
from watchkeeper.modules.status.subscribers import LinkTo, Sealing, Subscriber, SubscriberState, Way

LANE = "status"
FAN_OUT = "status.fan_out"
HELLO = {Way.EMAIL: "status.hello_mail", Way.WEBHOOK: "status.hello_webhook"}
NEWS = {Way.EMAIL: "status.mail", Way.WEBHOOK: "status.webhook"}
AT_ONCE = 500
# Then it is given up, by a fact and without an alert: a reader's broken webhook wakes nobody here.
MOST_ATTEMPTS = 10
# What a webhook answers when nobody is there any more.
_GONE = (404, 410)
_TURNS = ("withdrawn", *Turn)
_SAID = ("update", "maintenance", *_TURNS)


@dataclass(frozen=True)
class Outcome:
    """What became of a delivery: taken, refused for good, or given up after many attempts."""

    subscriber: str
    kind: Way
    refused: bool = False
    given_up: bool = False


@dataclass(frozen=True)
class Post:
    """The way out to subscribers."""

    db: Database
    clock: Clock
    sealing: Sealing
    mailer: Mailer
    outbound: Outbound
    links: Callable[[Session], Links]

    def handlers(self, took: Callable[[Session, Outcome], None]) -> dict[str, Handler]:
        """By kind of work; `took` records what became of a delivery."""
        deliver = _Deliver(self, took)
        found: dict[str, Handler] = {FAN_OUT: Transactional(self._fan_out)}
        return found | dict.fromkeys((*HELLO.values(), *NEWS.values()), deliver)

    def _fan_out(self, session: Session, task: Task) -> None:
        """A row for each subscriber, and for the rest of them another of this kind. Repeating it adds none."""
        about = task.payload.get("update") or task.payload["maintenance"]
        about += "".join(f":{one}" for one in _TURNS if task.payload.get(one))
        components = self._components(session, task.payload)
        now = self.clock.now()
        found = store_subscribers.active_after(session, task.payload.get("after", ""), AT_ONCE)
        for one in found:
            if one.hears_of(components):
                payload = {name: task.payload[name] for name in _SAID if name in task.payload}
                key = f"{NEWS[one.kind]}:{about}:{one.id}"
                work.enqueue(
                    session, kind=NEWS[one.kind], key=key, due_at=now, payload={**payload, "subscriber": one.id}
                )
        if len(found) == AT_ONCE:
            rest = {**task.payload, "after": found[-1].id}
            work.enqueue(session, kind=FAN_OUT, key=f"{FAN_OUT}:{about}:{found[-1].id}", due_at=now, payload=rest)

    def _components(self, session: Session, payload: Mapping[str, Any]) -> frozenset[str]:
        if "components" in payload:
            return frozenset(payload["components"])
        if "maintenance" in payload:
            planned = store.maintenance(session, payload["maintenance"])
            return frozenset(planned.components if planned else ())
        update = store.one_update(session, payload["update"])
        return frozenset(update.components if update else ())

    def letter(self, task: Task) -> tuple[Subscriber, Letter] | None:
        """What is to be sent, and to whom; None when that is over."""
        with self.db.lane(LANE).read() as session:
            one = store_subscribers.by_id(session, task.payload["subscriber"])
            if one is None or one.state is SubscriberState.INACTIVE:
                return None
            links = self.links(session)
            confirm, leave = (self.sealing.token(to, one.id) for to in (LinkTo.CONFIRM, LinkTo.UNSUBSCRIBE))
            if task.kind in HELLO.values():
                return one, hello(links, one, confirm, leave, self.sealing.webhook_secret(one.id))
            if one.state is not SubscriberState.ACTIVE:
                return None
            made = self._news(session, links, task.payload, leave)
            return (one, made) if made is not None else None

    def _news(self, session: Session, links: Links, payload: Mapping[str, Any], leave: str) -> Letter | None:
        if "maintenance" in payload:
            turn = next((one for one in Turn if payload.get(one)), None)
            return news_of_maintenance(session, links, payload["maintenance"], leave, turn=turn, now=self.clock.now())
        if payload.get("withdrawn"):
            return news_of_withdrawal(session, links, payload["update"], leave)
        return news_of_update(session, links, payload["update"], leave)

    def send(self, one: Subscriber, letter: Letter, key: str) -> bool:
        """Hand it over; False when it was refused for good. Raises MailFailed or DeliveryFailed."""
        address = self.sealing.address_of(one)
        if one.kind is Way.WEBHOOK:
            return self._post(one, address, letter, key)
        headers = (
            ("List-Unsubscribe", f"<{letter.leave}>"),
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        )
        marked = hashlib.sha256(key.encode()).hexdigest()[:32]
        try:
            self.mailer.send(Mail(address, letter.subject, letter.text, key=marked, headers=headers))
        except MailFailed as error:
            if error.final:
                return False
            raise
        return True

    def _post(self, one: Subscriber, address: str, letter: Letter, key: str) -> bool:
        body = json.dumps(letter.data, ensure_ascii=False).encode()
        sent_at = int(self.clock.now().timestamp())
        secret = self.sealing.webhook_secret(one.id).encode()
        signed = hmac.new(secret, f"{sent_at}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": key,
            "Watchkeeper-Signature": f"t={sent_at},v1={signed}",
        }
        try:
            answer = self.outbound.ask(address, body, headers)
        except DestinationRefused:
            # A name that leads into a private network by now.
            return False
        if answer.status in _GONE:
            return False
        if not 200 <= answer.status < 300:
            raise DeliveryFailed(f"the webhook answered {answer.status}")
        return True


@dataclass(frozen=True)
class _Deliver:
    post: Post
    took: Callable[[Session, Outcome], None]

    def act(self, task: Task) -> Outcome | None:
        """Send it, once for each lease, always under the same key."""
        found = self.post.letter(task)
        if found is None:
            return None
        one, letter = found
        try:
            return Outcome(one.id, one.kind, refused=not self.post.send(one, letter, task.key))
        except (MailFailed, DeliveryFailed):
            if task.attempts < MOST_ATTEMPTS:
                raise
            return Outcome(one.id, one.kind, given_up=True)

    def finish(self, session: Session, task: Task, result: Any) -> None:  # noqa: ARG002
        """Count refusals, and say what was given up."""
        if result is not None:
            self.took(session, result)
