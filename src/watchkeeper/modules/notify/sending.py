"""Sending: look again, write the intent, act, write what came of it, and go on by another way after a miss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.orm import Session

from watchkeeper.kernel import journal, work
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.keys import InstallationKey, KeyUnusable
from watchkeeper.kernel.work import Task, Transactional
from watchkeeper.modules.notify import store, store_notifications
from watchkeeper.modules.notify.codes import code_of
from watchkeeper.modules.notify.events import (
    ChannelDegraded,
    ChannelRecovered,
    DeliveryMissed,
    NobodyReached,
    NotificationSent,
)
from watchkeeper.modules.notify.message import Message, bundled
from watchkeeper.modules.notify.model import (
    LOOPBACK,
    MISSES_UNTIL_DEGRADED,
    PATIENCE,
    Attempt,
    Channel,
    Contact,
    Notification,
    Outcome,
    State,
    next_way,
    pause_after,
)
from watchkeeper.modules.notify.ordering import BY, KINDS, Order, add_for, drop_one, enqueue
from watchkeeper.modules.notify.providers import Letter, NotSent, Providers
from watchkeeper.modules.notify.public import Owners
from watchkeeper.modules.notify.sealing import address_of, secrets_of
from watchkeeper.modules.notify.settings import NotifySettings

MOVE_ON = "notify.move_on"
_CAP_WINDOW = timedelta(minutes=10)
_HELD = timedelta(minutes=1)
# After a miss, a channel gets one message at a time. One that has waited so long for its answer hangs.
_HANGS, _PUT_OFF = timedelta(seconds=2), timedelta(seconds=5)
_log = structlog.get_logger("watchkeeper.notify")


@dataclass(frozen=True)
class Begun:
    """An attempt whose intent is written, and all that sending needs."""

    notification: Notification
    channel: Channel
    attempt: Attempt
    message: Message
    with_it: tuple[str, ...]


@dataclass(frozen=True)
class Tried:
    """What came of it."""

    begun: Begun
    outcome: Outcome
    answer: str
    not_before: int = 0


@dataclass(frozen=True)
class Sending:
    """The handler of every kind of `notify.send`."""

    db: Database
    clock: Clock
    key: InstallationKey
    settings: NotifySettings
    providers: Providers
    owners: Owners

    def handlers(self) -> Mapping[str, Any]:
        """By kind of work."""
        return {**dict.fromkeys(KINDS, self), MOVE_ON: Transactional(self._move_on)}

    def act(self, task: Task) -> Tried | None:
        """None when there is nothing to send any more."""
        with self.db.begin() as session:
            begun = self._begin(session, str(task.payload["notification"]), task.id)
        if begun is None:
            return None
        try:
            answer = self.providers.send(begun.channel.kind, self._letter(begun))
        except KeyUnusable:
            return Tried(begun, Outcome.MISSED, "its secrets can't be opened with the installation's key")
        except NotSent as miss:
            return Tried(begun, Outcome.REFUSED if miss.final else Outcome.MISSED, miss.answer, miss.not_before)
        except Exception as error:  # noqa: BLE001 (an edge: whatever a provider's code raises is a miss, not silence)
            _log.exception("provider failed", channel=begun.channel.name)
            return Tried(begun, Outcome.MISSED, type(error).__name__)
        return Tried(begun, Outcome.ACCEPTED, answer)

    def finish(self, session: Session, task: Task, result: Tried | None) -> None:  # noqa: ARG002
        if result is None:
            return
        now = self.clock.now()
        begun = result.begun
        store_notifications.end_attempt(session, begun.attempt.id, result.outcome, at=now, answer=result.answer)
        self._note_health(session, begun.channel.id, result, now)
        if result.outcome is Outcome.ACCEPTED:
            store_notifications.settle(session, [begun.notification.id], State.SENT, at=now)
            together = f"in one message with {begun.notification.id}"
            store_notifications.settle(session, begun.with_it, State.SENT, at=now, reason=together)
            if begun.channel is not LOOPBACK:
                fact = NotificationSent(**_about(begun), answer=result.answer)
                journal.append(session, fact, by=BY, source="worker", at=now)
            if (owner := self.owners.of(begun.notification.about_type)) is not None:
                owner.delivered(session, begun.notification, now)
            return
        self._missed(session, result, now)

    def _begin(self, session: Session, notification_id: str, work_id: str) -> Begun | None:
        now = self.clock.now()
        one = store_notifications.notification(session, notification_id, lock=True)
        if one is None or one.state is not State.WAITING:
            return None
        # Whether it is due was for the database's clock to say: asking this machine's too could lose it between them.
        if (later := self._later(session, one, work_id, now)) is not None:
            store_notifications.set_due(session, one.id, later)
            enqueue(session, one, due_at=later, step=f"later:{work_id}")
            return None
        channel = store.channel(session, one.channel_id)
        contact = store.contact(session, one.contact_id) if one.contact_id is not None else None
        owner = self.owners.of(one.about_type)
        reason = _cannot(one, channel, contact) or (owner.not_wanted(session, one) if owner is not None else None)
        if reason is None and store_notifications.newest_about(session, one, now) > one.created_at:
            reason = "a newer message about the same thing goes out instead"
        if reason is not None or channel is None:
            drop_one(session, one, at=now, reason=reason or "the channel is gone")
            return None
        if channel.misses and (since := store_notifications.open_since(session, channel.id, one.id, now)) is not None:
            # One waits there for its answer: this one would wait beside it, in the place of somebody else's.
            self._put_off(session, one, work_id, now, hangs=now - since >= _HANGS)
            return None
        gathered = self._gathered(session, one, now)
        message = bundled([Message.of(each.message) for each in (one, *gathered)])
        if owner is not None and not gathered:
            message = replace(message, actions=owner.actions(session, one))
        attempt = Attempt(
            id=new_id("att"), notification_id=one.id, work_id=work_id, number=one.attempts + 1, begun_at=now
        )
        store_notifications.begin_attempt(session, attempt)
        work.enqueue(
            session,
            kind=MOVE_ON,
            key=f"notify:{attempt.id}:move_on",
            due_at=now + PATIENCE,
            payload={"attempt": attempt.id},
        )
        return Begun(one, channel, attempt, message, tuple(each.id for each in gathered))

    def _put_off(self, session: Session, one: Notification, work_id: str, now: datetime, *, hangs: bool) -> None:
        later = now + (_HANGS if not hangs else _PUT_OFF)
        store_notifications.set_due(session, one.id, later)
        enqueue(session, one, due_at=later, step=f"later:{work_id}")
        if hangs:
            self._move_to_next(session, one, store_notifications.of_call(session, one.call, lock=True), now)

    def _letter(self, begun: Begun) -> Letter:
        """Opened only here, so that what is sealed is in memory for as long as it takes to send."""
        one, channel, message = begun.notification, begun.channel, begun.message
        with self.db.read() as session:
            row = store.contact_row(session, one.contact_id) if one.contact_id is not None else None
            sealed = store.sealed_secrets(session, channel.id)
        address = address_of(self.key, row.id, row.address) if row is not None else ""
        if one.kind == "code" and row is not None and row.code_until is not None:
            message = replace(message, text=f"{message.text} {code_of(self.key, row.id, row.code_until)}")
        about = f"{one.about_type}:{one.about_id}"
        return Letter(one.id, address, message, channel.settings, secrets_of(self.key, channel.id, sealed), about)

    def _later(self, session: Session, one: Notification, work_id: str, now: datetime) -> datetime | None:
        """When it is to be looked at again instead; None when it is its turn."""
        last = store_notifications.last_attempt(session, one.id)
        if last is not None and last.ended_at is None and last.work_id != work_id and now < last.begun_at + PATIENCE:
            return last.begun_at + PATIENCE  # somebody else is sending it at this moment
        if one.urgency == "low" and one.kind in ("page", "update") and one.attempts == 0:
            gathered_until = one.created_at + timedelta(seconds=self.settings.bundle_seconds)
            if now < gathered_until:
                return gathered_until
        return now + _HELD if self._is_held(session, one, now) else None

    def _is_held(self, session: Session, one: Notification, now: datetime) -> bool:
        """Too much at once to one contact. The first about anything urgent is never held."""
        if one.contact_id is None or one.kind in ("test", "code"):
            return False
        if one.urgency == "high" and not store_notifications.was_told(session, one):
            return False
        return (
            store_notifications.sent_since(session, one.contact_id, now - _CAP_WINDOW) >= self.settings.most_per_contact
        )

    def _gathered(self, session: Session, one: Notification, now: datetime) -> list[Notification]:
        """Others that go out in the same message. Pages of high urgency go out alone: each may be acknowledged."""
        if one.urgency == "high" or one.kind in ("test", "code"):
            return []
        found = store_notifications.beside(session, one, now + timedelta(seconds=self.settings.bundle_seconds))
        wanted = []
        for each in found:
            owner = self.owners.of(each.about_type)
            if owner is None or owner.not_wanted(session, each) is None:
                wanted.append(each)
        return wanted

    def _missed(self, session: Session, tried: Tried, now: datetime) -> None:
        one = tried.begun.notification
        call = store_notifications.of_call(session, one.call, lock=True)
        pause = pause_after(tried.begun.attempt.number, tried.not_before) if tried.outcome is Outcome.MISSED else None
        moved = self._move_to_next(session, one, call, now)
        if pause is not None:
            enqueue(session, one, due_at=now + pause, step=f"try:{tried.begun.attempt.number + 1}")
        else:
            store_notifications.settle(session, [one.id], State.FAILED, at=now, reason=tried.answer)
        follows = f"tried again in {int(pause.total_seconds())} s" if pause is not None else "not tried again"
        said = f"{follows}{', and the next way begins' if moved else ''}"
        fact = DeliveryMissed(**_about(tried.begun), answer=tried.answer, next=said)
        journal.append(session, fact, by=BY, source="worker", at=now)
        # Said once a call: whoever misses last of its first tries says it.
        if not moved and tried.begun.attempt.number == 1 and not _another_may(session, one, call, now):
            self._tell_not_reached(session, one, now)

    def _move_on(self, session: Session, task: Task) -> None:
        """An attempt that has no end yet, because its provider hangs or its process died, is not waited for."""
        attempt = store_notifications.attempt(session, str(task.payload["attempt"]))
        if attempt is None or attempt.ended_at is not None:
            return
        one = store_notifications.notification(session, attempt.notification_id)
        if one is None or one.state is not State.WAITING:
            return
        now = self.clock.now()
        call = store_notifications.of_call(session, one.call, lock=True)
        moved = self._move_to_next(session, one, call, now)
        if not moved and attempt.number == 1 and not _another_may(session, one, call, now):
            self._tell_not_reached(session, one, now)

    def _move_to_next(self, session: Session, one: Notification, call: Sequence[Notification], now: datetime) -> bool:
        """Begin the next way of the call at once: the next that is planned, else a contact that no rule names."""
        if one.person_id is None or one.kind in ("test", "code"):
            return False
        planned = [each for each in call if each.state is State.WAITING and each.attempts == 0 and each.id != one.id]
        if planned:
            store_notifications.set_due(session, planned[0].id, now)
            enqueue(session, planned[0], due_at=now, step="sooner")
            return True
        tried = {each.contact_id for each in call if each.contact_id is not None}
        contact = next_way(store.contacts_of(session, one.person_id), tried, store.degraded(session))
        if contact is None:
            return False
        order = Order(
            call=one.call,
            about_type=one.about_type,
            about_id=one.about_id,
            urgency=one.urgency,
            kind=one.kind,
            message=Message.of(one.message),
            service=one.service,
        )
        add_for(session, order, contact, due_at=now, at=now)
        return True

    def _tell_not_reached(self, session: Session, one: Notification, now: datetime) -> None:
        owner = self.owners.of(one.about_type)
        if owner is None or one.kind != "page":
            return
        fact = NobodyReached(
            about_type=one.about_type, about=one.about_id, person=one.person_id, service_name=one.service
        )
        journal.append(session, fact, by=BY, source="worker", at=now)
        owner.not_reached(session, one, now)

    def _note_health(self, session: Session, channel_id: str, tried: Tried, now: datetime) -> None:
        took = tried.outcome is Outcome.ACCEPTED
        channel = store.channel(session, channel_id)
        if channel is None or (took and channel.is_well(now)):
            return
        channel = store.channel(session, channel_id, lock=True)
        if channel is None:
            return
        misses = 0 if took else channel.misses + 1
        since = channel.degraded_since
        if took and since is not None:
            since = None
            recovered = ChannelRecovered(channel=channel.name, channel_kind=channel.kind)
            journal.append(session, recovered, by=BY, source="worker", at=now)
        elif misses >= MISSES_UNTIL_DEGRADED and since is None:
            since = now
            degraded = ChannelDegraded(
                channel=channel.name, channel_kind=channel.kind, misses=misses, answer=tried.answer
            )
            journal.append(session, degraded, by=BY, source="worker", at=now)
        store.set_health(
            session,
            channel_id,
            misses=misses,
            degraded_since=since,
            sent_at=now if took else None,
            answer=tried.answer,
        )


def _cannot(one: Notification, channel: Channel | None, contact: Contact | None) -> str | None:
    if channel is None:
        return "the channel is gone"
    if one.contact_id is not None and contact is None:
        return "the contact is gone"
    if contact is not None and contact.verified_at is None and one.kind != "code":
        return "the contact is not verified"
    return None


def _another_may(session: Session, one: Notification, call: Sequence[Notification], now: datetime) -> bool:
    """Whether another way of the call reached the person, or may do so still without having missed before."""
    for each in call:
        if each.id == one.id or each.state in (State.FAILED, State.DROPPED):
            continue
        last = store_notifications.last_attempt(session, each.id)
        if each.state is State.SENT or last is None or (last.ended_at is None and now < last.begun_at + PATIENCE):
            return True
    return False


def _about(begun: Begun) -> dict[str, Any]:
    one = begun.notification
    return {
        "notification": one.id,
        "about_type": one.about_type,
        "about": one.about_id,
        "channel": begun.channel.name,
        "person": one.person_id,
        "service_name": one.service,
        "notification_kind": one.kind,
        "attempt": begun.attempt.number,
    }
