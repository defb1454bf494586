"""Mails of reports: the intent comes first, a killed process sends again as the same message, and no address leaks."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import select

from tests.slo.reports.support import close, count, promised, put_at
from tests.slo.support import Stage
from watchkeeper.kernel.mail import Mailer, MailSettings
from watchkeeper.kernel.work import Transactional, Worker
from watchkeeper.kernel.work.model import Recurring
from watchkeeper.kernel.work.tables import work
from watchkeeper.modules.slo.reports import sending, store
from watchkeeper.modules.slo.reports.period import Period
from watchkeeper.modules.slo.reports.schedule import Schedule
from watchkeeper.modules.slo.reports.scheduling import Schedules, Wish
from watchkeeper.modules.slo.reports.sending import Planning, Posting
from watchkeeper.modules.slo.reports.store import Sending

OCTOBER = Period(2026, 10)
SINCE, UNTIL = OCTOBER.bounds("Europe/Oslo")
DUE = datetime(2026, 11, 3, 7, tzinfo=UTC)
ADDRESSES = ("anna@example.org", "ben@example.org")


@dataclass
class Postbox:
    """A mail server that takes everything, or answers as it is told."""

    got: list[EmailMessage] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 (aiosmtpd's name)
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("250"):
            self.got.append(message)
        return answer

    @property
    def ids(self) -> list[str]:
        return [str(one["Message-ID"]) for one in self.got]


@dataclass
class Post:
    """Schedules and mails on a stage."""

    stage: Stage
    box: Postbox
    mailer: Mailer

    since: datetime = datetime(2026, 10, 1, tzinfo=UTC)

    @property
    def planning(self) -> Planning:
        return Planning(self.stage.clock, self.since)

    @property
    def posting(self) -> Posting:
        return Posting(self.stage.database, self.stage.clock, self.mailer, "https://watch.example.org")

    def schedule(self, recipients: tuple[str, ...] = ADDRESSES, **changes: Any) -> Schedule:
        wish = {"report": "monthly", "service": None, "day": 3, "at": time(8), "time_zone": "Europe/Oslo"}
        with self.stage.database.begin() as session:
            wanted = Wish(**{**wish, "recipients": recipients, **changes})
            return Schedules(session, self.stage.clock).add(wanted, by="alice", source="api")

    def work(self, rounds: int = 4, posting: Any = None) -> None:
        """Plan, and send what is planned."""
        planning = Recurring("slo.plan_reports", timedelta(days=1), Transactional(self.planning))
        handlers = {sending.KIND: posting or self.posting}
        worker = Worker(self.stage.database, self.stage.clock, handlers, recurring=[planning], lane="reports")
        with self.stage.database.begin() as session:
            self.planning(session, None)  # type: ignore[arg-type]
        for _ in range(rounds):
            worker.run_once()
        worker.stop()

    def sendings(self, schedule: Schedule) -> list[Sending]:
        with self.stage.database.read() as session:
            return sorted(store.newest_sendings(session, schedule.id), key=lambda one: one.recipient)


@pytest.fixture
def post(stage: Stage) -> Iterator[Post]:
    """October is closed, and it is the second of November."""
    stage.clock.jump(datetime(2026, 11, 2, tzinfo=UTC))
    put_at(stage, SINCE + timedelta(hours=1), promised())
    count(stage, SINCE, UNTIL, 998, 1000)
    close(stage)
    with mail_server() as (box, mailer):
        yield Post(stage, box, mailer)


@contextmanager
def mail_server() -> Iterator[tuple[Postbox, Mailer]]:
    box = Postbox()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        said = {"host": "127.0.0.1", "port": port, "security": "none", "sender": "watch@example.org"}
        yield box, Mailer(MailSettings.model_validate(said))
    finally:
        controller.stop()


def test_a_report_goes_to_each_address_once_when_it_is_due(post: Post) -> None:
    schedule = post.schedule()
    post.work()
    assert post.box.got == []
    post.stage.clock.jump(DUE)
    post.work()
    post.work()
    assert sorted(str(one["To"]) for one in post.box.got) == list(ADDRESSES)
    assert len(set(post.box.ids)) == 2
    assert [one.state for one in post.sendings(schedule)] == ["sent", "sent"]
    assert post.stage.kinds()[-4:] == ["report_scheduled", "report_planned", "report_sent", "report_sent"]


def test_the_mail_has_the_report_as_text_as_html_and_as_pdf(post: Post) -> None:
    post.schedule(ADDRESSES[:1])
    post.stage.clock.jump(DUE)
    post.work()
    (mail,) = post.box.got
    assert mail["Subject"] == "SLO report, October 2026: 1 of 1 objectives missed"
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    assert "998,000 of 1,000,000" not in text.get_content()
    assert "743,510 good of 745,000 events = 99.8000 %" in text.get_content()
    assert "https://watch.example.org/slos/reports/2026-10" in text.get_content()
    assert "1,000.00 EUR x 10 % = 100.00 EUR" in html.get_content()
    (pdf,) = mail.iter_attachments()
    assert (pdf.get_filename(), pdf.get_content_type()) == ("slo-report-2026-10.pdf", "application/pdf")
    assert pdf.get_content().startswith(b"%PDF-")


class Killed(BaseException):
    """The process ends here."""


@dataclass
class DiesAfterSending:
    """What a process does that is killed between the mail and its record."""

    posting: Posting

    def act(self, task: Any) -> Any:
        self.posting.act(task)
        raise Killed

    def finish(self, session: Any, task: Any, result: Any) -> None:
        raise AssertionError("it is dead")


def test_a_process_that_is_killed_sends_again_as_the_same_message(post: Post) -> None:
    schedule = post.schedule(ADDRESSES[:1])
    post.stage.clock.jump(DUE)
    with pytest.raises(Killed):
        post.work(rounds=1, posting=DiesAfterSending(post.posting))
    assert [one.state for one in post.sendings(schedule)] == ["planned"]
    _leases_run_out(post.stage)
    post.work()
    assert len(post.box.ids) == 2
    assert len(set(post.box.ids)) == 1
    assert [one.state for one in post.sendings(schedule)] == ["sent"]


def test_an_intent_that_was_never_acted_on_is_sent_by_another(post: Post) -> None:
    schedule = post.schedule(ADDRESSES[:1])
    post.stage.clock.jump(DUE)
    with post.stage.database.begin() as session:
        post.planning(session, None)  # type: ignore[arg-type]
    assert [one.state for one in post.sendings(schedule)] == ["planned"]
    post.work()
    assert len(post.box.got) == 1


def test_two_replicas_plan_a_report_once(post: Post) -> None:
    post.schedule()
    post.stage.clock.jump(DUE)
    for _ in range(2):
        with post.stage.database.begin() as session:
            post.planning(session, None)  # type: ignore[arg-type]
    post.work()
    assert len(post.box.got) == 2
    assert post.stage.kinds().count("report_planned") == 1


def test_a_server_that_does_not_take_it_is_asked_again_with_the_same_message(post: Post) -> None:
    schedule = post.schedule(ADDRESSES[:1])
    post.stage.clock.jump(DUE)
    post.box.answers = ["451 later", "451 later"]
    post.work()
    assert [(one.state, one.error) for one in post.sendings(schedule)] == [("sent", None)]
    assert len(post.box.got) == 1
    assert post.stage.kinds().count("report_sent") == 1


def test_after_three_days_it_is_given_up_and_said(post: Post) -> None:
    schedule = post.schedule(ADDRESSES[:1])
    post.stage.clock.jump(DUE)
    post.box.answers = ["451 later"] * 9
    post.work(rounds=1)
    held = post.sendings(schedule)[0]
    assert (held.state, held.error) == ("planned", "the SMTP server refused it for now: it answered 451")
    post.stage.clock.advance(timedelta(days=3))
    post.work(rounds=1)
    assert [one.state for one in post.sendings(schedule)] == ["failed"]
    assert post.stage.kinds()[-1] == "report_not_sent"
    post.work()
    assert post.box.got == []


def test_without_a_mail_server_it_waits_and_says_so(post: Post) -> None:
    schedule = post.schedule(ADDRESSES[:1])
    post.stage.clock.jump(DUE)
    post.mailer = Mailer(MailSettings.model_validate({}))
    post.work(rounds=1)
    assert post.sendings(schedule)[0].error == "WATCHKEEPER_MAIL_HOST names no SMTP server."


def test_no_address_is_in_the_journal_nor_in_work(post: Post) -> None:
    schedule = post.schedule()
    post.stage.clock.jump(DUE)
    post.box.answers = ["550 no such user anna@example.org"]
    post.work()
    with post.stage.database.begin() as session:
        Schedules(session, post.stage.clock).remove(schedule.id, by="alice", source="api")
    facts = json.dumps([[one.data, one.subject] for one in post.stage.facts("")], default=str)
    with post.stage.database.read() as session:
        rows = json.dumps([[row.payload, row.key, row.last_error] for row in session.execute(select(work))])
        assert store.newest_sendings(session, schedule.id) == []
    assert "example.org" not in facts + rows


def test_a_removed_schedule_sends_nothing_more(post: Post) -> None:
    schedule = post.schedule()
    post.stage.clock.jump(DUE)
    with post.stage.database.begin() as session:
        post.planning(session, None)  # type: ignore[arg-type]
        Schedules(session, post.stage.clock).remove(schedule.id, by="alice", source="api")
    post.work()
    assert post.box.got == []


def test_who_is_no_recipient_any_more_gets_nothing_that_waits(post: Post) -> None:
    schedule = post.schedule()
    post.stage.clock.jump(DUE)
    with post.stage.database.begin() as session:
        post.planning(session, None)  # type: ignore[arg-type]
        wish = Wish("monthly", None, (ADDRESSES[1], "new@example.org"), 3, time(8), "Europe/Oslo")
        Schedules(session, post.stage.clock).change(schedule.id, wish, by="alice", source="api")
    post.work()
    # Who came later begins with the next report.
    assert [str(one["To"]) for one in post.box.got] == [ADDRESSES[1]]


def test_it_waits_for_what_is_not_closed_but_not_for_ever(post: Post) -> None:
    put_at(post.stage, SINCE + timedelta(hours=1), promised("slow"))
    post.schedule(ADDRESSES[:1])
    post.stage.clock.jump(DUE)
    post.work()
    assert post.box.got == []
    post.stage.clock.advance(timedelta(days=2))
    post.work()
    (mail,) = post.box.got
    text = mail.get_body(("plain",))
    assert text is not None
    assert "Provisional" in text.get_content()


def test_after_a_downtime_what_ended_meanwhile_is_closed_before_it_is_sent(post: Post) -> None:
    put_at(post.stage, SINCE + timedelta(hours=1), promised("late"))
    post.schedule(ADDRESSES[:1])
    post.since = DUE + timedelta(days=20)
    post.stage.clock.jump(post.since)
    post.work()
    assert post.box.got == []
    close(post.stage)
    post.work()
    (mail,) = post.box.got
    text = mail.get_body(("plain",))
    assert text is not None
    assert "Provisional" not in text.get_content()


def _leases_run_out(stage: Stage) -> None:
    from sqlalchemy import update

    with stage.database.begin() as session:
        session.execute(update(work).values(lease_until=None))
