"""The chat service: keeps what two matched members write, and delivers it: the receiving phone acknowledges it."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from opentelemetry import metrics
from opentelemetry.instrumentation.utils import suppress_instrumentation
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from examples.duet import reports
from examples.duet.live import Lines
from examples.duet.people import PUSH_NETWORK
from examples.duet.releases import Release, load
from examples.duet.reports import Reports
from examples.duet.service import Peer, Place, body_of, healthy, member_of, refused
from examples.duet.storage import Store
from examples.duet.values import Values
from examples.duet.watching import tell

_KEPT = 50_000
_RECEIPT_WITHIN = 2.0  # what was not acknowledged by then goes out once more
_TRIED_FOR = 600.0
_RUDE = re.compile(r"\b(darn|blast|heck)\b", re.IGNORECASE)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (number INTEGER PRIMARY KEY AUTOINCREMENT, match_id TEXT NOT NULL,
  sender TEXT NOT NULL, text TEXT NOT NULL, notes TEXT NOT NULL, sent_at REAL NOT NULL, delivered_at REAL);
CREATE INDEX IF NOT EXISTS messages_match ON messages (match_id, number);
CREATE TABLE IF NOT EXISTS waiting (number INTEGER PRIMARY KEY, recipient TEXT NOT NULL, sent_at REAL NOT NULL);
"""
_log = logging.getLogger("duet.chat")


def make_app(place: Place, matching: Peer) -> Starlette:
    """The chat service as an application."""
    store = Store(place.data / "chat.sqlite", _SCHEMA + reports.SCHEMA)
    chat = Chat(store, matching, load(place.release), place.values)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        delivering = asyncio.create_task(chat.keep_delivering())
        yield
        delivering.cancel()
        with suppress(asyncio.CancelledError):
            await delivering
        await matching.close()
        place.values.close()
        chat.store.close()

    routes = [
        Route("/v1/matches/{match_id}/messages", chat.send, methods=["POST"]),
        Route("/v1/matches/{match_id}/messages", chat.history),
        Route("/v1/stream", chat.stream),
        Route("/v1/receipts", chat.receipts, methods=["POST"]),
        *Reports(store, place.values).routes(),
        Route("/healthz", healthy),
    ]
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers={HTTPException: refused})


class Chat:
    """The verbs of chat."""

    def __init__(self, store: Store, matching: Peer, release: Release, values: Values) -> None:
        self.store = store
        self._values = values
        self._matching = matching
        self._release = release
        self._lines = Lines()
        meter = metrics.get_meter("duet.chat")
        self._delivery = meter.create_histogram(
            "duet.messages.delivery",
            "s",
            "From sent to acknowledged",
            explicit_bucket_boundaries_advisory=[0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30],
        )

    async def send(self, request: Request) -> JSONResponse:
        """POST /v1/matches/{match_id}/messages"""
        me = member_of(request)
        match, other = await self._match_of(request, me)
        text = (await body_of(request, text=str))["text"]
        longest = self._values("MESSAGE_MAX_LENGTH", me)
        if not 0 < len(text) <= longest:
            raise HTTPException(422, f"text: expected 1 to {longest} characters")
        await self._require_turn(match, me)
        if self._values("PROFANITY_CHECK_ENABLED", me):
            text = _RUDE.sub(lambda found: "*" * len(found.group()), text)
        notes = json.dumps(self._release.annotate(text), ensure_ascii=False)
        row = (match, me, text, notes, time.time())
        number = await self.store.write(lambda cursor: _insert(cursor, row, other))
        tell("duet.message.accepted", message_id=str(number))
        self._lines.tell(other, {"number": number})
        _log.info("message sent", extra={"user": me, "match": match, "length": len(text)})
        return JSONResponse({"number": number}, 201)

    async def history(self, request: Request) -> JSONResponse:
        """GET /v1/matches/{match_id}/messages"""
        me = member_of(request)
        match, _ = await self._match_of(request, me)
        page = self._values("MESSAGE_HISTORY_PAGE_SIZE", me)
        rows = await self.store.read(lambda cursor: _latest(cursor, match, page))
        names = ("number", "sender", "text", "sent_at", "delivered_at")
        said: dict[str, Any] = {"items": [dict(zip(names, row, strict=True)) for row in rows]}
        if not rows and self._values("ENABLE_AI_COACH_OPENING_LINES", me):
            said["suggestion"] = "Ask about the last thing that made them laugh."
        return JSONResponse(said)

    async def stream(self, request: Request) -> StreamingResponse:
        """GET /v1/stream"""
        me = member_of(request)
        beat = float(self._values("WEBSOCKET_HEARTBEAT_SECONDS", me))
        return StreamingResponse(self._lines.listen(me, beat), media_type="application/x-ndjson")

    async def receipts(self, request: Request) -> JSONResponse:
        """POST /v1/receipts"""
        me, numbers = member_of(request), (await body_of(request, numbers=list))["numbers"]
        if len(numbers) > 200 or not all(isinstance(one, int) for one in numbers):
            raise HTTPException(422, "numbers: expected at most 200 numbers of messages")
        by = None if me == PUSH_NETWORK.user_id else me
        now = time.time()
        delivered = await self.store.write(lambda cursor: _delivered(cursor, numbers, by, now))
        for number, sent_at in delivered:
            tell("duet.message.delivered", message_id=str(number))
            self._delivery.record(max(0.0, now - sent_at))
        return JSONResponse({"delivered": len(delivered)})

    async def keep_delivering(self) -> None:
        """Send once more, for ever, what nobody acknowledged."""
        while True:
            await asyncio.sleep(_RECEIPT_WITHIN / 2)
            try:
                with suppress_instrumentation():  # no request asked for it: its queries would be traces of their own
                    late = await self.store.read(lambda cursor: _late(cursor, time.time()))
            except sqlite3.Error:
                _log.exception("what waits is not known; trying again")
                continue
            for number, recipient in late:
                self._lines.tell(recipient, {"number": number}, push=True)

    async def _require_turn(self, match: str, me: str) -> None:
        """Not too many in a minute, and where the policy says so, none before the other has answered."""
        most = self._values("RATE_LIMIT_MESSAGES_PER_MINUTE", me)
        sent, last = await self.store.read(lambda cursor: _turn(cursor, match, me, time.time() - 60))
        if sent >= most:
            raise HTTPException(429, f"at most {most} messages a minute")
        if last == me and self._values("CHAT_FIRST_MESSAGE_POLICY", me) == "one_until_answered":
            raise HTTPException(409, "wait for an answer first")

    async def _match_of(self, request: Request, me: str) -> tuple[str, str]:
        """The match, and who else is in it."""
        match = str(request.path_params["match_id"])
        members = (await self._matching.call("GET", f"/v1/matches/{match}", user=me))["members"]
        if me not in members:
            _log.warning("not in this match", extra={"user": me, "match": match})
            raise HTTPException(403, "not your match")
        return match, str(next(one for one in members if one != me))


def _insert(cursor: sqlite3.Cursor, row: tuple[Any, ...], recipient: str) -> int:
    cursor.execute("INSERT INTO messages (match_id, sender, text, notes, sent_at) VALUES (?, ?, ?, ?, ?)", row)
    number = int(cursor.lastrowid or 0)
    cursor.execute("INSERT INTO waiting VALUES (?, ?, ?)", (number, recipient, row[-1]))
    for table in ("messages", "waiting"):
        cursor.execute(f"DELETE FROM {table} WHERE number <= ?", (number - _KEPT,))
    return number


def _turn(cursor: sqlite3.Cursor, match: str, me: str, since: float) -> tuple[int, str | None]:
    """How many messages of the match are this member's since then, and who wrote last."""
    recent = "SELECT count(*) FROM messages WHERE match_id = ? AND sender = ? AND sent_at > ?"
    sent = int(cursor.execute(recent, (match, me, since)).fetchone()[0])
    cursor.execute("SELECT sender FROM messages WHERE match_id = ? ORDER BY number DESC LIMIT 1", (match,))
    last = cursor.fetchone()
    return sent, last[0] if last else None


def _latest(cursor: sqlite3.Cursor, match: str, page: int) -> list[Any]:
    columns = "number, sender, text, sent_at, delivered_at"
    cursor.execute(
        f"SELECT {columns} FROM messages WHERE match_id = ? ORDER BY number DESC LIMIT ?",
        (match, page),
    )
    return cursor.fetchall()


def _delivered(cursor: sqlite3.Cursor, numbers: list[int], by: str | None, now: float) -> list[tuple[int, float]]:
    """Messages that waited for this member (None: for anybody), with when they were sent. They wait no more."""
    found = []
    for number in numbers:
        query = "DELETE FROM waiting WHERE number = ? AND recipient = coalesce(?, recipient) RETURNING number, sent_at"
        row = cursor.execute(query, (number, by)).fetchone()
        if row is not None:
            found.append((int(row[0]), float(row[1])))
            cursor.execute("UPDATE messages SET delivered_at = ? WHERE number = ?", (now, number))
    return found


def _late(cursor: sqlite3.Cursor, now: float) -> list[tuple[int, str]]:
    query = "SELECT number, recipient FROM waiting WHERE sent_at BETWEEN ? AND ? ORDER BY number LIMIT 200"
    return cursor.execute(query, (now - _TRIED_FOR, now - _RECEIPT_WITHIN)).fetchall()
