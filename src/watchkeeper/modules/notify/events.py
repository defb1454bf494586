"""The facts of notifications. No address and no text of a message is in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from watchkeeper.kernel.journal import Event, Subject


@dataclass(frozen=True, kw_only=True)
class _OfChannel(Event):
    channel: str
    channel_kind: str

    def subject(self) -> Subject:
        return Subject("notify_channel", self.channel)


@dataclass(frozen=True, kw_only=True)
class ChannelPut(_OfChannel):
    """`changed` names what is another than before; of secrets only their names."""

    kind: ClassVar[str] = "notify.channel_put"

    changed: list[str] = field(default_factory=list)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        what = ", ".join(data["changed"])
        return f"The channel {data['channel']} was {f'changed: {what}' if what else 'added'}."


@dataclass(frozen=True, kw_only=True)
class ChannelRemoved(_OfChannel):
    kind: ClassVar[str] = "notify.channel_removed"

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The channel {data['channel']} was removed."


@dataclass(frozen=True, kw_only=True)
class ChannelDegraded(_OfChannel):
    kind: ClassVar[str] = "notify.channel_degraded"

    misses: int
    answer: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The channel {data['channel']} missed {data['misses']} times in a row: {data['answer']}."


@dataclass(frozen=True, kw_only=True)
class ChannelRecovered(_OfChannel):
    kind: ClassVar[str] = "notify.channel_recovered"

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The channel {data['channel']} delivers again."


@dataclass(frozen=True, kw_only=True)
class _OfPerson(Event):
    person: str

    def subject(self) -> Subject:
        return Subject("person", self.person)


@dataclass(frozen=True, kw_only=True)
class _OfContact(_OfPerson):
    contact: str
    channel: str


@dataclass(frozen=True, kw_only=True)
class ContactAdded(_OfContact):
    kind: ClassVar[str] = "notify.contact_added"

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"A contact on {data['channel']} was added; it is not verified yet."


@dataclass(frozen=True, kw_only=True)
class ContactVerified(_OfContact):
    kind: ClassVar[str] = "notify.contact_verified"

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"A contact on {data['channel']} was verified."


@dataclass(frozen=True, kw_only=True)
class ContactRemoved(_OfContact):
    kind: ClassVar[str] = "notify.contact_removed"

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"A contact on {data['channel']} was removed."


@dataclass(frozen=True, kw_only=True)
class RulesChanged(_OfPerson):
    kind: ClassVar[str] = "notify.rules_changed"

    before: list[Mapping[str, Any]]
    after: list[Mapping[str, Any]]

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"How somebody is notified was changed: {len(data['before'])} rules became {len(data['after'])}."


@dataclass(frozen=True, kw_only=True)
class _OfNotification(Event):
    notification: str
    about_type: str
    about: str
    channel: str
    person: str | None
    service_name: str | None
    notification_kind: str
    attempt: int

    def subject(self) -> Subject:
        return Subject(self.about_type, self.about)

    def service(self) -> str | None:
        return self.service_name


@dataclass(frozen=True, kw_only=True)
class NotificationSent(_OfNotification):
    kind: ClassVar[str] = "notify.sent"

    answer: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"A {data['notification_kind']} went out over {data['channel']}: {data['answer']}."


@dataclass(frozen=True, kw_only=True)
class DeliveryMissed(_OfNotification):
    """`next` says what follows: another try, another way, or nothing."""

    kind: ClassVar[str] = "notify.delivery_missed"

    answer: str
    next: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"A {data['notification_kind']} over {data['channel']} was not taken: {data['answer']}; {data['next']}."


@dataclass(frozen=True, kw_only=True)
class NotificationDropped(_OfNotification):
    kind: ClassVar[str] = "notify.dropped"

    reason: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"A {data['notification_kind']} over {data['channel']} was not sent: {data['reason']}."


@dataclass(frozen=True, kw_only=True)
class NobodyReached(Event):
    """Every way to a person about something failed."""

    kind: ClassVar[str] = "notify.nobody_reached"

    about_type: str
    about: str
    person: str | None
    service_name: str | None

    def subject(self) -> Subject:
        return Subject(self.about_type, self.about)

    def service(self) -> str | None:
        return self.service_name

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return "Nobody could be reached: every way to a person failed."
