"""Pages of reports: the periods, one report as a page, CSV or PDF, and who gets them when."""

# Annotations are kept as objects for FastAPI.
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time
from typing import Annotated, get_args
from urllib.parse import quote
from zoneinfo import available_timezones

from fastapi import Form, Path, Query, Request
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Complaint, Invalid, Refusal
from watchkeeper.kernel.mail import Mailer
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.csv_table import csv_response
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.parts import parts_of
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.catalog import public as catalog
from watchkeeper.modules.slo.pages import sections
from watchkeeper.modules.slo.permissions import SCHEDULE_REPORTS
from watchkeeper.modules.slo.reports import asking, store
from watchkeeper.modules.slo.reports.as_csv import report_csv
from watchkeeper.modules.slo.reports.errors import ScheduleInvalid
from watchkeeper.modules.slo.reports.period import Period
from watchkeeper.modules.slo.reports.schedule import Due, ReportKind, Schedule, next_due
from watchkeeper.modules.slo.reports.scheduling import LAST_DAY, Schedules, Wish
from watchkeeper.modules.slo.reports.store import Sending
from watchkeeper.modules.slo.reports.words import document, report_path
from watchkeeper.modules.slo.routes import require_own
from watchkeeper.modules.slo.routes_reports import (
    Db,
    Now,
    OfService,
    ScheduleId,
    Scheduler,
    Viewer,
    asked,
    pdf_response,
)

router = page_router()
Label = Annotated[str, Path(max_length=20)]
KINDS = (("monthly", "SLO report of each month"), ("quarterly", "SLA review of each quarter"))
_SCHEDULES = "/slos/reports/schedules"
_SENDINGS = 10


class ScheduleForm(PageForm):
    """Who gets which report when."""

    report: str = Field(default="monthly", max_length=20)
    service: str = Field(default="", max_length=200)
    recipients: str = Field(default="", max_length=20_000)
    day: str = Field(default="3", max_length=10)
    at: str = Field(default="08:00", max_length=10)
    time_zone: str = Field(default="UTC", max_length=64)

    @classmethod
    def of(cls, kept: Schedule) -> "ScheduleForm":
        return cls(
            report=kept.report,
            service=kept.service or "",
            recipients="\n".join(kept.recipients),
            day=str(kept.day),
            at=f"{kept.at:%H:%M}",
            time_zone=kept.time_zone,
        )

    def wish(self) -> Wish:
        """Raises ScheduleInvalid, saying at which fields what was expected."""
        found: list[Complaint] = []
        kind: ReportKind = "quarterly" if self.report == "quarterly" else "monthly"
        if self.report not in get_args(ReportKind):
            found.append(Complaint("report", "one of those that are listed"))
        if self.time_zone not in available_timezones():
            found.append(Complaint("time_zone", "a time zone such as Europe/Oslo"))
        try:
            at = time.fromisoformat(self.at)
        except ValueError:
            at = time()
            found.append(Complaint("at", "a time of day such as 08:00"))
        if found:
            raise ScheduleInvalid("The schedule is not valid.", complaints=found)
        day = int(self.day) if self.day.isdecimal() else 0
        recipients = tuple(self.recipients.replace(",", " ").replace(";", " ").split())
        return Wish(kind, self.service or None, recipients, day, at.replace(second=0, microsecond=0), self.time_zone)


@dataclass(frozen=True)
class Planned:
    """A schedule on its page."""

    schedule: Schedule
    next: Due
    sendings: list[Sending]


@router.get("/slos/reports")
async def periods(
    who: Viewer,
    request: Request,
    db: Db,
    clock: Now,
    period: Annotated[str, Query(max_length=20)] = "",
    service: OfService = None,
) -> Response:
    """Months and quarters; with `period` it leads to that report."""
    if period:
        return RedirectResponse(f"/slos/reports/{quote(period, safe='')}{_of(service)}", status_code=303)

    def read(session: Session) -> tuple[list[asking.Choice], list[str]]:
        return asking.choices(session, clock.now()), [one.name for one in catalog.services(session)]

    found, services = await db.ask(read)
    return render(
        request,
        "slo/reports.html",
        tabs=sections("Reports"),
        months=[one for one in found if one.period.kind == "month"],
        quarters=[one for one in found if one.period.kind == "quarter"],
        services=services,
        service=service or "",
        of=_of(service),
        may_schedule=who.may(SCHEDULE_REPORTS),
    )


@router.get(_SCHEDULES)
async def schedules(who: Scheduler, request: Request, db: Db, clock: Now) -> Response:
    """Who gets reports when, and what became of the newest mails."""
    return await _schedules_page(request, db, clock, ScheduleForm())


@router.post(_SCHEDULES)
async def add_schedule(
    who: Scheduler, request: Request, form: Annotated[ScheduleForm, Form()], db: Db, clock: Now
) -> Response:
    """Send a report from its next date on, or say at the fields why not."""

    def write(session: Session) -> None:
        require_own(session, who, form.service or None)
        Schedules(session, clock).add(form.wish(), by=who.id, source="console")

    return await _schedules_after(request, db, clock, write, form)


@router.get(_SCHEDULES + "/{schedule_id}")
async def edit_schedule(who: Scheduler, request: Request, schedule_id: ScheduleId, db: Db, clock: Now) -> Response:
    """The form, filled in with what is there."""
    kept = await db.ask(lambda session: Schedules(session, clock).schedule(schedule_id))
    return await _schedules_page(request, db, clock, ScheduleForm.of(kept), edited=schedule_id)


@router.post(_SCHEDULES + "/{schedule_id}")
async def change_schedule(
    who: Scheduler,
    request: Request,
    schedule_id: ScheduleId,
    form: Annotated[ScheduleForm, Form()],
    db: Db,
    clock: Now,
) -> Response:
    """Say it anew."""

    def write(session: Session) -> None:
        found = Schedules(session, clock)
        _require_own(session, found, who, schedule_id)
        require_own(session, who, form.service or None)
        found.change(schedule_id, form.wish(), by=who.id, source="console")

    return await _schedules_after(request, db, clock, write, form, edited=schedule_id)


@router.post(_SCHEDULES + "/{schedule_id}/remove")
async def remove_schedule(who: Scheduler, schedule_id: ScheduleId, db: Db, clock: Now) -> Response:
    """Send no more, and forget the addresses."""

    def write(session: Session) -> None:
        found = Schedules(session, clock)
        _require_own(session, found, who, schedule_id)
        found.remove(schedule_id, by=who.id, source="console")

    await db.write(write)
    return RedirectResponse(_SCHEDULES, status_code=303)


@router.get("/slos/reports/{label}.csv")
async def report_csv_file(
    who: Viewer, request: Request, label: Label, db: Db, clock: Now, service: OfService = None
) -> Response:
    """The report for a spreadsheet."""
    found = await asked(request, db, clock, label, service)
    return csv_response(f"{found.file_name}.csv", report_csv(found))


@router.get("/slos/reports/{label}.pdf")
async def report_pdf_file(
    who: Viewer, request: Request, label: Label, db: Db, clock: Now, service: OfService = None
) -> Response:
    """The report on paper."""
    found = await asked(request, db, clock, label, service)
    return await db.ask(lambda _session: pdf_response(found))


@router.get("/slos/reports/{label}")
async def report(
    who: Viewer, request: Request, label: Label, db: Db, clock: Now, service: OfService = None
) -> Response:
    """One report, as it is printed."""
    found = await asked(request, db, clock, label, service)
    title, *blocks = document(found)
    return render(
        request,
        "slo/report.html",
        report=found,
        heading=title,
        blocks=blocks,
        csv=report_path(found.period, found.service, ".csv"),
        pdf=report_path(found.period, found.service, ".pdf"),
        mail=f"/api/v1/slo/reports.html?period={found.period.label}{_of(found.service).replace('?', '&')}",
        before=report_path(found.period.moved(-1), found.service),
        after=report_path(found.period.moved(1), found.service) if _began(found.period.moved(1), clock.now()) else None,
    )


def _began(period: Period, now: datetime) -> bool:
    return period.bounds("UTC")[0] <= now


def _of(service: str | None) -> str:
    return f"?service={quote(service, safe='')}" if service else ""


def _require_own(session: Session, found: Schedules, who: Actor, schedule_id: str) -> None:
    require_own(session, who, found.schedule(schedule_id).service)


async def _schedules_after(
    request: Request,
    db: Database,
    clock: Clock,
    write: Callable[[Session], None],
    form: ScheduleForm,
    *,
    edited: str | None = None,
) -> Response:
    try:
        await db.write(write)
    except Invalid as refusal:
        return await _schedules_page(request, db, clock, form, edited=edited, refusal=refusal)
    return RedirectResponse(_SCHEDULES, status_code=303)


async def _schedules_page(
    request: Request,
    db: Database,
    clock: Clock,
    form: ScheduleForm,
    *,
    edited: str | None = None,
    refusal: Refusal | None = None,
) -> Response:
    def read(session: Session) -> tuple[list[Planned], list[str]]:
        found = [
            Planned(one, next_due(one, clock.now()), store.newest_sendings(session, one.id, _SENDINGS))
            for one in store.all_schedules(session)
        ]
        return found, [one.name for one in catalog.services(session)]

    found, services = await db.ask(read)
    mailer = parts_of(request).find(Mailer)
    return render(
        request,
        "slo/report_schedules.html",
        status=refusal.status if refusal else 200,
        tabs=sections("Reports"),
        found=found,
        services=services,
        kinds=KINDS,
        days=[(str(day), str(day)) for day in range(1, LAST_DAY + 1)],
        form=form,
        edited=edited,
        refusal=refusal,
        errors=_errors(refusal),
        has_mail=mailer is not None and mailer.is_set_up,
    )


def _errors(refusal: Refusal | None) -> dict[str, str]:
    """By field; those of single addresses stand at the field of all."""
    if refusal is None:
        return {}
    return {one.where.partition("[")[0]: one.expected for one in refusal.complaints}
