"""Ordering notifications: what is planned becomes rows and due work, in the transaction of whoever orders."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal, work
from watchkeeper.kernel.ids import new_id
from watchkeeper.modules.notify import store, store_notifications
from watchkeeper.modules.notify.events import NotificationDropped
from watchkeeper.modules.notify.message import Message
from watchkeeper.modules.notify.model import (
    LOOPBACK,
    ChannelKind,
    Contact,
    Kind,
    Notification,
    Planned,
    State,
    Urgency,
    plan,
    quiet_end,
)

BY = "system:notify"
_SEND = "notify.send"
KINDS = tuple(f"{_SEND}.{kind}" for kind in ChannelKind)


@dataclass(frozen=True, kw_only=True)
class Order:
    """What somebody is told. `call` is an idempotency key: the same call to the same contact is one message."""

    call: str
    about_type: str
    about_id: str
    urgency: Urgency
    kind: Kind
    message: Message
    service: str | None = None


def notify(session: Session, order: Order, person_id: str, *, at: datetime, only: Collection[str] = ()) -> int:
    """As `public.notify`."""
    contacts = store.contacts_of(session, person_id)
    rules, preferences = store.rules_of(session, person_id)
    if only:
        planned: tuple[Planned, ...] = tuple(Planned(one.id, at) for one in contacts if one.id in only)
    else:
        planned = plan(order.urgency, rules, contacts, at=at, degraded=store.degraded(session))
    quiet = quiet_end(preferences, at) if order.urgency == "low" and order.kind in ("page", "update") else None
    by_id = {one.id: one for one in contacts}
    for one in planned:
        add_for(session, order, by_id[one.contact_id], due_at=max(one.due_at, quiet or one.due_at), at=at)
    return len(planned)


def notify_channel(session: Session, order: Order, channel: str, *, at: datetime) -> bool:
    """As `public.notify_channel`."""
    found = store.channel_named(session, channel)
    if found is None:
        return False
    _add(session, order, None, found.id, due_at=at, at=at)
    return True


def add_for(session: Session, order: Order, contact: Contact, *, due_at: datetime, at: datetime) -> None:
    """One message to one contact."""
    _add(session, order, contact, contact.channel_id, due_at=due_at, at=at)


def _add(
    session: Session, order: Order, contact: Contact | None, channel_id: str, *, due_at: datetime, at: datetime
) -> None:
    made = Notification(
        id=new_id("ntf"),
        call=order.call,
        person_id=contact.person_id if contact is not None else None,
        contact_id=contact.id if contact is not None else None,
        channel_id=channel_id,
        about_type=order.about_type,
        about_id=order.about_id,
        service=order.service,
        urgency=order.urgency,
        kind=order.kind,
        message=order.message.stored(),
        state=State.WAITING,
        due_at=due_at,
        created_at=at,
    )
    if store_notifications.add(session, made):
        enqueue(session, made, due_at=due_at, step="first")


def enqueue(session: Session, one: Notification, *, due_at: datetime, step: str) -> None:
    """Have it sent at an instant. `step` makes the work's key: the same step is one row."""
    found = store.channel(session, one.channel_id)
    if found is not None:
        key = f"notify:{one.id}:{step}"
        work.enqueue(session, kind=f"{_SEND}.{found.kind}", key=key, due_at=due_at, payload={"notification": one.id})


def drop(session: Session, about_type: str, about_id: str, *, at: datetime, reason: str) -> int:
    """As `public.drop`."""
    found = store_notifications.waiting(session, about_type, about_id)
    for one in found:
        drop_one(session, one, at=at, reason=reason)
    return len(found)


def drop_one(session: Session, one: Notification, *, at: datetime, reason: str) -> None:
    """Settle it as dropped, with its fact, unless it is a synthetic page's."""
    store_notifications.settle(session, [one.id], State.DROPPED, at=at, reason=reason)
    found = store.channel(session, one.channel_id)
    if found is LOOPBACK:
        return
    fact = NotificationDropped(
        notification=one.id,
        about_type=one.about_type,
        about=one.about_id,
        channel=found.name if found is not None else one.channel_id,
        person=one.person_id,
        service_name=one.service,
        notification_kind=one.kind,
        attempt=one.attempts,
        reason=reason,
    )
    journal.append(session, fact, by=BY, source="worker", at=at)
