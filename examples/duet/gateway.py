"""The gateway: signs members in, shows profiles, passes all else on; it knows how long members are connected."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import httpx
from opentelemetry import metrics
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from examples.duet.connections import Connections
from examples.duet.people import STAFF, population
from examples.duet.service import Peer, Place, body_of, healthy, refused
from examples.duet.storage import Store
from examples.duet.values import Values
from watchkeeper_client import Client

_SCHEMA = """
CREATE TABLE IF NOT EXISTS members (user_id TEXT PRIMARY KEY, name TEXT, region TEXT, age INTEGER, bio TEXT, code TEXT);
CREATE TABLE IF NOT EXISTS sessions (token TEXT PRIMARY KEY, user_id TEXT NOT NULL, until REAL NOT NULL);
CREATE INDEX IF NOT EXISTS sessions_until ON sessions (until);
"""
_COUNT_CONNECTIONS_EVERY = 5.0
_log = logging.getLogger("duet.gateway")


def make_app(place: Place, matching: Peer, chat: Peer) -> Starlette:
    """The gateway as an application."""
    gateway = Gateway(Store(place.data / "gateway.sqlite", _SCHEMA), matching, chat, place.values)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await gateway.move_in(place.members)
        telling = asyncio.create_task(tell_of_members(place.values, place.members))
        counting = asyncio.create_task(gateway.keep_counting_connections())
        yield
        for task in (telling, counting):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        gateway.count_connections()
        place.values.close()
        await matching.close()
        await chat.close()
        gateway.store.close()

    routes = [
        Route("/v1/auth/login", gateway.login, methods=["POST"]),
        Route("/v1/auth/logout", gateway.logout, methods=["POST"]),
        Route("/v1/profiles/{user_id}", gateway.profile),
        Route("/v1/offers", gateway.offers),
        Route("/v1/offers/{offer_id}/actions", gateway.act, methods=["POST"]),
        Route("/v1/matches", gateway.matches),
        Route("/v1/matches/{match_id}/messages", gateway.messages, methods=["GET", "POST"]),
        Route("/v1/stream", gateway.stream),
        Route("/v1/receipts", gateway.receipts, methods=["POST"]),
        Route("/v1/reports", gateway.report, methods=["POST"]),
        Route("/v1/safety/reports", gateway.safety_queue),
        Route("/v1/safety/reports/{report_id}/triage", gateway.triage, methods=["POST"]),
        Route("/healthz", healthy),
    ]
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers={HTTPException: refused})


class Gateway:
    """The verbs of the gateway."""

    def __init__(self, store: Store, matching: Peer, chat: Peer, values: Values) -> None:
        self.store = store
        self._values = values
        self._wrong_codes: dict[str, list[float]] = {}
        self._matching = matching
        self._chat = chat
        self._connections = Connections(float(values("WEBSOCKET_IDLE_TIMEOUT_SECONDS")))
        meter = metrics.get_meter("duet.gateway")
        self._connected = meter.create_counter("duet.sessions.connected", "s", "How long sessions were connected")
        self._lasted = meter.create_counter("duet.sessions.lasted", "s", "How long sessions lasted, gaps included")

    async def move_in(self, count: int) -> None:
        """Put the population into the database, unless it is there."""
        rows = [(p.user_id, p.name, p.region, p.age, p.bio, _hashed(p.code)) for p in population(count)]
        await self.store.write(
            lambda cursor: cursor.executemany("INSERT OR IGNORE INTO members VALUES (?, ?, ?, ?, ?, ?)", rows)
        )

    async def login(self, request: Request) -> JSONResponse:
        """POST /v1/auth/login"""
        body = await body_of(request, user_id=str, code=str)
        member = body["user_id"]
        self._require_patience(member)
        known = _STAFF.get(member)
        if known is None:
            query = "SELECT code FROM members WHERE user_id = ?"
            known = await self.store.read(lambda cursor: _one(cursor, query, member))
        if known is None or not hmac.compare_digest(known[0], _hashed(body["code"])):
            self._wrong_codes.setdefault(member, []).append(time.time())
            _log.warning("wrong code", extra={"user": member, "known": known is not None})
            raise HTTPException(401, "wrong user or code")
        token = secrets.token_urlsafe(24)
        now = time.time()
        until = now + self._values("SESSION_TTL_SECONDS", member)

        def begin(cursor: sqlite3.Cursor) -> None:
            cursor.execute("DELETE FROM sessions WHERE until < ?", (now,))
            cursor.execute("INSERT INTO sessions VALUES (?, ?, ?)", (token, member, until))

        await self.store.write(begin)
        _log.info("signed in", extra={"user": member})
        return JSONResponse({"token": token, "user_id": member})

    async def logout(self, request: Request) -> JSONResponse:
        """POST /v1/auth/logout"""
        await self._signed_in(request)
        token = _token_of(request)
        await self.store.write(lambda cursor: cursor.execute("DELETE FROM sessions WHERE token = ?", (token,)))
        self._connections.ended(token, time.monotonic())
        return JSONResponse({})

    async def profile(self, request: Request) -> JSONResponse:
        """GET /v1/profiles/{user_id}"""
        await self._signed_in(request)
        query = "SELECT user_id, name, region, age, bio FROM members WHERE user_id = ?"
        found = await self.store.read(lambda cursor: _one(cursor, query, request.path_params["user_id"]))
        if found is None:
            raise HTTPException(404, "nobody by that name")
        shown = dict(zip(("user_id", "name", "region", "age", "bio"), found, strict=True))
        shown["name"] = shown["name"][: self._values("DISPLAY_NAME_MAX_LENGTH")]
        shown["bio"] = shown["bio"][: self._values("BIO_MAX_LENGTH")]
        return JSONResponse(shown)

    async def offers(self, request: Request) -> JSONResponse:
        """GET /v1/offers"""
        user = await self._signed_in(request)
        return JSONResponse(await self._matching.call("GET", "/v1/offers", user=user))

    async def act(self, request: Request) -> JSONResponse:
        """POST /v1/offers/{offer_id}/actions"""
        user = await self._signed_in(request)
        body = await body_of(request, action=str)
        path = f"/v1/offers/{request.path_params['offer_id']}/actions"
        return JSONResponse(await self._matching.call("POST", path, user=user, body=body))

    async def matches(self, request: Request) -> JSONResponse:
        """GET /v1/matches"""
        user = await self._signed_in(request)
        return JSONResponse(await self._matching.call("GET", "/v1/matches", user=user))

    async def messages(self, request: Request) -> JSONResponse:
        """GET and POST /v1/matches/{match_id}/messages"""
        user = await self._signed_in(request)
        path = f"/v1/matches/{request.path_params['match_id']}/messages"
        body = await body_of(request, text=str) if request.method == "POST" else None
        answer = await self._chat.call(request.method, path, user=user, body=body)
        return JSONResponse(answer, 201 if request.method == "POST" else 200)

    async def stream(self, request: Request) -> StreamingResponse:
        """GET /v1/stream"""
        user = await self._signed_in(request)
        lines = self._relayed(user, _token_of(request))
        return StreamingResponse(lines, media_type="application/x-ndjson")

    async def receipts(self, request: Request) -> JSONResponse:
        """POST /v1/receipts"""
        user = await self._signed_in(request)
        body = await body_of(request, numbers=list)
        return JSONResponse(await self._chat.call("POST", "/v1/receipts", user=user, body=body))

    async def report(self, request: Request) -> JSONResponse:
        """POST /v1/reports"""
        user = await self._signed_in(request)
        body = await body_of(request, about=str, category=str, text=str)
        return JSONResponse(await self._chat.call("POST", "/v1/reports", user=user, body=body), 201)

    async def safety_queue(self, request: Request) -> JSONResponse:
        """GET /v1/safety/reports"""
        user = await self._signed_in(request)
        return JSONResponse(await self._chat.call("GET", "/v1/safety/reports", user=user))

    async def triage(self, request: Request) -> JSONResponse:
        """POST /v1/safety/reports/{report_id}/triage"""
        user = await self._signed_in(request)
        body = await body_of(request, action=str)
        path = f"/v1/safety/reports/{request.path_params['report_id']}/triage"
        return JSONResponse(await self._chat.call("POST", path, user=user, body=body))

    async def keep_counting_connections(self) -> None:
        """Every few seconds, for ever."""
        while True:
            await asyncio.sleep(_COUNT_CONNECTIONS_EVERY)
            self.count_connections()

    def count_connections(self) -> None:
        """How long sessions were connected since the last count."""
        connected, lasted = self._connections.counted(time.monotonic())
        self._connected.add(connected)
        self._lasted.add(lasted)

    async def _relayed(self, user: str, session: str) -> AsyncIterator[bytes]:
        """What chat tells this member; the session is connected meanwhile."""
        opened = False
        try:
            async with self._chat.listening("/v1/stream", user=user) as told:
                if user not in _STAFF:
                    self._connections.opened(session, time.monotonic())
                    opened = True
                async for part in told:
                    yield part
        except httpx.HTTPError:
            _log.warning("a live connection broke", extra={"user": user})
        finally:
            if opened:
                self._connections.closed(session, time.monotonic())

    def _require_patience(self, member: str) -> None:
        since = time.time() - self._values("OTP_EXPIRY_SECONDS", member)
        wrong = [at for at in self._wrong_codes.pop(member, []) if at > since]
        if wrong:
            self._wrong_codes[member] = wrong
        if len(wrong) >= self._values("OTP_MAX_ATTEMPTS", member):
            _log.warning("too many wrong codes", extra={"user": member})
            raise HTTPException(429, "too many wrong codes; wait a while")

    async def _signed_in(self, request: Request) -> str:
        token = _token_of(request)
        query = "SELECT user_id, until FROM sessions WHERE token = ?"
        found = await self.store.read(lambda cursor: _one(cursor, query, token)) if token else None
        if found is None or found[1] < time.time():
            raise HTTPException(401, "sign in first")
        return str(found[0])


async def tell_of_members(values: Values, count: int) -> None:
    """Let Watchkeeper know the members by id, region, birth year and plan, so that segments can hold them."""
    if not isinstance(values.reader, Client):
        return
    year = datetime.now(UTC).year
    told = [
        {"id": p.user_id, "country": p.region, "birth_year": year - p.age, "attributes": {"plan": p.plan}}
        for p in population(count)
    ]
    # Nobody waits for it, and tomorrow is soon enough should it fail.
    await asyncio.to_thread(values.reader.sync_subjects, told)


def _token_of(request: Request) -> str:
    """What the request bears, or nothing."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


def _one(cursor: sqlite3.Cursor, query: str, value: str) -> Any:
    cursor.execute(query, (value,))
    return cursor.fetchone()


def _hashed(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()


_STAFF = {one.user_id: (_hashed(one.code),) for one in STAFF}
