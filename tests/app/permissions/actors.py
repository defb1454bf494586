"""Everybody who may knock: each role, a member of another team, and those whose key no longer fits."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import insert

from watchkeeper.app.server import Watchkeeper
from watchkeeper.kernel.ids import new_id, new_secret
from watchkeeper.kernel.web.access import Actor, Scope
from watchkeeper.kernel.web.csrf import Csrf
from watchkeeper.modules.identity import store
from watchkeeper.modules.identity.cookies import SessionCookie
from watchkeeper.modules.identity.model import (
    SESSION_PREFIX,
    Duty,
    Person,
    Role,
    Session,
    SignInMethod,
    digest,
)
from watchkeeper.modules.identity.tables import team_members, teams
from watchkeeper.modules.identity.tokens import Tokens

TEAM, OTHER_TEAM = "team-edge", "team-matching"
ROLES = ("viewer", "responder", "operator", "admin")
ACTORS = ("anonymous", *ROLES, "other team", "revoked token", "expired session")


@dataclass
class People:
    """A person a role in the team that owns the service `duet-gateway`, an operator of another team, and their keys."""

    watchkeeper: Watchkeeper
    ids: dict[str, str]

    @classmethod
    def move_in(cls, watchkeeper: Watchkeeper) -> People:
        people = cls(watchkeeper, {})
        with watchkeeper.db.begin() as db:
            for name in (TEAM, OTHER_TEAM):
                values = {"id": new_id("tem"), "name": name, "description": "", "created_at": watchkeeper.clock.now()}
                db.execute(insert(teams).values(values))
                people.ids[name] = values["id"]
        for role in ROLES:
            people._add(role, Role(role), TEAM)
        people._add("other team", Role.OPERATOR, OTHER_TEAM)
        people._add("expired session", Role.ADMIN, TEAM)
        return people

    def headers(self, actor: str) -> list[tuple[bytes, bytes]]:
        """What this actor's browser or script sends; a new session each time, since a request may end it."""
        if actor == "anonymous":
            return []
        if actor == "revoked token":
            return [(b"authorization", f"Bearer {self._revoked_token()}".encode())]
        secret, session_id = self._session(actor, expired=actor == "expired session")
        parts = self.watchkeeper.app.state.parts
        return [
            (b"cookie", f"{parts[SessionCookie].name}={secret}".encode()),
            (b"x-csrf-token", parts[Csrf].token(session_id).encode()),
        ]

    def _add(self, name: str, role: Role, team: str) -> None:
        now = self.watchkeeper.clock.now()
        person = Person(
            id=new_id("per"),
            name=name,
            email=f"{new_id('mail')}@example.org",
            role=role,
            password_hash=None,
            created_at=now,
            duties=frozenset(Duty) if role is Role.ADMIN else frozenset(),
        )
        with self.watchkeeper.db.begin() as db:
            store.add_person(db, person, seat=None)
            db.execute(insert(team_members).values(team_id=self.ids[team], member_id=person.id))
        self.ids[name] = person.id

    def _session(self, actor: str, *, expired: bool) -> tuple[str, str]:
        now = self.watchkeeper.clock.now()
        began = now - timedelta(days=90) if expired else now
        secret = new_secret(SESSION_PREFIX)
        session = Session(
            id=new_id("ses"),
            person_id=self.ids[actor],
            created_at=began,
            seen_at=began,
            ended_at=None,
            device="",
            address="203.0.113.7",
            method=SignInMethod.PASSWORD,
            proved_at=began,
        )
        with self.watchkeeper.db.begin() as db:
            store.add_session(db, session, digest(secret))
        return secret, session.id

    def _revoked_token(self) -> str:
        me = Actor(id=self.ids["admin"], kind="person", name="admin", scopes=frozenset({Scope.ADMIN}))
        with self.watchkeeper.db.begin() as db:
            tokens = Tokens(db, self.watchkeeper.clock)
            token, secret = tokens.create(name="old", scopes=frozenset({Scope.ADMIN}), expires_at=None, by=me)
            tokens.revoke(token.id, by=me)
        return secret


@dataclass(frozen=True)
class Answered:
    """How a request was answered: by its first message, since a stream has no last one."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str | None:
        """The stable code of a problem."""
        with contextlib.suppress(ValueError, AttributeError):
            code = json.loads(self.body).get("code")
            return str(code) if code else None
        return None


class _Conversation:
    """The two ends of one request: what the app asks for, and what it answers."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body
        self.started: dict[str, Any] = {}
        self.found = bytearray()
        self.enough = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        if self._body is None:
            await self.enough.wait()
            return {"type": "http.disconnect"}
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.started.update(message)
            if message["status"] < 400:
                self.enough.set()
        elif message["type"] == "http.response.body":
            self.found.extend(message.get("body", b""))
            if not message.get("more_body"):
                self.enough.set()


async def knock(app: Any, method: str, path: str, headers: list[tuple[bytes, bytes]], body: bytes) -> Answered:
    """Send one request to the app itself; a stream is left after its beginning."""
    talk = _Conversation(body)
    task = asyncio.ensure_future(app(_scope(method, path, headers), talk.receive, talk.send))
    waiting = asyncio.ensure_future(talk.enough.wait())
    done, _ = await asyncio.wait({task, waiting}, timeout=20, return_when=asyncio.FIRST_COMPLETED)
    if waiting in done and not task.done():
        # What was begun is let finish where it ends by itself: it may be a write.
        await asyncio.wait({task}, timeout=0.2)
    task.cancel()
    waiting.cancel()
    await asyncio.gather(task, waiting, return_exceptions=True)
    if not talk.started:
        raise AssertionError(f"{method} {path} was not answered: {task}")
    text = {name.decode().lower(): value.decode() for name, value in talk.started["headers"]}
    return Answered(talk.started["status"], text, bytes(talk.found))


def _scope(method: str, path: str, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1:8700"), (b"sec-fetch-site", b"same-origin"), *headers],
        "client": ("203.0.113.7", 40_000),
        "server": ("127.0.0.1", 8700),
        "state": {},
    }
