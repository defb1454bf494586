"""Whatever a provider does, on whichever channel: the second way is there within a minute, and nothing is silent."""

from __future__ import annotations

import json
import logging
import re
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.conftest import NOON
from tests.notify.faults import (
    Authority,
    Took,
    answers,
    answers_late,
    closed_port,
    drips,
    hangs,
    serving,
    speaks_smtp,
)
from tests.notify.support import LEASE, Post, Provider
from watchkeeper.kernel.bounded import Bounded
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import open_database
from watchkeeper.kernel.mail import Mailer, MailSettings
from watchkeeper.kernel.outbound import Outbound, parse_networks
from watchkeeper.kernel.work import store as work_store
from watchkeeper.modules.notify import store_notifications
from watchkeeper.modules.notify.channels import SPECS
from watchkeeper.modules.notify.model import PATIENCE, ChannelKind, Outcome, Preferences, Rule
from watchkeeper.modules.notify.providers import Providers
from watchkeeper.modules.notify.public import Owners
from watchkeeper.modules.notify.sending import Sending, Tried

# How long one send may take at most. While a test waits less for what hangs, the sender's clock moves by this.
LONGEST = timedelta(seconds=15)
WITHIN = timedelta(seconds=60)
_SHORT, _LONG = 0.6, 60.0
SECRET = "s3cr3t"
ADDRESSES = {
    ChannelKind.EMAIL: f"alice-{SECRET}@example.org",
    ChannelKind.SLACK: "U024BE7LH",
    ChannelKind.NTFY: f"topic-{SECRET}",
    ChannelKind.TELEGRAM: "-100200300",
    ChannelKind.SMS: "+4791234567",
    ChannelKind.VOICE: "+4791234567",
}
SECRETS = {
    ChannelKind.SLACK: {"token": f"xoxb-{SECRET}12345"},
    ChannelKind.WEBHOOK: {"secret": SECRET * 3},
    ChannelKind.NTFY: {"token": f"tk_{SECRET}"},
    ChannelKind.TELEGRAM: {"token": f"1234:{SECRET * 4}"},
    ChannelKind.SMS: {"token": f"{SECRET}-token"},
    ChannelKind.VOICE: {"token": f"{SECRET}-token"},
    ChannelKind.PAGERDUTY: {"key": (SECRET * 6)[:32]},
}
KEYED = {ChannelKind.EMAIL, ChannelKind.WEBHOOK, ChannelKind.SMS, ChannelKind.VOICE}


@dataclass(frozen=True)
class Fault:
    """A way to fail: where that is met, what the record says of it, and by a mail server."""

    port: int
    said: str
    mail_port: int
    mail_said: str
    seconds: float = _LONG
    tls: bool = False
    took: Took = field(default_factory=Took)
    retried_after: timedelta = timedelta(seconds=15)
    mail_for_good: bool = False


@dataclass(frozen=True)
class Wrecks:
    """One of each, for all tests here."""

    authority: Authority
    servers: ExitStack

    def fault(self, name: str) -> Fault:
        made: Fault = getattr(self, name)
        return made

    @cached_property
    def refused(self) -> Fault:
        return Fault(closed_port(), "refuses connections", closed_port(), "refuses connections")

    @cached_property
    def hang(self) -> Fault:
        port = self._on(hangs)
        return Fault(port, "did not answer within", port, "did not answer within", _SHORT / 2)

    @cached_property
    def drip_of_headers(self) -> Fault:
        said, mail = self._on(drips(b"HTTP/1.1 200 OK\r\nX-More: ")), self._on(drips(b"220-"))
        return Fault(said, "did not answer within", mail, "did not answer within", _SHORT / 2)

    @cached_property
    def drip_of_body(self) -> Fault:
        said = self._on(drips(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"))
        mail = self._on(drips(b"220 mail\r\n250-"))
        return Fault(said, "did not answer within", mail, "did not answer within", _SHORT / 2)

    @cached_property
    def status_429(self) -> Fault:
        took = Took()
        mail = self._on(speaks_smtp("451 too busy", took))
        return Fault(self._on(answers(429, took)), "429 Too Many", mail, "refused it for now: .* 451", took=took)

    @cached_property
    def status_429_for_a_while(self) -> Fault:
        took = Took()
        port = self._on(answers(429, took, {"Retry-After": "90"}))
        mail = self._on(speaks_smtp("421 too busy", took))
        rest = timedelta(seconds=90)
        return Fault(port, "429 Too Many", mail, "refused it for now: .* 421", took=took, retried_after=rest)

    @cached_property
    def status_500(self) -> Fault:
        took = Took()
        mail = self._on(speaks_smtp("554 no", took))
        return Fault(
            self._on(answers(500, took)),
            "500 Internal Server Error",
            mail,
            "refused it for good: .* 554",
            took=took,
            mail_for_good=True,
        )

    @cached_property
    def tls_unsigned(self) -> Fault:
        return self._tls(self.authority.unsigned(), "not trusted: self-signed certificate")

    @cached_property
    def tls_of_another_name(self) -> Fault:
        # The mail server's authority is not trusted, which is found before its name is looked at.
        made = self._tls(self.authority.server_of("other.example"), "not trusted: IP address mismatch")
        return Fault(**{**vars(made), "mail_said": "not trusted: "})

    @cached_property
    def tls_not_spoken(self) -> Fault:
        port = self._on(drips(b"HTTP/1.1 400 Bad Request\r\n"))
        mail = self._on(drips(b"220 mail\r\n250-mail\r\n250 STARTTLS\r\n220 go\r\nnothing of TLS "))
        return Fault(port, "does not speak TLS", mail, "does not speak TLS", tls=True)

    @cached_property
    def accepted_late(self) -> Fault:
        took = Took()
        mail = self._on(speaks_smtp("late", took))
        return Fault(
            self._on(answers_late(took)), "did not answer within", mail, "did not answer within", _SHORT, took=took
        )

    def _tls(self, context: object, said: str) -> Fault:
        port = self.servers.enter_context(serving(answers(200, Took()), context)).port  # type: ignore[arg-type]
        mail = self._on(speaks_smtp("250 ok", Took(), context))  # type: ignore[arg-type]
        return Fault(port, said, mail, said, tls=True)

    def _on(self, treat: Callable[[socket.socket], None]) -> int:
        return self.servers.enter_context(serving(treat)).port


FAULTS = tuple(name for name, found in vars(Wrecks).items() if isinstance(found, cached_property))
# What Apprise met it keeps to itself, but for what it never comes back from.
APPRISE_SAYS = "Apprise could not deliver it|Apprise's service did not answer"


@pytest.fixture(scope="module")
def wrecks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wrecks]:
    with ExitStack() as servers:
        yield Wrecks(Authority.founded(tmp_path_factory.mktemp("certificates")), servers)


@pytest.fixture(scope="module")
def shared(migrated_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Post]:
    """One database for all: each case has its own person, channels and alert, and ends by being acknowledged."""
    folder = tmp_path_factory.mktemp("faults") / "data"
    shutil.copytree(migrated_folder, folder)
    opened, provider = open_database(None, folder), Provider()
    yield Post(opened, ManualClock(NOON), provider)
    provider.close()
    opened.close()


@dataclass
class Case:
    """A person with a channel that fails and one that works, and a page for them."""

    post: Post
    kind: ChannelKind
    fault: Fault
    name: str
    ca_file: Path

    def __post_init__(self) -> None:
        fault, kind = self.fault, self.kind
        mail = {"host": "127.0.0.1", "port": fault.mail_port, "security": "starttls" if fault.tls else "none"}
        providers = Providers(
            Mailer(MailSettings.model_validate(mail), fault.seconds),
            Outbound(parse_networks("127.0.0.0/8"), self.ca_file, fault.seconds),
            self.post.clock,
            Bounded(fault.seconds * 2),
        )
        post = self.post
        self.sending = Sending(
            post.database, post.clock, post.sending.key, post.settings, providers, Owners((post.owner,))
        )
        host, scheme = f"127.0.0.1:{fault.port}", "https" if fault.tls else "http"
        settings, secrets = {"url": f"{scheme}://{host}"}, dict(SECRETS.get(kind, {}))
        if kind is ChannelKind.EMAIL:
            settings = {}
        elif kind is ChannelKind.SLACK_WEBHOOK:
            settings, secrets = {}, {"url": f"{scheme}://{host}/{SECRET}/T0/B0"}
        elif kind is ChannelKind.APPRISE:
            rto = f"?cto={fault.seconds}&rto={fault.seconds}"
            settings, secrets = {}, {"url": f"json{'s' if fault.tls else ''}://{host}/{SECRET}{rto}"}
        elif kind in (ChannelKind.SMS, ChannelKind.VOICE):
            settings |= {"account": "AC0123456789", "sender": "+4722334455"}
        bad, good = f"bad-{self.name}", f"good-{self.name}"
        post.verbs(lambda verbs: verbs.put_channel(bad, kind, settings=settings, secrets=secrets, by="a", source="t"))
        post.channel(good)
        self.person = f"per_{self.name}"[:40]
        ways = [(bad, ADDRESSES.get(kind, "")), (good, f"good-{self.name}"[:60])]
        made = [post.contact(channel, address, person=self.person, verified=False) for channel, address in ways]
        self.first = made[0].id
        for one in made:
            post.verbs(lambda verbs, one=one: verbs.verify(self.person, one.id, post.code(one.id), by="t", source="t"))
        rules = [
            Rule(urgency="high", contact_id=one.id, after=timedelta(minutes=10 * at)) for at, one in enumerate(made)
        ]
        post.verbs(lambda verbs: verbs.put_rules(rules, Preferences(person_id=self.person), by="t", source="t"))
        with post.database.begin() as session:
            # The codes are not what is looked at here, and every earlier case has ended.
            session.execute(text("DELETE FROM work"))
        post.provider.asked.clear()

    @property
    def about(self) -> str:
        return f"grp_{self.name}"

    def page(self) -> None:
        assert self.post.page(self.about, call=f"call-{self.about}", person=self.person) == 2

    def run(self) -> None:
        """Do what is due. A send that is missed has taken as long as one may, by the clock of the sender."""
        handlers, clock = self.sending.handlers(), self.post.clock
        while True:
            with self.post.database.begin() as session:
                tasks = work_store.lease(session, tuple(handlers), now=clock.now(), length=LEASE, most=1)
            if not tasks:
                return
            result = handlers[tasks[0].kind].act(tasks[0])
            if isinstance(result, Tried) and result.outcome is not Outcome.ACCEPTED:
                clock.advance(LONGEST)
            with self.post.database.begin() as session:
                work_store.mark_done(session, tasks[0], now=clock.now())
                handlers[tasks[0].kind].finish(session, tasks[0], result)

    def told(self) -> list[str]:
        return [one.json["title"] for one in self.post.provider.asked if one.json["topic"].startswith("good-")]

    def answers(self) -> list[str]:
        """What the attempts over the bad channel are on record with, in their order."""
        with self.post.database.read() as session:
            (first,) = (one for one in self.post.record(self.about) if one.contact_id == self.first)
            return [one.answer for one in store_notifications.attempts_of(session, [first.id])[first.id]]

    def everything_written(self) -> str:
        tables = ("journal", "work", "notify_notifications", "notify_attempts", "notify_channels")
        with self.post.database.read() as session:
            rows = {table: session.execute(text(f"SELECT * FROM {table}")).all() for table in tables}
        return str(rows)

    def end(self) -> None:
        self.post.owner.unwanted[self.about] = "acknowledged"
        self.post.clock.advance(timedelta(minutes=30))
        self.run()


def test_no_send_takes_longer_than_what_a_second_way_can_wait_for() -> None:
    longest = [Mailer(MailSettings.model_validate({})).seconds, Outbound().seconds, Bounded().seconds]
    assert max(longest) <= LONGEST.total_seconds()
    assert LONGEST < PATIENCE < WITHIN


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("kind", list(SPECS))
def test_the_second_way_is_there_within_a_minute_and_the_record_says_what_was_wrong_with_the_first(
    shared: Post, wrecks: Wrecks, caplog: pytest.LogCaptureFixture, kind: ChannelKind, name: str
) -> None:
    fault = wrecks.fault(name)
    del fault.took.keys[:], fault.took.bodies[:]
    case = Case(shared, kind, fault, f"{kind}-{name}".replace("_", "-"), wrecks.authority.file)
    with caplog.at_level(logging.INFO):
        case.page()
        ordered = shared.clock.now()
        case.run()
        assert case.told() == [f"[CRITICAL] Checkout fails ({case.about})"]
        good = next(one for one in shared.record(case.about) if one.state == "sent")
        assert good.settled_at is not None
        assert good.settled_at - ordered <= WITHIN
        shared.clock.advance(fault.retried_after if kind not in (ChannelKind.EMAIL, ChannelKind.APPRISE) else LONGEST)
        case.run()
    said = fault.mail_said if kind is ChannelKind.EMAIL else APPRISE_SAYS if kind is ChannelKind.APPRISE else fault.said
    tried = case.answers()
    if fault.mail_for_good and kind is ChannelKind.EMAIL:
        assert len(tried) == 1, "what was refused for good is not tried again"
    else:
        assert len(tried) >= 2
    assert all(re.search(said, one) for one in tried), tried
    written = case.everything_written() + json.dumps([dict(fact.data) for fact in shared.facts()]) + caplog.text
    for hidden in (SECRET, "4791234567", "100200300"):
        assert hidden not in written
    if fault.took.bodies:
        assert len(fault.took.bodies) == len(tried), "it came each time"
        assert len(set(fault.took.keys)) == 1, "under one key"
        assert bool(fault.took.keys[0]) is (kind in KEYED)
        if kind is not ChannelKind.EMAIL:
            assert len(set(fault.took.bodies)) == 1, "and said the same"
    assert case.told() == [f"[CRITICAL] Checkout fails ({case.about})"], "once"
    case.end()
