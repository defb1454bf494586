"""A console with a status page in it, readers outside, and real mail and web servers that they may be told by."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from tests.catalog.support import Page
from tests.kernel.web.support import PAGE, bearer, browser, small_app
from watchkeeper.kernel.clock import ManualClock, SystemClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.journal import Fact, FactFilter, read_facts
from watchkeeper.kernel.keys import InstallationKey
from watchkeeper.kernel.mail import MailSettings
from watchkeeper.kernel.outbound import OutboundSettings
from watchkeeper.kernel.web.parts import Parts
from watchkeeper.kernel.work import Task, Worker
from watchkeeper.kernel.work.tables import work
from watchkeeper.modules.alerts.noise import Noise
from watchkeeper.modules.alerts.quiet import Window
from watchkeeper.modules.alerts.settings import AlertSettings
from watchkeeper.modules.status import snapshot, store, wiring
from watchkeeper.modules.status.keeping import Keeper
from watchkeeper.modules.status.maintaining import TURN, Maintaining
from watchkeeper.modules.status.model import Component, ComponentSaid, State, Update
from watchkeeper.modules.status.model import Stage as How
from watchkeeper.modules.status.pages_public import Desk
from watchkeeper.modules.status.publishing import Draft, Publishing
from watchkeeper.modules.status.service import StatusPage
from watchkeeper.modules.status.settings import StatusSettings
from watchkeeper.modules.status.snapshot import Snapshot
from watchkeeper.modules.status.subscribing import Subscribing

BY = {"by": "per_alice", "source": "test"}
BASE = "https://watch.example"


@dataclass
class Stage:
    """A status page on a database, and who reads it."""

    database: Database
    clock: ManualClock
    folder: Path
    clients: ExitStack
    said: dict[str, Any] = field(default_factory=dict)
    mail: dict[str, Any] = field(default_factory=dict)
    hours: dict[str, datetime] = field(default_factory=dict)
    outbound: dict[str, Any] = field(default_factory=lambda: {"private_networks": "127.0.0.1/32"})

    @classmethod
    @contextmanager
    def open(cls, database: Database, clock: ManualClock, folder: Path) -> Iterator[Stage]:
        with ExitStack() as clients:
            yield cls(database, clock, folder, clients)

    @cached_property
    def parts(self) -> Parts:
        made = wiring.status_parts(
            self.database,
            self.clock,
            InstallationKey(b"k" * 32),
            StatusSettings.model_validate(self.said),
            OutboundSettings.model_validate(self.outbound),
            MailSettings.model_validate(self.mail),
            folder=self.folder,
            base_url=BASE,
        )
        return Parts({Database: self.database, SystemClock: self.clock, **made})

    @cached_property
    def app(self) -> FastAPI:
        return small_app(
            *wiring.ROUTERS,
            parts=dict(self.parts),
            templates=wiring.TEMPLATES,
            nav=wiring.NAV,
            exact=wiring.exact(self.parts),
        )

    @cached_property
    def worker(self) -> Worker:
        return wiring.worker(self.parts, self.database, self.clock)

    @property
    def keeper(self) -> Keeper:
        return self.parts[Keeper]

    def client(self, who: str | None = None, **options: Any) -> TestClient:
        return self.clients.enter_context(browser(self.app, who, **options))

    def api(self, scope: str = "write") -> TestClient:
        return self.client(headers=bearer(scope))

    def page(self, who: str = "alice") -> Page:
        return Page(self.client(who, headers=PAGE))

    @cached_property
    def reader(self) -> TestClient:
        """Somebody of the public."""
        return self.client(headers=PAGE)

    def write(self, verb: Any) -> Any:
        """Run `verb(session)` in a transaction."""
        with self.database.begin() as session:
            return verb(session)

    def read(self, query: Any) -> Any:
        with self.database.read() as session:
            return query(session)

    def component(self, name: str = "sign-in", **said: Any) -> Component:
        """A new component, or another word about one."""

        def put(session: Session) -> Component:
            return StatusPage(session, self.clock).put_component(name, ComponentSaid(**said), **BY).component()

        return self.write(put)  # type: ignore[no-any-return]

    def publishing(self, verb: Any) -> Any:
        """Run `verb(publishing)` in a transaction."""
        return self.write(lambda session: verb(Publishing(session, self.clock)))

    def maintaining(self, verb: Any) -> Any:
        """Run `verb(maintaining)` in a transaction."""
        return self.write(lambda session: verb(Maintaining(session, self.clock)))

    def subscribing(self, verb: Any) -> Any:
        """Run `verb(subscribing)` in a transaction."""
        desk = self.parts[Desk]
        return self.write(lambda session: verb(desk.on(session, self.clock)))

    def draft(
        self,
        title: str = "Sign-in is slow",
        how: How | str = How.INVESTIGATING,
        components: dict[str, State] | None = None,
        *,
        incident: str | None = None,
        body: str = "We are looking into it.",
        at: datetime | None = None,
        source: str | None = None,
    ) -> Update:
        """A draft of a new incident, or of one that is there."""

        def write(publishing: Publishing) -> Update:
            happened_at = at or self.clock.now()
            of = incident or publishing.open(title, started_at=happened_at).id
            said = Draft(stage=How(how), body=body, components=components or {}, happened_at=happened_at, source=source)
            return publishing.draft(of, said, **BY)

        return self.publishing(write)  # type: ignore[no-any-return]

    def publish(self, update: Update, **options: Any) -> Update:
        return self.publishing(lambda one: one.publish(update.id, **options, **BY))  # type: ignore[no-any-return]

    def told(self, *args: Any, **options: Any) -> Update:
        """Drafted and published."""
        return self.publish(self.draft(*args, **options))

    def window(self, minutes: int = 60, begins_in: int = 0, **said: Any) -> Window:
        """A maintenance window of alerts."""
        now = self.clock.now()
        values: dict[str, Any] = {
            "services": ["gateway"],
            "environments": [],
            "starts_at": now + timedelta(minutes=begins_in),
            "ends_at": now + timedelta(minutes=begins_in + minutes),
            "weekly": None,
            "reason": "new disks",
            **said,
        }
        settings = AlertSettings.model_validate({})
        return self.write(lambda session: Noise(session, self.clock, settings).plan(**values, **BY))  # type: ignore[no-any-return]

    def end_window(self, window: Window) -> None:
        settings = AlertSettings.model_validate({})
        self.write(lambda session: Noise(session, self.clock, settings).end_window(window.id, reason="done", **BY))

    def snapshot(self) -> Snapshot:
        return self.read(lambda session: snapshot.take(session, self.clock.now()))  # type: ignore[no-any-return]

    def state(self, name: str = "sign-in") -> State:
        return next(one.state for one in self.snapshot().components if one.component.name == name)

    def uptime(self, name: str = "sign-in") -> float | None:
        return next(one.uptime for one in self.snapshot().components if one.component.name == name)

    def drafts(self) -> list[Update]:
        return self.read(store.drafts)  # type: ignore[no-any-return]

    def facts(self, kind: str = "status.") -> list[Fact]:
        with self.database.read() as session:
            return read_facts(session, FactFilter(kinds=(kind,)), limit=1000, newest_first=False)

    def kinds(self) -> list[str]:
        return [fact.kind.removeprefix("status.") for fact in self.facts()]

    def html(self, path: str = "/status") -> str:
        """The public page, rendered now."""
        self.keeper.renew()
        answer = self.reader.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    def json(self, name: str) -> Any:
        self.keeper.renew()
        answer = self.reader.get(f"/api/v2/{name}")
        assert answer.status_code == 200
        return answer.json()

    def rows(self, kind: str = "") -> list[Any]:
        """Rows of due work."""
        from sqlalchemy import select

        wanted = select(work).where(work.c.kind.startswith(kind or "status.")).order_by(work.c.due_at, work.c.key)
        return self.read(lambda session: session.execute(wanted).all())  # type: ignore[no-any-return]

    def work_off(self, rounds: int = 10, worker: Worker | None = None) -> None:
        """Do what is due by the clock of this stage, and what follows from it."""
        for _ in range(rounds):
            self._keep_hours()
            if not (worker or self.worker).run_once():
                return

    def _keep_hours(self) -> None:
        """Workers go by the database's clock, by which everything here was due long ago."""
        later = timedelta(days=365_000)
        for row in self.rows(TURN):
            hour = self.hours.setdefault(row.id, row.due_at)
            due_at = hour if hour <= self.clock.now() else hour + later
            self.write(
                lambda session, row=row, due_at=due_at: session.execute(
                    work.update().where(work.c.id == row.id).values(due_at=due_at)
                )
            )

    def post(self, path: str, **fields: str) -> httpx.Response:
        """A form of a page for readers, filled in and sent as a browser does."""
        shown = self.reader.get(path)
        token = re.search(r'name="csrf_token" value="([^"]*)"', shown.text)
        assert token is not None, shown.text
        return self.reader.post(path, data={"csrf_token": token[1], **fields})


def task_of(row: Any) -> Task:
    """A row as its handler gets it."""
    return Task(row.id, row.kind, row.key, row.payload, row.attempts + 1, row.token)


def subscribing_of(stage: Stage, session: Session) -> Subscribing:
    return stage.parts[Desk].on(session, stage.clock)
