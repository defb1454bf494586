"""What other modules may ask of notifications, and what they have to answer themselves."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy.orm import Session

from watchkeeper.modules.notify import ordering, store, store_notifications
from watchkeeper.modules.notify.answering import Answering, SlackRefused, SlackWay
from watchkeeper.modules.notify.message import BUTTON, Action, Message
from watchkeeper.modules.notify.model import (
    LOOPBACK,
    Attempt,
    Channel,
    ChannelKind,
    Contact,
    Kind,
    Notification,
    Outcome,
    Reach,
    State,
    Urgency,
)
from watchkeeper.modules.notify.ordering import Order

__all__ = [
    "BUTTON",
    "LOOPBACK",
    "Action",
    "Answering",
    "Attempt",
    "Channel",
    "ChannelKind",
    "Contact",
    "Kind",
    "Message",
    "Notification",
    "Order",
    "Outcome",
    "Owner",
    "Owners",
    "Reach",
    "SlackRefused",
    "SlackWay",
    "State",
    "Urgency",
    "attempts_of",
    "channels",
    "drop",
    "forget_about",
    "notify",
    "notify_channel",
    "overdue",
    "reach",
    "record_of",
]


class Owner(Protocol):
    """Whoever orders notifications about a type of thing. Asked in the transaction in which one is about to be sent."""

    @property
    def about_type(self) -> str:
        """Such as `page`."""
        ...

    def not_wanted(self, session: Session, notification: Notification) -> str | None:
        """Why it is not to be sent any more, in a few words; None when it is."""
        ...

    def actions(self, session: Session, notification: Notification) -> tuple[Action, ...]:
        """Links that the message gets. They may hold secrets: they are made for each sending and never stored."""
        ...

    def delivered(self, session: Session, notification: Notification, at: datetime) -> None:
        """A provider took it; in the transaction that marks it as sent. Must be quick."""
        ...

    def not_reached(self, session: Session, notification: Notification, at: datetime) -> None:
        """Every way to the person failed: somebody else has to be told, now."""
        ...


@dataclass(frozen=True)
class Owners:
    """The part that lists all owners."""

    owners: tuple[Owner, ...] = ()

    def of(self, about_type: str) -> Owner | None:
        """The owner of a type; None for what notifications order themselves, such as tests."""
        return next((one for one in self.owners if one.about_type == about_type), None)


def notify(session: Session, order: Order, person_id: str, *, at: datetime, only: Collection[str] = ()) -> int:
    """Tell a person by their rules, each message as work of its own, in the caller's transaction.

    Answers how many messages were planned: 0 means that there is no way to this person, and that the caller has to
    tell somebody else. Ordering the same call again adds nothing. `only`: ids of contacts, in place of the rules.
    """
    return ordering.notify(session, order, person_id, at=at, only=only)


def notify_channel(session: Session, order: Order, channel: str, *, at: datetime) -> bool:
    """Tell a channel that goes to one place, such as a webhook; False when there is none of this name."""
    return ordering.notify_channel(session, order, channel, at=at)


def drop(session: Session, about_type: str, about_id: str, *, at: datetime, reason: str) -> int:
    """Send nothing more about a thing; answers how many messages that were."""
    return ordering.drop(session, about_type, about_id, at=at, reason=reason)


def reach(session: Session, person_ids: Collection[str]) -> dict[str, Reach]:
    """Whether these people can be reached; everybody that was asked about is in the answer."""
    return store.reach(session, person_ids)


def forget_about(session: Session, about_type: str, about_ids: Sequence[str]) -> list[str]:
    """Delete every message about these things with its tries; answers the ids of both, which work of them bears."""
    return store_notifications.forget_about(session, about_type, about_ids)


def channels(session: Session) -> list[Channel]:
    """Every channel by name, with how it does."""
    return store.all_channels(session)


def record_of(session: Session, about_type: str, about_id: str) -> list[Notification]:
    """The newest hundred messages about a thing, newest first."""
    return store_notifications.latest(session, about=(about_type, about_id))


def attempts_of(session: Session, notifications: Collection[Notification]) -> dict[str, list[Attempt]]:
    """Every try of these messages, by their ids."""
    return store_notifications.attempts_of(session, [one.id for one in notifications])


def overdue(session: Session, before: datetime) -> int:
    """Messages that were due before an instant and wait still."""
    return store_notifications.overdue(session, before)
