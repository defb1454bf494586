"""Sends reports: the intent is written first, then each address gets its mail by work of its own.

A process that is killed between the two leaves the work, which another takes over; the Message-ID is the intent's, so
that a mail which was sent twice is one to whoever gets it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal, work
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.mail import Attachment, Mail, Mailer, MailFailed, MailRefused
from watchkeeper.kernel.work import Task
from watchkeeper.modules.slo import store
from watchkeeper.modules.slo.reports import asking
from watchkeeper.modules.slo.reports import store as store_reports
from watchkeeper.modules.slo.reports.as_mail import in_full_or_short, mail_html, mail_text
from watchkeeper.modules.slo.reports.as_pdf import report_pdf
from watchkeeper.modules.slo.reports.content import Report
from watchkeeper.modules.slo.reports.counting import Causes
from watchkeeper.modules.slo.reports.events import ReportNotSent, ReportPlanned, ReportSent
from watchkeeper.modules.slo.reports.period import Period
from watchkeeper.modules.slo.reports.schedule import Due, Schedule, newest_due
from watchkeeper.modules.slo.reports.store import Sending
from watchkeeper.modules.slo.reports.words import report_path

KIND = "slo.report"
_BY = "watchkeeper"
WAITS_FOR_CLOSING = timedelta(days=2)  # after which a provisional report is better than none
_AFTER_A_START = timedelta(hours=1)  # what ended during a downtime is closed first
TRIED_FOR = timedelta(days=3)
_PAUSES = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1))


def message_of(report: Report, to: str, *, key: str, base_url: str | None) -> Mail:
    """The report as it is sent: in words, as HTML, and as PDF."""
    address = None if base_url is None else f"{base_url.rstrip('/')}{report_path(report.period, report.service)}"
    blocks = in_full_or_short(report)
    pdf = Attachment(f"{report.file_name}.pdf", report_pdf(report), "application/pdf")
    return Mail(
        to=to,
        subject=subject_of(report),
        text=mail_text(blocks, address),
        html=mail_html(blocks, address),
        attachments=(pdf,),
        key=key,
    )


def subject_of(report: Report) -> str:
    """`SLO report, October 2026: 1 of 12 objectives missed`."""
    every = len(report.objectives)
    said = f"{report.missed} of {every} objectives missed" if report.missed else f"{every} objectives, none missed"
    return f"{report.title}: {said if every else 'no objectives'}"


@dataclass(frozen=True)
class Planning:
    """The verb of recurring work: notes for whom a report is due, and enqueues a mail for each. `since` is when this
    server began to close reports."""

    clock: Clock
    since: datetime

    def __call__(self, session: Session, _task: Task) -> None:
        now = self.clock.now()
        for schedule in store_reports.all_schedules(session):
            due = newest_due(schedule, now)
            if due is None or store_reports.is_planned(session, schedule.id, due.period.label):
                continue
            waited = now - due.at >= WAITS_FOR_CLOSING and now - self.since >= _AFTER_A_START
            if waited or _is_closed(session, due, schedule.service):
                self._plan(session, schedule, due.period, now)

    def _plan(self, session: Session, schedule: Schedule, period: Period, now: datetime) -> None:
        planned = 0
        for recipient in schedule.recipients:
            sending = store_reports.plan_sending(session, schedule, period.label, recipient, now)
            if sending is not None:
                planned += 1
                enqueue(session, sending, attempt=1, due_at=now)
        if planned:
            fact = ReportPlanned(
                schedule=schedule.id,
                report=schedule.report,
                recipients=planned,
                service_name=schedule.service,
                period=period.label,
            )
            journal.append(session, fact, by=_BY, source="worker", at=now)


def _is_closed(session: Session, due: Due, service: str | None) -> bool:
    closed = store_reports.closed_of(session, {due.period.label})
    return all(
        (one.name, due.period.label) in closed
        for one in store.all_definitions(session, service=service)
        if one.created_at < due.period.bounds(one.definition.window.time_zone)[1]
    )


def enqueue(session: Session, sending: str, *, attempt: int, due_at: datetime) -> None:
    """The work of one mail; no address is in it."""
    key = f"{KIND}:{sending}:{attempt}"
    work.enqueue(session, kind=KIND, key=key, due_at=due_at, payload={"sending": sending, "attempt": attempt})


@dataclass(frozen=True)
class Posted:
    """What became of a mail; `error` None: the server took it."""

    sending: Sending
    error: str | None


@dataclass(frozen=True)
class Posting:
    """A work Handler: one mail to one address, at least once and always with the same Message-ID."""

    db: Database
    clock: Clock
    mailer: Mailer
    base_url: str | None
    causes: Causes | None = None

    def act(self, task: Task) -> Posted | None:
        """Hand it to the mail server; None when it is not to be sent any more."""
        with self.db.read() as session:
            sending = store_reports.sending(session, task.payload["sending"])
            schedule = None if sending is None else store_reports.schedule(session, sending.schedule_id)
            if sending is None or schedule is None or sending.state != "planned":
                return None
            period = Period.of_label(sending.period)
            report = asking.report(session, period, self.clock.now(), service=schedule.service, causes=self.causes)
        mail = message_of(report, sending.recipient, key=f"{KIND}.{sending.id}", base_url=self.base_url)
        try:
            self.mailer.send(mail)
        except MailFailed as error:
            return Posted(sending, str(error))
        except MailRefused as refusal:
            return Posted(sending, refusal.detail)
        return Posted(sending, None)

    def finish(self, session: Session, task: Task, result: Posted | None) -> None:
        if result is None:
            return
        schedule = store_reports.schedule(session, result.sending.schedule_id)
        if schedule is None:  # removed meanwhile, with its addresses
            return
        now, sending, attempt = self.clock.now(), result.sending, int(task.payload["attempt"])
        about: dict[str, Any] = {
            "schedule": schedule.id,
            "report": schedule.report,
            "recipients": 1,
            "service_name": schedule.service,
            "period": sending.period,
            "sending": sending.id,
        }
        if result.error is None:
            store_reports.record_sent(session, sending.id, now)
            journal.append(session, ReportSent(**about), by=_BY, source="worker", at=now)
            return
        given_up = now - sending.planned_at >= TRIED_FOR
        store_reports.record_failed(session, sending.id, result.error, for_good=given_up)
        if given_up:
            journal.append(session, ReportNotSent(**about, error=result.error), by=_BY, source="worker", at=now)
        else:
            pause = _PAUSES[min(attempt, len(_PAUSES)) - 1]
            enqueue(session, sending.id, attempt=attempt + 1, due_at=now + pause)
