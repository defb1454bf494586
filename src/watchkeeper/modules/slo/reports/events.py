"""The facts of reports. No address is in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from watchkeeper.kernel.journal import Event, Subject


@dataclass(frozen=True, kw_only=True)
class _OfStatement(Event):
    slo: str
    service_name: str
    period: str
    revision: int

    def subject(self) -> Subject:
        return Subject("slo", self.slo)

    def service(self) -> str | None:
        return self.service_name or None


@dataclass(frozen=True, kw_only=True)
class ReportClosed(_OfStatement):
    """A period is over, and what is said of it is stored."""

    kind: ClassVar[str] = "slo.report_closed"

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The report of {data['slo']} for {data['period']} was closed."


@dataclass(frozen=True, kw_only=True)
class ReportReopened(_OfStatement):
    """What a closed report was made of changed; `why` says what, in numbers."""

    kind: ClassVar[str] = "slo.report_reopened"

    why: tuple[str, ...]

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The report of {data['slo']} for {data['period']} changed after it was closed: {'; '.join(data['why'])}"


@dataclass(frozen=True, kw_only=True)
class _OfSchedule(Event):
    schedule: str
    report: str
    recipients: int
    service_name: str | None = None

    def subject(self) -> Subject:
        return Subject("slo_report_schedule", self.schedule)

    def service(self) -> str | None:
        return self.service_name


@dataclass(frozen=True, kw_only=True)
class ReportScheduled(_OfSchedule):
    kind: ClassVar[str] = "slo.report_scheduled"

    day: int
    at: str
    time_zone: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return (
            f"A {data['report']} report will be sent to {data['recipients']} addresses on day {data['day']} at "
            f"{data['at']} ({data['time_zone']})."
        )


@dataclass(frozen=True, kw_only=True)
class ReportRescheduled(_OfSchedule):
    kind: ClassVar[str] = "slo.report_rescheduled"

    day: int
    at: str
    time_zone: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return (
            f"A {data['report']} report now goes to {data['recipients']} addresses on day {data['day']} at "
            f"{data['at']} ({data['time_zone']})."
        )


@dataclass(frozen=True, kw_only=True)
class ReportUnscheduled(_OfSchedule):
    kind: ClassVar[str] = "slo.report_unscheduled"

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"A {data['report']} report is no longer sent."


@dataclass(frozen=True, kw_only=True)
class _OfSending(_OfSchedule):
    period: str


@dataclass(frozen=True, kw_only=True)
class ReportPlanned(_OfSending):
    """It was decided to send it; each address gets it by work of its own."""

    kind: ClassVar[str] = "slo.report_planned"

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The {data['report']} report for {data['period']} goes to {data['recipients']} addresses."


@dataclass(frozen=True, kw_only=True)
class ReportSent(_OfSending):
    kind: ClassVar[str] = "slo.report_sent"

    sending: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The {data['report']} report for {data['period']} was sent to one address."


@dataclass(frozen=True, kw_only=True)
class ReportNotSent(_OfSending):
    """Given up after days; `error` says why."""

    kind: ClassVar[str] = "slo.report_not_sent"

    sending: str
    error: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The {data['report']} report for {data['period']} did not reach one address: {data['error']}"
