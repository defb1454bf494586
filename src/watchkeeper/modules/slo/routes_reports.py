"""The API of reports: of a period as JSON, CSV, PDF or mail; and who gets them when."""

# Annotations are kept as objects for FastAPI.
from typing import Annotated

from fastapi import Path, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse, Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.csv_table import csv_response
from watchkeeper.kernel.web.etag import etag_of, require_match, with_etag
from watchkeeper.kernel.web.idempotency import Answer, Once, once
from watchkeeper.kernel.web.parts import clock_part, database_part, parts_of
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.slo.engine import Engine
from watchkeeper.modules.slo.permissions import SCHEDULE_REPORTS, VIEW_SLOS
from watchkeeper.modules.slo.reports import asking, store
from watchkeeper.modules.slo.reports.as_csv import report_csv
from watchkeeper.modules.slo.reports.as_mail import in_full_or_short, mail_html, mail_text
from watchkeeper.modules.slo.reports.as_pdf import report_pdf
from watchkeeper.modules.slo.reports.content import Report
from watchkeeper.modules.slo.reports.counting import Causes
from watchkeeper.modules.slo.reports.period import Period
from watchkeeper.modules.slo.reports.schedule import Schedule
from watchkeeper.modules.slo.reports.scheduling import Schedules
from watchkeeper.modules.slo.reports.wire import (
    PeriodList,
    PeriodView,
    ReportView,
    ScheduleBody,
    ScheduleList,
    ScheduleView,
)
from watchkeeper.modules.slo.reports.words import document, report_path
from watchkeeper.modules.slo.routes import require_own
from watchkeeper.modules.telemetry.public import Telemetry

router = api_router("slo", prefix="/api/v1/slo")

Viewer = Annotated[Actor, requires(VIEW_SLOS)]
Scheduler = Annotated[Actor, requires(SCHEDULE_REPORTS)]
Db = Annotated[Database, database_part()]
Now = Annotated[Clock, clock_part()]
OfPeriod = Annotated[
    str, Query(max_length=20, description="A month such as `2026-10`, or a quarter such as `2026-Q3`.")
]
OfService = Annotated[str | None, Query(max_length=200, description="Only the SLOs of this service.")]
ScheduleId = Annotated[str, Path(max_length=40)]
_PDF = "application/pdf"


async def asked(request: Request, db: Database, clock: Clock, period: str, service: str | None) -> Report:
    """The report of a period, with who spent the budgets where telemetry knows. Raises ReportInvalid."""
    wanted, parts = Period.of_label(period), parts_of(request)
    engine, telemetry = parts.find(Engine), parts.find(Telemetry)
    if engine is None or telemetry is None:
        return await db.ask(lambda session: asking.report(session, wanted, clock.now(), service=service or None))

    def read(store: Telemetry) -> Report:
        with db.read() as session:
            causes = Causes(engine, store)
            return asking.report(session, wanted, clock.now(), service=service or None, causes=causes)

    return await telemetry.run(read)


def pdf_response(report: Report) -> Response:
    """The report as a file to be saved."""
    headers = {
        "Content-Disposition": f'attachment; filename="{report.file_name}.pdf"',
        "Cache-Control": "no-store",
    }
    return Response(report_pdf(report), headers=headers, media_type=_PDF)


@router.get("/report-periods")
async def periods(who: Viewer, db: Db, clock: Now) -> PeriodList:
    """Months and quarters that can be reported, newest first; the first of each kind still runs."""
    found = await db.ask(lambda session: asking.choices(session, clock.now()))
    return PeriodList(items=[PeriodView.of(one) for one in found])


@router.get("/reports")
async def report(
    request: Request, who: Viewer, db: Db, clock: Now, period: OfPeriod, service: OfService = None
) -> ReportView:
    """The SLO report of a month, or the SLA review of a quarter: closed statements as they were said, the rest as of
    now."""
    return ReportView.of(await asked(request, db, clock, period, service))


@router.get("/reports.csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
async def report_as_csv(
    request: Request, who: Viewer, db: Db, clock: Now, period: OfPeriod, service: OfService = None
) -> Response:
    """The same for a spreadsheet: a row for each objective, alert, cause, exclusion, agreement and credit."""
    found = await asked(request, db, clock, period, service)
    return csv_response(f"{found.file_name}.csv", report_csv(found))


@router.get("/reports.pdf", response_class=Response, responses={200: {"content": {_PDF: {}}}})
async def report_as_pdf(
    request: Request, who: Viewer, db: Db, clock: Now, period: OfPeriod, service: OfService = None
) -> Response:
    """The same on paper."""
    found = await asked(request, db, clock, period, service)
    return await db.ask(lambda _session: pdf_response(found))


@router.get("/reports.html", response_class=Response, responses={200: {"content": {"text/html": {}}}})
async def report_as_mail(
    request: Request, who: Viewer, db: Db, clock: Now, period: OfPeriod, service: OfService = None
) -> Response:
    """The same as the mail that is sent, to be looked at before."""
    found = await asked(request, db, clock, period, service)
    base_url = parts_of(request)[ServerSettings].base_url
    address = None if base_url is None else f"{base_url.rstrip('/')}{report_path(found.period, found.service)}"
    headers = {
        "Cache-Control": "no-store",
        # Mails have their styles inline, which our pages never do.
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'",
    }
    return Response(mail_html(in_full_or_short(found), address), headers=headers, media_type="text/html; charset=utf-8")


@router.get("/reports.txt", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def report_as_text(
    request: Request, who: Viewer, db: Db, clock: Now, period: OfPeriod, service: OfService = None
) -> Response:
    """The same as plain text, for a terminal."""
    found = await asked(request, db, clock, period, service)
    return Response(mail_text(document(found)), media_type="text/plain; charset=utf-8")


@router.get("/report-schedules")
async def schedules(who: Scheduler, db: Db, clock: Now) -> ScheduleList:
    """Who gets reports when. Addresses are shown to those who may change them."""
    found = await db.ask(store.all_schedules)
    return ScheduleList(items=[ScheduleView.of(one, clock.now()) for one in found])


@router.post("/report-schedules", status_code=201, response_model=ScheduleView)
async def add_schedule(
    who: Scheduler, order: ScheduleBody, db: Db, clock: Now, once: Annotated[Once, once()]
) -> Response:
    """Send a report to these addresses from its next date on."""

    def make(session: Session) -> Answer:
        require_own(session, who, order.service)
        made = Schedules(session, clock).add(order.wish(), by=who.id, source="api")
        return Answer(_view(session, clock, made).model_dump(mode="json"))

    answer = await db.write(lambda session: once.run(session, lambda: make(session)))
    return answer.response()


@router.get("/report-schedules/{schedule_id}", response_model=ScheduleView)
async def show_schedule(who: Scheduler, schedule_id: ScheduleId, db: Db, clock: Now) -> Response:
    """One schedule with its newest mails."""

    def read(session: Session) -> tuple[Schedule, ScheduleView]:
        found = Schedules(session, clock).schedule(schedule_id)
        return found, _view(session, clock, found)

    found, view = await db.ask(read)
    return with_etag(JSONResponse(view.model_dump(mode="json")), _etag(found))


@router.put("/report-schedules/{schedule_id}", response_model=ScheduleView)
async def change_schedule(
    request: Request, who: Scheduler, schedule_id: ScheduleId, order: ScheduleBody, db: Db, clock: Now
) -> Response:
    """Say it anew; with `If-Match`, only if nobody else did meanwhile."""

    def write(session: Session) -> tuple[Schedule, ScheduleView]:
        schedules = Schedules(session, clock)
        before = schedules.schedule(schedule_id, lock=True)
        require_own(session, who, before.service)
        require_own(session, who, order.service)
        require_match(request, _etag(before))
        made = schedules.change(schedule_id, order.wish(), by=who.id, source="api")
        return made, _view(session, clock, made)

    made, view = await db.write(write)
    return with_etag(JSONResponse(view.model_dump(mode="json")), _etag(made))


@router.delete("/report-schedules/{schedule_id}", status_code=204)
async def remove_schedule(who: Scheduler, schedule_id: ScheduleId, db: Db, clock: Now) -> None:
    """Send no more, and forget the addresses."""

    def write(session: Session) -> None:
        schedules = Schedules(session, clock)
        require_own(session, who, schedules.schedule(schedule_id).service)
        schedules.remove(schedule_id, by=who.id, source="api")

    await db.write(write)


def _view(session: Session, clock: Clock, found: Schedule) -> ScheduleView:
    return ScheduleView.of(found, clock.now(), store.newest_sendings(session, found.id))


def _etag(found: Schedule) -> str:
    return etag_of([str(value) for value in vars(found).values()])
