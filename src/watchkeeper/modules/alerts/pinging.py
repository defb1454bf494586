"""Pings as Healthchecks takes them, at `/ping/<uuid>`: crontabs and scripts need only another address."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import structlog
from starlette.types import Receive, Scope, Send

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Refusal
from watchkeeper.kernel.web.access import Public
from watchkeeper.modules.alerts.beats import PingKind
from watchkeeper.modules.alerts.cleaning import clean
from watchkeeper.modules.alerts.door import Hung, Rates, read_body, send_answer
from watchkeeper.modules.alerts.heartbeats import Heartbeats
from watchkeeper.modules.alerts.public import Alerting

# As Healthchecks does it: what is longer is cut, and the ping counts.
LARGEST_BODY = 100_000
_KEPT = 10_000
_PER_MINUTE = 60
_METHODS = ("GET", "HEAD", "POST")
_WORDS = {"start": PingKind.START, "fail": PingKind.FAIL, "log": PingKind.LOG}
_log = structlog.get_logger("watchkeeper.alerts")


class PingApp:
    """Answers `OK` once the ping is durable."""

    permission = Public("jobs ping an address that nobody can guess")

    def __init__(
        self, db: Database, clock: Clock, alerting: Alerting, rates: Rates, after: Callable[[], None] = lambda: None
    ) -> None:
        self._db, self._clock, self._alerting, self._rates, self._after = db, clock, alerting, rates, after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            status, answer, refusal = await self._answer(scope, receive)
        except Hung:
            return
        except Refusal as refused:
            status, answer, refusal = refused.status, refused.detail, refused
        except Exception:  # noqa: BLE001 (an edge: a job repeats what it can read as an error of the server)
            # Neither path nor body: both may hold what nobody else should read.
            _log.exception("a ping could not be taken in")
            status, answer, refusal = 500, "internal error", None
        body = b"" if scope["method"] == "HEAD" else answer.encode()
        await send_answer(send, status, body, "text/plain; charset=utf-8", refusal=refusal)

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, str, Refusal | None]:
        if scope["method"] not in _METHODS:
            return 405, "method not allowed", None
        parts = scope["path"].removeprefix("/ping/").rstrip("/").split("/")
        key = _uuid(parts[0])
        said = _kind_of(parts[1]) if len(parts) == 2 else (PingKind.SUCCESS, None) if len(parts) == 1 else None
        if key is None:
            return 404, "not found", None
        if said is None:
            return 400, "invalid url format", None
        self._rates.require(key, _PER_MINUTE)
        body = await read_body(scope, receive) if scope["method"] == "POST" else b""
        text = clean(body[:LARGEST_BODY].decode("utf-8", "replace"), _KEPT)
        kind, status = said
        found = await self._db.write(
            lambda session: Heartbeats(session, self._clock, self._alerting).ping(
                key, kind, body=text, exit_status=status
            )
        )
        if found is None:
            return 404, "not found", None
        self._after()
        return 200, "OK", None


def _uuid(text: str) -> str | None:
    try:
        return str(uuid.UUID(text)) if len(text) in (32, 36) else None
    except ValueError:
        return None


def _kind_of(word: str) -> tuple[PingKind, int | None] | None:
    if word in _WORDS:
        return _WORDS[word], None
    if word.isascii() and word.isdigit() and int(word) <= 255:
        return (PingKind.SUCCESS if int(word) == 0 else PingKind.FAIL), int(word)
    return None
