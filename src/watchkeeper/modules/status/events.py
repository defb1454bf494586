"""Facts of status pages. No address of a subscriber is ever in one, nor what people wrote in updates: the journal is
kept for good, and texts may have to be forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from watchkeeper.kernel.journal import Event, Subject


@dataclass(frozen=True, kw_only=True)
class _OfDescribed(Event):
    described: str
    name: str

    def subject(self) -> Subject:
        return Subject("status_described", self.described)


@dataclass(frozen=True, kw_only=True)
class ComponentPut(_OfDescribed):
    kind: ClassVar[str] = "status.component_put"

    before: Mapping[str, Any] | None
    after: Mapping[str, Any]

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The status page's component {data['name']} was {'changed' if data['before'] else 'added'}."


@dataclass(frozen=True, kw_only=True)
class ComponentRemoved(_OfDescribed):
    kind: ClassVar[str] = "status.component_removed"

    reason: str = ""

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The status page's component {data['name']} was removed, and its history with it."


@dataclass(frozen=True, kw_only=True)
class PagePut(_OfDescribed):
    kind: ClassVar[str] = "status.page_put"

    before: Mapping[str, Any] | None
    after: Mapping[str, Any]

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return "What the status page is called, or where it leads, was changed."


@dataclass(frozen=True, kw_only=True)
class PageRemoved(_OfDescribed):
    kind: ClassVar[str] = "status.page_removed"

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return "No file says any more what the status page is called."


@dataclass(frozen=True, kw_only=True)
class _OfUpdate(Event):
    update: str
    incident: str
    title: str
    stage: str
    # The incident inside, on whose timeline this stands too.
    about: str | None = None

    def subject(self) -> Subject:
        return Subject("incident", self.about) if self.about else Subject("status_incident", self.incident)


@dataclass(frozen=True, kw_only=True)
class UpdateDrafted(_OfUpdate):
    kind: ClassVar[str] = "status.update_drafted"

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"A draft for the status page waits for review: {data['title']} ({data['stage']})."


@dataclass(frozen=True, kw_only=True)
class UpdatePublished(_OfUpdate):
    kind: ClassVar[str] = "status.update_published"

    components: Mapping[str, str]

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"Published on the status page: {data['title']} ({data['stage']})."


@dataclass(frozen=True, kw_only=True)
class UpdateEdited(_OfUpdate):
    kind: ClassVar[str] = "status.update_edited"

    public: bool
    fields: list[str]
    before: Mapping[str, str]
    after: Mapping[str, str]
    # The words themselves are kept beside the update: their SHA-256 tells whether they still are what was said.
    was: str = ""

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        what = "An update on the status page" if data["public"] else "A draft for the status page"
        return f"{what} was edited: {data['title']}."


@dataclass(frozen=True, kw_only=True)
class UpdateDiscarded(_OfUpdate):
    kind: ClassVar[str] = "status.update_discarded"

    reason: str = ""

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"A draft for the status page was discarded: {data['title']}."


@dataclass(frozen=True, kw_only=True)
class UpdateWithdrawn(_OfUpdate):
    kind: ClassVar[str] = "status.update_withdrawn"

    reason: str
    # Every one that was withdrawn, `update` being the newest; `whole`: nothing of the incident is public any more.
    updates: list[str]
    whole: bool

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        what = "" if data["whole"] else "an update of "
        return f"Withdrawn from the status page: {what}{data['title']} ({data['reason']})."


@dataclass(frozen=True, kw_only=True)
class _OfMaintenance(Event):
    maintenance: str
    title: str

    def subject(self) -> Subject:
        return Subject("status_maintenance", self.maintenance)


@dataclass(frozen=True, kw_only=True)
class MaintenanceScheduled(_OfMaintenance):
    kind: ClassVar[str] = "status.maintenance_scheduled"

    components: list[str]
    starts_at: datetime
    ends_at: datetime
    window: str | None = None

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The status page announces maintenance: {data['title']}."


@dataclass(frozen=True, kw_only=True)
class MaintenanceBegan(_OfMaintenance):
    kind: ClassVar[str] = "status.maintenance_began"

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The maintenance {data['title']} began as announced."


@dataclass(frozen=True, kw_only=True)
class MaintenanceCompleted(_OfMaintenance):
    kind: ClassVar[str] = "status.maintenance_completed"

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The maintenance {data['title']} is over as announced."


@dataclass(frozen=True, kw_only=True)
class MaintenanceEnded(_OfMaintenance):
    kind: ClassVar[str] = "status.maintenance_ended"

    cancelled: bool

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The maintenance {data['title']} {'was cancelled' if data['cancelled'] else 'ended early'}."


@dataclass(frozen=True, kw_only=True)
class WindowShown(Event):
    kind: ClassVar[str] = "status.window_shown"

    window: str
    title: str

    def subject(self) -> Subject:
        return Subject("alert_maintenance", self.window)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The maintenance window is shown on the status page as {data['title']}."


@dataclass(frozen=True, kw_only=True)
class _OfSubscriber(Event):
    subscriber: str
    by_kind: str

    def subject(self) -> Subject:
        return Subject("status_subscriber", self.subscriber)


@dataclass(frozen=True, kw_only=True)
class Subscribed(_OfSubscriber):
    kind: ClassVar[str] = "status.subscribed"

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"Somebody confirmed a subscription to the status page ({data['by_kind']})."


@dataclass(frozen=True, kw_only=True)
class Unsubscribed(_OfSubscriber):
    kind: ClassVar[str] = "status.unsubscribed"

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"Somebody ended a subscription to the status page ({data['by_kind']})."


@dataclass(frozen=True, kw_only=True)
class SubscriberDeactivated(_OfSubscriber):
    kind: ClassVar[str] = "status.subscriber_deactivated"

    refusals: int

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"A subscriber gets nothing any more: {data['refusals']} deliveries were refused for good."


@dataclass(frozen=True, kw_only=True)
class DeliveryGivenUp(_OfSubscriber):
    kind: ClassVar[str] = "status.delivery_given_up"

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"News could not be delivered to a subscriber of the status page ({data['by_kind']})."
