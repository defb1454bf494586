"""A console with on-call in it, and its cast: Ann operates, Ben and Cleo respond, Vic looks, Ada administrates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from fastapi import FastAPI
from sqlalchemy.orm import Session
from starlette.requests import HTTPConnection
from starlette.testclient import TestClient

from tests.catalog.support import Page
from tests.kernel.web.support import PAGE, bearer, browser
from watchkeeper.kernel.clock import ManualClock, SystemClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.journal import Fact, FactFilter, read_facts
from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.kernel.web.access import Actor, Authenticator, Scope
from watchkeeper.kernel.web.app_factory import create_app
from watchkeeper.modules.identity import store as people
from watchkeeper.modules.identity.model import Person, Role
from watchkeeper.modules.identity.teams import Teams
from watchkeeper.modules.notify import store as contacts
from watchkeeper.modules.notify.model import Channel, ChannelKind, Contact
from watchkeeper.modules.oncall import wiring
from watchkeeper.modules.oncall.settings import OncallSettings

URL = "/api/v1/oncall"
CAST = {"ann": Role.OPERATOR, "ben": Role.RESPONDER, "cleo": Role.RESPONDER, "vic": Role.VIEWER, "ada": Role.ADMIN}
ID = {name: f"per_{number:026d}" for number, name in enumerate(CAST, start=1)}
WEEK: dict[str, Any] = {
    "name": "primary",
    "title": "On call",
    "time_zone": "Europe/Oslo",
    "layers": [
        {
            "name": "week",
            "people": ["ann@example.com", "ben@example.com"],
            "shift": "1w",
            "weekday": "monday",
            "hand_over": "09:00",
            "start": "2026-01-05",
        }
    ],
}
SHOP: dict[str, Any] = {
    "name": "shop",
    "default": True,
    "steps": [
        {"notify": [{"schedule": "primary"}], "wait": "5m"},
        {"notify": [{"everyone": True}], "wait": "10m"},
    ],
}


def actor(name: str) -> Actor:
    return Actor(ID[name], "person", name.title(), frozenset({CAST[name].scope}), f"ses_{name}", frozenset())


class Cast:
    """Believes the cookie `who`, and bearer tokens that are named like a scope."""

    async def authenticate(self, request: HTTPConnection) -> Actor | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme == "Bearer":
            return Actor(f"tok_{token}", "token", f"the {token} token", frozenset({Scope(token)}))
        who = request.cookies.get("who")
        return actor(who) if who in CAST else None

    def require_proof(self, actor: Actor) -> None:
        return None


def give_contact(session: Session, person_id: str, name: str, now: datetime) -> None:
    """A verified contact of this person's own."""
    channel = Channel(
        id=f"chn_{name}", name=f"to-{name}", kind=ChannelKind.NTFY, settings={}, updated_at=now, updated_by="test"
    )
    contact = Contact(
        id=f"cnt_{name}",
        person_id=person_id,
        channel_id=channel.id,
        label="",
        hint="",
        created_at=now,
        verified_at=now,
    )
    contacts.put_channel(session, channel, None)
    contacts.add_contact(session, contact, "sealed")


@dataclass
class Stage:
    """On-call on a database, and who comes to it."""

    database: Database
    clock: ManualClock
    clients: ExitStack

    @classmethod
    @contextmanager
    def open(cls, database: Database, clock: ManualClock) -> Iterator[Stage]:
        with ExitStack() as clients:
            stage = cls(database, clock, clients)
            stage.add_people()
            yield stage

    def add_people(self) -> None:
        with self.database.begin() as session:
            for name, role in CAST.items():
                people.add_person(
                    session,
                    Person(
                        id=ID[name],
                        name=name.title(),
                        email=f"{name}@example.com",
                        role=role,
                        password_hash=None,
                        created_at=self.clock.now(),
                    ),
                    seat=None,
                )

    def can_be_reached(self, name: str) -> None:
        """Has a verified contact."""
        with self.database.begin() as session:
            give_contact(session, ID[name], name, self.clock.now())

    def team(self, name: str, *members: str) -> None:
        with self.database.begin() as session:
            teams = Teams(session, self.clock.now(), by=ID["ada"], source="console")
            teams.create(name)
            for one in members:
                teams.join(name, ID[one])

    @cached_property
    def app(self) -> FastAPI:
        parts = {
            Authenticator: Cast(),
            Database: self.database,
            SystemClock: self.clock,
            ServerSettings: ServerSettings(),
            OncallSettings: OncallSettings.model_validate({}),
        }
        return create_app(
            parts=parts, routers=wiring.ROUTERS, templates=wiring.TEMPLATES, static=wiring.STATIC, nav=wiring.NAV
        )

    def client(self, who: str | None = None, **options: Any) -> TestClient:
        return self.clients.enter_context(browser(self.app, who, **options))

    def api(self, scope: str = "write") -> TestClient:
        return self.client(headers=bearer(scope))

    def as_person(self, name: str) -> TestClient:
        """The API in a person's name; a browser's form token is not what is tested here."""
        return self.clients.enter_context(_PersonClient(self.app, name))

    def page(self, who: str = "ann") -> Page:
        return Page(self.client(who, headers=PAGE))

    def make(self, schedule: dict[str, Any] | None = None, policy: dict[str, Any] | None = None) -> None:
        for path, said in (("schedules", schedule or WEEK), ("policies", policy)):
            if said is not None:
                answer = self.api().post(f"{URL}/{path}", json=said)
                assert answer.status_code == 201, answer.text

    def facts(self, kind: str = "oncall.") -> list[Fact]:
        with self.database.read() as session:
            return read_facts(session, FactFilter(kinds=(kind,)), limit=1000, newest_first=False)

    def kinds(self) -> list[str]:
        return [fact.kind.removeprefix("oncall.") for fact in self.facts()]


class _PersonClient(TestClient):
    def __init__(self, app: FastAPI, name: str) -> None:
        super().__init__(_without_sessions(app, name), follow_redirects=False)


def _without_sessions(app: FastAPI, name: str) -> Any:
    """The app, seen as by this person with a proof that no form gives: the actor is put into the request."""
    person = actor(name)
    plain = Actor(person.id, person.kind, person.name, person.scopes, None, person.teams)

    async def called(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope.setdefault("state", {})["watchkeeper.actor"] = plain
        await app(scope, receive, send)

    return called
