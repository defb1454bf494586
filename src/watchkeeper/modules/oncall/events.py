"""The facts that schedules and policies publish. People are named by their ids; reasons stand beside the fact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from watchkeeper.kernel.journal import Event, Subject


@dataclass(frozen=True, kw_only=True)
class _OfSchedule(Event):
    schedule: str

    def subject(self) -> Subject:
        return Subject("oncall_schedule", self.schedule)


@dataclass(frozen=True, kw_only=True)
class ScheduleDefined(_OfSchedule):
    kind: ClassVar[str] = "oncall.schedule_defined"

    after: Mapping[str, Any]

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The on-call schedule {data['schedule']} was made."


@dataclass(frozen=True, kw_only=True)
class ScheduleChanged(_OfSchedule):
    kind: ClassVar[str] = "oncall.schedule_changed"

    before: Mapping[str, Any]
    after: Mapping[str, Any]

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The {_and(data['after'])} of the on-call schedule {data['schedule']} changed."


@dataclass(frozen=True, kw_only=True)
class ScheduleRemoved(_OfSchedule):
    kind: ClassVar[str] = "oncall.schedule_removed"

    before: Mapping[str, Any]

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The on-call schedule {data['schedule']} was removed."


@dataclass(frozen=True, kw_only=True)
class _OfPolicy(Event):
    policy: str

    def subject(self) -> Subject:
        return Subject("oncall_policy", self.policy)


@dataclass(frozen=True, kw_only=True)
class PolicyDefined(_OfPolicy):
    kind: ClassVar[str] = "oncall.policy_defined"

    after: Mapping[str, Any]

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The escalation policy {data['policy']} was made."


@dataclass(frozen=True, kw_only=True)
class PolicyChanged(_OfPolicy):
    kind: ClassVar[str] = "oncall.policy_changed"

    before: Mapping[str, Any]
    after: Mapping[str, Any]

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The {_and(data['after'])} of the escalation policy {data['policy']} changed."


@dataclass(frozen=True, kw_only=True)
class PolicyRemoved(_OfPolicy):
    kind: ClassVar[str] = "oncall.policy_removed"

    before: Mapping[str, Any]

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The escalation policy {data['policy']} was removed."


@dataclass(frozen=True, kw_only=True)
class OverrideMade(_OfSchedule):
    """`who` is on call from `since` to `until`; with `instead_of`, where that person would be."""

    kind: ClassVar[str] = "oncall.override_made"

    override: str
    who: str
    instead_of: str | None
    since: str
    until: str
    swap: str | None = None

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"An override of {data['schedule']} was made, from {data['since'][:16]}Z to {data['until'][:16]}Z."


@dataclass(frozen=True, kw_only=True)
class OverrideEnded(_OfSchedule):
    kind: ClassVar[str] = "oncall.override_ended"

    override: str
    began: bool

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        how = "ended early" if data["began"] else "was taken back"
        return f"An override of {data['schedule']} {how}."


@dataclass(frozen=True, kw_only=True)
class SwapChanged(_OfSchedule):
    """`state` is asked, accepted, declined or withdrawn."""

    kind: ClassVar[str] = "oncall.swap_changed"

    swap: str
    state: str
    asker: str
    other: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        what = "asked for" if data["state"] == "asked" else data["state"]
        return f"A swap of shifts of {data['schedule']} was {what}."


@dataclass(frozen=True, kw_only=True)
class CalendarLinkMade(Event):
    kind: ClassVar[str] = "oncall.calendar_link_made"

    link: str
    person: str

    def subject(self) -> Subject:
        return Subject("person", self.person)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return "A person made a link by which calendars read schedules."


@dataclass(frozen=True, kw_only=True)
class CalendarLinkRevoked(Event):
    kind: ClassVar[str] = "oncall.calendar_link_revoked"

    link: str
    person: str

    def subject(self) -> Subject:
        return Subject("person", self.person)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return "A person's link by which calendars read schedules was revoked."


def _and(fields: Mapping[str, Any]) -> str:
    names = [str(name).replace("_", " ") for name in fields]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names) or "definition"
