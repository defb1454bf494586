"""JSON of reports and of their schedules."""

from __future__ import annotations

from datetime import datetime, time
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints

from watchkeeper.kernel.web.wire import StrictModel
from watchkeeper.modules.slo.definition import TimeZone
from watchkeeper.modules.slo.reports.asking import Choice
from watchkeeper.modules.slo.reports.content import Report, SloReport
from watchkeeper.modules.slo.reports.schedule import ReportKind, Schedule, next_due
from watchkeeper.modules.slo.reports.scheduling import LAST_DAY, MOST_RECIPIENTS, Wish
from watchkeeper.modules.slo.reports.store import Sending

TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Address = Annotated[str, StringConstraints(min_length=3, max_length=254)]


class ReportView(BaseModel):
    """A report: each SLO with its counts, budget, reasons and credits, worst first. Shares are from 0 to 1."""

    title: str
    period: str
    service: str | None
    made_at: datetime
    provisional: bool = Field(description="Some of it is of now: its period runs, or is not closed yet.")
    slos: tuple[SloReport, ...]

    @classmethod
    def of(cls, report: Report) -> ReportView:
        return cls(
            title=report.title,
            period=report.period.label,
            service=report.service,
            made_at=report.made_at,
            provisional=report.is_provisional,
            slos=report.slos,
        )


class PeriodView(BaseModel):
    """A period that can be reported; `closed`: something of it is stored."""

    period: str
    kind: Literal["month", "quarter"]
    title: str
    closed: bool

    @classmethod
    def of(cls, one: Choice) -> PeriodView:
        return cls(period=one.period.label, kind=one.period.kind, title=one.period.title, closed=one.closed)


class PeriodList(BaseModel):
    items: list[PeriodView]


class ScheduleBody(StrictModel):
    """Who gets which report when."""

    report: ReportKind = "monthly"
    service: str | None = Field(default=None, max_length=200, description="Only of this service's SLOs.")
    recipients: tuple[Address, ...] = Field(min_length=1, max_length=MOST_RECIPIENTS)
    day: int = Field(default=3, ge=1, le=LAST_DAY, description="Of the month; of a quarterly one, of the first month.")
    at: TimeOfDay = Field(default="08:00", description="Time of day in the time zone.")
    time_zone: TimeZone = "UTC"

    def wish(self) -> Wish:
        """As the verbs take it."""
        return Wish(
            report=self.report,
            service=self.service,
            recipients=self.recipients,
            day=self.day,
            at=time.fromisoformat(self.at),
            time_zone=self.time_zone,
        )


class SendingView(BaseModel):
    """One mail: `planned` (also while it is tried again, with the `error` of the last time), `sent` or `failed`."""

    period: str
    recipient: str
    state: Literal["planned", "sent", "failed"]
    error: str | None
    planned_at: datetime
    sent_at: datetime | None

    @classmethod
    def of(cls, one: Sending) -> SendingView:
        return cls(**{name: value for name, value in vars(one).items() if name in cls.model_fields})


class ScheduleView(BaseModel):
    """A schedule, when it is due next, and the newest mails."""

    id: str
    report: ReportKind
    service: str | None
    recipients: tuple[str, ...]
    day: int
    at: str
    time_zone: str
    created_by: str
    created_at: datetime
    next_at: datetime
    next_period: str
    sendings: list[SendingView] = Field(default_factory=list)

    @classmethod
    def of(cls, one: Schedule, now: datetime, sendings: list[Sending] | None = None) -> ScheduleView:
        due = next_due(one, now)
        said: dict[str, Any] = {
            **vars(one),
            "at": f"{one.at:%H:%M}",
            "next_at": due.at,
            "next_period": due.period.label,
        }
        return cls(**said, sendings=[SendingView.of(each) for each in sendings or ()])


class ScheduleList(BaseModel):
    items: list[ScheduleView]
