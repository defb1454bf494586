"""The facts that alerts publish."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from watchkeeper.kernel.journal import Effect, Event, Subject


@dataclass(frozen=True, kw_only=True)
class OfGroup(Event):
    """Base of what happens to a group of alerts."""

    group: str
    title: str
    severity: str
    service_name: str | None
    environment: str | None

    def subject(self) -> Subject:
        return Subject("alert_group", self.group)

    def service(self) -> str | None:
        return self.service_name


@dataclass(frozen=True, kw_only=True)
class GroupOpened(OfGroup):
    kind: ClassVar[str] = "alerts.group_opened"

    urgency: str
    family: str
    suppressed: str | None = None
    slo: str | None = None

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        quiet = f" Nobody is paged: {data['suppressed']}." if data.get("suppressed") else ""
        return f"Alert ({data['severity']}): {data['title']}.{quiet}"


@dataclass(frozen=True, kw_only=True)
class AlertJoined(OfGroup):
    """Told of the first ten, and then at 20, 50, 100, 200, 500 and so on: a storm must not drown the timeline."""

    kind: ClassVar[str] = "alerts.alert_joined"

    alert_title: str
    alert_count: int

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{data['alert_title']} joined {data['title']}, which has {data['alert_count']} alerts now."


@dataclass(frozen=True, kw_only=True)
class GroupEscalatedSeverity(OfGroup):
    """`wakes`: it ended an acknowledgement or a snooze, if there was one."""

    kind: ClassVar[str] = "alerts.group_escalated_severity"

    before: Mapping[str, Any]
    after: Mapping[str, Any]
    wakes: bool = False

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{data['title']} became worse: it is {data['severity']} now."


@dataclass(frozen=True, kw_only=True)
class GroupSuppressed(OfGroup):
    kind: ClassVar[str] = "alerts.group_suppressed"

    why: str
    what: str | None

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"Nobody is paged for {data['title']} any more: {data['why']}."


@dataclass(frozen=True, kw_only=True)
class GroupUnsuppressed(OfGroup):
    kind: ClassVar[str] = "alerts.group_unsuppressed"

    why: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{data['title']} still fires, and its {data['why']} is over: it pages."


@dataclass(frozen=True, kw_only=True)
class GroupFlapping(OfGroup):
    kind: ClassVar[str] = "alerts.group_flapping"

    changes: int

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{data['title']} comes and goes ({data['changes']} changes): it stays open until it is calm."


@dataclass(frozen=True, kw_only=True)
class GroupAcknowledged(OfGroup):
    kind: ClassVar[str] = "alerts.group_acknowledged"

    until: datetime | None = None

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{data['title']} was acknowledged."


@dataclass(frozen=True, kw_only=True)
class GroupUnacknowledged(OfGroup):
    kind: ClassVar[str] = "alerts.group_unacknowledged"

    reason: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{data['title']} is no longer acknowledged."


@dataclass(frozen=True, kw_only=True)
class GroupSnoozed(OfGroup):
    kind: ClassVar[str] = "alerts.group_snoozed"

    until: datetime
    reason: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{data['title']} was snoozed."


@dataclass(frozen=True, kw_only=True)
class GroupSnoozeEnded(OfGroup):
    kind: ClassVar[str] = "alerts.group_snooze_ended"

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The snooze of {data['title']} is over."


@dataclass(frozen=True, kw_only=True)
class GroupResolved(OfGroup):
    kind: ClassVar[str] = "alerts.group_resolved"

    reason: str
    lasted_seconds: int

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{data['title']} is resolved."


@dataclass(frozen=True, kw_only=True)
class GroupReopened(OfGroup):
    kind: ClassVar[str] = "alerts.group_reopened"

    suppressed: str | None = None

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        quiet = f" Nobody is paged: {data['suppressed']}." if data.get("suppressed") else ""
        return f"{data['title']} fires again.{quiet}"


@dataclass(frozen=True, kw_only=True)
class GroupNoted(OfGroup):
    """Somebody or something added a line to its timeline, such as who has it now."""

    kind: ClassVar[str] = "alerts.group_noted"

    note: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{data['title']}: {data['note']}"


@dataclass(frozen=True, kw_only=True)
class ChangeRecorded(Event):
    """Something outside changed, says whoever sent a change event."""

    kind: ClassVar[str] = "alerts.change_recorded"
    effect: ClassVar[Effect] = Effect.CODE

    integration: str
    service_name: str | None
    summary: str
    origin: str
    happened_at: datetime | None = None
    links: list[Mapping[str, str]] = field(default_factory=list)
    details: Mapping[str, Any] = field(default_factory=dict)

    def subject(self) -> Subject:
        return Subject("alert_integration", self.integration)

    def service(self) -> str | None:
        return self.service_name

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        said = f"{data['summary']} ({data['origin']})" if data["origin"] else str(data["summary"])
        return said if said.endswith((".", "…")) else f"{said}."
