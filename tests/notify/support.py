"""Notifications on a database, with providers that are real servers on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from fastapi import FastAPI
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from tests.kernel.web.support import browser, small_app
from watchkeeper.kernel.clock import ManualClock, SystemClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.journal import Fact, FactFilter, read_facts
from watchkeeper.kernel.keys import InstallationKey
from watchkeeper.kernel.mail import Mailer, MailSettings
from watchkeeper.kernel.outbound import Outbound, OutboundSettings, parse_networks
from watchkeeper.kernel.work import store as work_store
from watchkeeper.modules.notify import public, store, store_notifications, wiring
from watchkeeper.modules.notify.codes import code_of
from watchkeeper.modules.notify.message import Action, Message
from watchkeeper.modules.notify.model import ChannelKind, Contact, Notification
from watchkeeper.modules.notify.ordering import Order
from watchkeeper.modules.notify.providers import Providers
from watchkeeper.modules.notify.public import Owners
from watchkeeper.modules.notify.sending import Sending
from watchkeeper.modules.notify.service import Notify, Verbs
from watchkeeper.modules.notify.settings import NotifySettings

KEY = InstallationKey(b"k" * 32)
LOOPBACK = Outbound(parse_networks("127.0.0.0/8"))
ALICE = "per_alice"
LEASE = timedelta(seconds=10)


@dataclass(frozen=True)
class Asked:
    """One request that a provider got."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Provider:
    """An HTTP server that keeps what it is sent and answers what it is told to."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answer: Callable[[Asked], tuple[int, Any]] = lambda _asked: (200, {"ok": True})
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                asked = Asked(self.path, {key.lower(): value for key, value in self.headers.items()}, body)
                outer.asked.append(asked)
                status, said = outer.answer(asked)
                text = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_args: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()


@dataclass
class Pager:
    """An owner: wants everything but what it is told not to."""

    about_type: str = "alert_group"
    unwanted: dict[str, str] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)

    def not_wanted(self, session: Session, notification: Notification) -> str | None:
        return self.unwanted.get(notification.about_id)

    def actions(self, session: Session, notification: Notification) -> tuple[Action, ...]:
        return (Action("Acknowledge", f"https://watch.example/ack/{notification.about_id}"),)

    def delivered(self, session: Session, notification: Notification, at: Any) -> None:
        self.taken.append(notification.about_id)

    def not_reached(self, session: Session, notification: Notification, at: Any) -> None:
        self.lost.append(notification.about_id)


@dataclass
class Post:
    """One database, one provider, one sender."""

    database: Database
    clock: ManualClock
    provider: Provider
    mail: MailSettings = field(default_factory=lambda: MailSettings.model_validate({}))
    settings: NotifySettings = field(default_factory=lambda: NotifySettings.model_validate({}))
    owner: Pager = field(default_factory=Pager)

    @cached_property
    def sending(self) -> Sending:
        providers = Providers(Mailer(self.mail), LOOPBACK, self.clock)
        return Sending(self.database, self.clock, KEY, self.settings, providers, Owners((self.owner,)))

    @cached_property
    def app(self) -> FastAPI:
        return small_app(
            *wiring.ROUTERS,
            parts={
                Database: self.database,
                SystemClock: self.clock,
                Verbs: Verbs(self.clock, KEY, LOOPBACK),
                OutboundSettings: OutboundSettings.model_validate({"private_networks": "127.0.0.0/8"}),
            },
            templates=wiring.TEMPLATES,
        )

    def browser(self, who: str | None = None) -> TestClient:
        return browser(self.app, who)

    def verbs(self, verb: Callable[[Notify], Any]) -> Any:
        with self.database.begin() as session:
            return verb(Notify(session, self.clock, KEY, LOOPBACK))

    def channel(self, name: str = "hook", kind: ChannelKind = ChannelKind.NTFY, **settings: str) -> None:
        said = {"url": self.provider.url, **settings}
        self.verbs(
            lambda verbs: verbs.put_channel(name, kind, settings=said, secrets={}, by="per_admin", source="test")
        )

    def contact(
        self, channel: str = "hook", address: str = "topic-1", *, person: str = ALICE, **options: Any
    ) -> Contact:
        """A verified one, unless `verified=False`."""
        made: Contact = self.verbs(
            lambda verbs: verbs.add_contact(person, channel, address, "mine", by=person, source="test")
        )
        if options.get("verified", True):
            self.verbs(lambda verbs: verbs.verify(person, made.id, self.code(made.id), by=person, source="test"))
        return made

    def code(self, contact_id: str) -> str:
        with self.database.read() as session:
            row = store.contact_row(session, contact_id)
            assert row is not None
            return code_of(KEY, contact_id, row.code_until)

    def page(self, about: str = "grp_1", *, call: str = "call-1", urgency: Any = "high", person: str = ALICE) -> int:
        order = Order(
            call=call,
            about_type="alert_group",
            about_id=about,
            urgency=urgency,
            kind="page",
            message=Message(
                f"Checkout fails ({about})", "half of all requests", severity="critical", service="gateway"
            ),
            service="gateway",
        )
        with self.database.begin() as session:
            return public.notify(session, order, person, at=self.clock.now())

    def run(self) -> int:
        """Do all work that is due by the manual clock; answers how many rows that were."""
        handlers, done = self.sending.handlers(), 0
        while True:
            with self.database.begin() as session:
                tasks = work_store.lease(session, tuple(handlers), now=self.clock.now(), length=LEASE, most=10)
            if not tasks:
                return done
            for task in tasks:
                result = handlers[task.kind].act(task)
                with self.database.begin() as session:
                    work_store.mark_done(session, task, now=self.clock.now())
                    handlers[task.kind].finish(session, task, result)
                done += 1

    def record(self, about: str = "grp_1") -> list[Notification]:
        with self.database.read() as session:
            found = store_notifications.latest(session, about=("alert_group", about))
        return sorted(found, key=lambda one: (one.created_at, one.due_at), reverse=True)

    def states(self, about: str = "grp_1") -> list[str]:
        return [f"{one.state}" for one in reversed(self.record(about))]

    def facts(self) -> list[Fact]:
        with self.database.read() as session:
            return read_facts(session, FactFilter(kinds=("notify.",)), limit=1_000, newest_first=False)

    def kinds(self) -> list[str]:
        return [fact.kind.removeprefix("notify.") for fact in self.facts()]
