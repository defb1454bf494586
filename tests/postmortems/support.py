"""Postmortems of incidents that are the real ones, with a clock that stands still. Ann and Ben respond, Cleo operates,
Vic looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from typing import Any

from fastapi import FastAPI
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from starlette.requests import HTTPConnection
from starlette.testclient import TestClient

from tests.catalog.support import Page
from tests.incidents.support import BASE, ID, NAMES
from tests.incidents.support import Stage as IncidentStage
from tests.kernel.web.support import PAGE, bearer, browser
from tests.slo.support import SETTINGS, Tape
from watchkeeper.kernel.clock import ManualClock, SystemClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.journal import Fact, FactFilter, read_facts
from watchkeeper.kernel.journal.listeners import Dispatcher
from watchkeeper.kernel.keys import InstallationKey
from watchkeeper.kernel.outbound import Outbound, OutboundSettings
from watchkeeper.kernel.settings import ServerSettings, live
from watchkeeper.kernel.web.access import Actor, Authenticator, Scope
from watchkeeper.kernel.web.app_factory import create_app
from watchkeeper.kernel.work import Handler, Task
from watchkeeper.kernel.work.tables import work
from watchkeeper.modules.identity.tables import people as people_table
from watchkeeper.modules.incidents.model import Incident, Severity
from watchkeeper.modules.notify import store as contacts
from watchkeeper.modules.notify.model import Channel, ChannelKind, Contact
from watchkeeper.modules.postmortems import jobs, store, store_actions, wiring
from watchkeeper.modules.postmortems.actions import Actions, NewAction
from watchkeeper.modules.postmortems.gathering import Gatherer, Suspects, no_suspects
from watchkeeper.modules.postmortems.github import GitHub
from watchkeeper.modules.postmortems.issues import OpenIssue, ReadBack
from watchkeeper.modules.postmortems.jobs import Draft
from watchkeeper.modules.postmortems.model import ActionItem, Postmortem, Section, State
from watchkeeper.modules.postmortems.reminding import Reminding
from watchkeeper.modules.postmortems.service import Postmortems
from watchkeeper.modules.postmortems.settings import PostmortemSettings
from watchkeeper.modules.postmortems.sharing import ShareLinks, Sharing
from watchkeeper.modules.postmortems.telling import TellIssue
from watchkeeper.modules.postmortems.trackers import Trackers
from watchkeeper.modules.slo.engine import Engine

URL = "/api/v1/postmortems"
KEY = InstallationKey(b"k" * 32)
LOOPBACK = OutboundSettings.model_validate({"private_networks": "127.0.0.0/8"})
BY = {"by": ID["ann"], "source": "test"}


def actor(name: str) -> Actor:
    return Actor(ID[name], "person", name.title(), frozenset({NAMES[name].scope}), f"ses_{name}", frozenset())


class Cast:
    """Believes the cookie `who`, and bearer tokens that are named like a scope."""

    async def authenticate(self, request: HTTPConnection) -> Actor | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme == "Bearer":
            return Actor(f"tok_{token}", "token", f"the {token} token", frozenset({Scope(token)}))
        who = request.cookies.get("who")
        return actor(who) if who in NAMES else None

    def require_proof(self, actor: Actor) -> None:
        return None


@dataclass
class Stage:
    """Postmortems on a database, and who comes to them."""

    database: Database
    clock: ManualClock
    clients: ExitStack
    incidents: IncidentStage
    suspects: Suspects = no_suspects
    said: dict[str, Any] = field(default_factory=dict)
    patience: float = 10.0

    @classmethod
    @contextmanager
    def open(cls, database: Database, clock: ManualClock) -> Iterator[Stage]:
        with ExitStack() as clients:
            incidents = IncidentStage(database, clock)
            incidents.add_people()
            yield cls(database, clock, clients, incidents)

    @property
    def settings(self) -> PostmortemSettings:
        return PostmortemSettings.model_validate(self.said)

    @cached_property
    def tape(self) -> Tape:
        return Tape(self.clock)

    @cached_property
    def engine(self) -> Engine:
        return Engine(self.database, self.clock, (self.tape,), SETTINGS)

    @property
    def gatherer(self) -> Gatherer:
        return Gatherer(self.engine, suspects=self.suspects)

    @property
    def github(self) -> GitHub:
        return GitHub(replace(Outbound.of(LOOPBACK), seconds=self.patience), KEY)

    # --- the incident and its end -------------------------------------------------------------------------------------

    def incident(
        self, severity: str = "SEV-1", *, minutes: int = 30, title: str = "Checkout is down", **said: Any
    ) -> Incident:
        """One that was opened and is over after so many minutes, and everybody has heard of it."""
        made = self.incidents.open(title, severity=Severity(severity), services=said.pop("services", ("shop",)), **said)
        self.clock.advance(timedelta(minutes=minutes))
        self.incidents.do(lambda verbs: verbs.resolve(made.id, reason="rolled back", **BY))
        self.hear()
        return self.incidents.now_is(made)

    def hear(self) -> None:
        """Facts are delivered, and drafts made."""
        dispatcher = Dispatcher(self.database, self.clock, wiring.listeners())
        while dispatcher.run_once():
            pass
        self.work_off("postmortems.draft")

    def work_off(self, *kinds: str, until: timedelta = timedelta()) -> int:
        """Do what is due of these kinds until then, each piece at its time; answers how many that were."""
        end, done = self.clock.now() + until, 0
        while (due := self._next_due(kinds, end)) is not None:
            task, at = due
            if at > self.clock.now():
                self.clock.advance(at - self.clock.now())
            handler = self.handlers[task.kind]
            result = handler.act(task)
            with self.database.begin() as session:
                handler.finish(session, task, result)
            done += 1
        self.clock.advance(max(timedelta(), end - self.clock.now()))
        return done

    @property
    def handlers(self) -> dict[str, Handler]:
        draft = Draft(self.database, self.clock, self.gatherer, self.settings)
        opening = OpenIssue(self.database, self.clock, self.github, BASE)
        telling = TellIssue(self.database, self.clock, self.github)
        return dict(jobs.handlers(draft, Reminding(self.clock, BASE), opening, telling))

    @cached_property
    def reading(self) -> ReadBack:
        return ReadBack(self.database, self.clock, self.github, live(self.settings))

    def read_back(self, after: timedelta = timedelta(minutes=15), meanwhile: Callable[[], None] | None = None) -> None:
        """Look at the issues whose time it is then; `meanwhile` happens between the look and its record."""
        self.clock.advance(after)
        reading, task = self.reading, Task("wrk", "read", "read", {}, 1, 1)
        result = reading.act(task)
        if meanwhile is not None:
            self.clock.advance(timedelta(seconds=1))
            meanwhile()
        with self.database.begin() as session:
            reading.finish(session, task, result)

    def again(self, kind: str) -> None:
        """The last piece of work of this kind comes once more, as after a crash."""
        with self.database.begin() as session:
            row = session.execute(select(work).where(work.c.kind == kind).order_by(work.c.id)).first()
            assert row is not None
            task = Task(row.id, row.kind, row.key, row.payload, 2, 2)
        handler = self.handlers[kind]
        result = handler.act(task)
        with self.database.begin() as session:
            handler.finish(session, task, result)

    def task(self, key: str) -> Task:
        """A piece of work as a worker would get it; it stays due."""
        with self.database.read() as session:
            row = session.execute(select(work).where(work.c.key == key)).one()
            return Task(row.id, row.kind, row.key, row.payload, 1, 1)

    def due_work(self, *kinds: str) -> list[str]:
        """Keys of what is due or waits."""
        with self.database.read() as session:
            wanted = select(work.c.key).where(work.c.kind.in_(kinds), work.c.state == "due").order_by(work.c.due_at)
            return list(session.execute(wanted).scalars())

    # --- verbs --------------------------------------------------------------------------------------------------------

    def do(self, call: Callable[[Postmortems], Any]) -> Any:
        with self.database.begin() as session:
            return call(Postmortems(session, self.clock, self.settings))

    def act(self, call: Callable[[Actions], Any]) -> Any:
        with self.database.begin() as session:
            return call(Actions(session, self.clock))

    def share(self, call: Callable[[Sharing], Any]) -> Any:
        with self.database.begin() as session:
            return call(Sharing(session, self.clock, self.settings))

    def tracks(self, url: str, token: str = "ghp_secret_token", repository: str = "duet/operations") -> None:
        with self.database.begin() as session:
            Trackers(session, self.clock, self.github).put(repository, url, token, **BY)

    def ask(self, call: Callable[[Session], Any]) -> Any:
        with self.database.read() as session:
            return call(session)

    def postmortem(self, incident: Incident | None = None) -> Postmortem:
        """That of an incident, or the only one."""
        if incident is not None:
            found = self.ask(lambda session: store.of_incident(session, incident.id))
        else:
            (found,) = self.ask(lambda session: store.listed(session, store.PostmortemFilter(), limit=10))
        assert isinstance(found, Postmortem)
        return found

    def text(self, one: Postmortem, section: Section) -> str:
        found: str = self.ask(lambda session: store.sections_of(session, one.id))[section].text
        return found

    def moments(self, one: Postmortem) -> list[str]:
        return [each.text for each in self.ask(lambda session: store.moments_of(session, one.id))]

    def action(self, one: Postmortem, title: str = "Add a confirmation", **said: Any) -> ActionItem:
        made: ActionItem = self.act(lambda verbs: verbs.add(one.id, NewAction(title=title, **said), **BY))
        return made

    def now_is(self, one: ActionItem) -> ActionItem:
        found = self.ask(lambda session: store_actions.by_id(session, one.id))
        assert isinstance(found, ActionItem)
        return found

    def reviewed(self, one: Postmortem) -> Postmortem:
        """Sent into review, read by Ben, and done."""
        self.do(lambda verbs: verbs.move(one.id, State.IN_REVIEW, **BY))
        self.do(lambda verbs: verbs.review(one.id, by=ID["ben"], source="test"))
        found: Postmortem = self.do(lambda verbs: verbs.move(one.id, State.REVIEWED, **BY))
        return found

    def leaves(self, name: str) -> None:
        """Somebody leaves the company."""
        with self.database.begin() as session:
            session.execute(
                update(people_table).where(people_table.c.id == ID[name]).values(disabled_at=self.clock.now())
            )

    def can_be_reached(self, name: str) -> None:
        """Has a verified contact."""
        now = self.clock.now()
        channel = Channel(
            id=f"chn_{name}", name=f"to-{name}", kind=ChannelKind.NTFY, settings={}, updated_at=now, updated_by="test"
        )
        contact = Contact(
            id=f"cnt_{name}",
            person_id=ID[name],
            channel_id=channel.id,
            label="",
            hint="",
            created_at=now,
            verified_at=now,
        )
        with self.database.begin() as session:
            contacts.put_channel(session, channel, None)
            contacts.add_contact(session, contact, "sealed")

    # --- the door -----------------------------------------------------------------------------------------------------

    @cached_property
    def app(self) -> FastAPI:
        parts = {
            Authenticator: Cast(),
            Database: self.database,
            SystemClock: self.clock,
            ServerSettings: ServerSettings(),
            **wiring.postmortem_parts(self.database, self.clock, KEY, self.settings, LOOPBACK, self.gatherer, BASE),
        }
        return create_app(
            parts=parts, routers=wiring.ROUTERS, templates=wiring.TEMPLATES, static=wiring.STATIC, nav=wiring.NAV
        )

    def client(self, who: str | None = None, **options: Any) -> TestClient:
        return self.clients.enter_context(browser(self.app, who, **options))

    def api(self, scope: str = "write") -> TestClient:
        return self.client(headers=bearer(scope))

    def page(self, who: str = "ann") -> Page:
        return Page(self.client(who, headers=PAGE))

    @property
    def links(self) -> ShareLinks:
        return ShareLinks(KEY, BASE)

    def facts(self, kind: str = "postmortems.") -> list[Fact]:
        found: list[Fact] = self.ask(
            lambda session: read_facts(session, FactFilter(kinds=(kind,)), limit=1000, newest_first=False)
        )
        return found

    def kinds(self) -> list[str]:
        return [fact.kind.removeprefix("postmortems.") for fact in self.facts()]

    def _next_due(self, kinds: tuple[str, ...], until: Any) -> Any:
        with self.database.begin() as session:
            wanted = select(work).where(work.c.kind.in_(kinds), work.c.state == "due", work.c.due_at <= until)
            row = session.execute(wanted.order_by(work.c.due_at, work.c.id)).first()
            if row is None:
                return None
            session.execute(update(work).where(work.c.id == row.id).values(state="done"))
            return Task(row.id, row.kind, row.key, row.payload, 1, 1), row.due_at
