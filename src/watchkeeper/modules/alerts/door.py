"""Who may come in: keys, how often each may come, and how much is read of what it brings."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.types import Receive, Scope, Send

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Refusal, TooLarge, TooManyRequests
from watchkeeper.kernel.web.limits import MAX_JSON_DEPTH, json_depth
from watchkeeper.modules.alerts import store_integrations
from watchkeeper.modules.alerts.errors import EventInvalid, UnknownKey
from watchkeeper.modules.alerts.keys import digest_of
from watchkeeper.modules.alerts.model import Integration, Kind

LARGEST_BODY = 512 * 1024
# A key that was revoked elsewhere opens for so much longer at most.
KNOWN_SECONDS = 1.0
_MOST_KNOWN = 2_048
_MOST_BUCKETS = 10_000
_BURST_SECONDS = 10.0


class Hung(Exception):
    """The sender hung up before it had sent all."""


class Rates:
    """A bucket for each key that fills with its rate and holds ten seconds of it. Each replica counts for itself."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def require(self, who: str, per_minute: int, number: int = 1) -> None:
        """Raises TooManyRequests when `number` more are too many now. A full bucket lets any number through once."""
        now, per_second = self._clock.monotonic(), per_minute / 60
        most = max(1.0, per_second * _BURST_SECONDS)
        left, since = self._buckets.get(who, (most, now))
        left = min(most, left + (now - since) * per_second)
        wanted = min(float(number), most)
        if left < wanted:
            wait = max(1, math.ceil((wanted - left) / per_second))
            raise TooManyRequests(f"This key may send {per_minute:,} alerts a minute.", retry_after_seconds=wait)
        if who not in self._buckets and len(self._buckets) >= _MOST_BUCKETS:
            self._buckets.clear()
        self._buckets[who] = (left - number, now)


@dataclass
class _Known:
    integration: Integration
    until: float


class Door:
    """Finds whose a key is. One that nobody has, one that was revoked and one of another format look the same, and all
    of them are looked up in the same way."""

    def __init__(self, db: Database, clock: Clock, *, most: int = 512) -> None:
        self._db, self._clock, self._most = db.lane("alerts-intake"), clock, most
        self._inside = 0
        self._known: dict[tuple[str, Kind], _Known] = {}
        self.rates = Rates(clock)

    @contextmanager
    def open(self) -> Iterator[None]:
        """Room for one request. Raises TooManyRequests while too many are inside: each may hold half a megabyte."""
        if self._inside >= self._most:
            raise TooManyRequests("Too many requests are at the door.", retry_after_seconds=1)
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    async def integration(self, key: str, kind: Kind) -> Integration:
        """Raises UnknownKey."""
        digest = digest_of(key)
        now = self._clock.monotonic()
        known = self._known.get((digest, kind))
        if known is not None and known.until > now:
            return known.integration
        at = self._clock.now()
        found = await self._db.ask(lambda session: store_integrations.by_digest(session, digest, at=at))
        if found is None or found.kind is not kind:
            self._known.pop((digest, kind), None)
            raise UnknownKey
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[digest, kind] = _Known(found, now + KNOWN_SECONDS)
        return found


async def read_body(scope: Scope, receive: Receive, most: int = LARGEST_BODY) -> bytes:
    """The body. Raises TooLarge as soon as it is, and Hung."""
    declared = dict(scope["headers"]).get(b"content-length", b"")
    if declared.isdigit() and int(declared) > most:
        raise TooLarge(f"The body is larger than the {most:,} bytes accepted here.")
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Hung
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > most:
            raise TooLarge(f"The body is larger than the {most:,} bytes accepted here.")
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def require_shallow(body: bytes) -> None:
    """Raises EventInvalid for JSON that is nested too deeply to be anything but an attack."""
    if json_depth(body) > MAX_JSON_DEPTH:
        raise EventInvalid(f"The JSON is nested more than {MAX_JSON_DEPTH} levels deep.")


async def send_answer(
    send: Send, status: int, body: bytes, media_type: str = "application/json", *, refusal: Refusal | None = None
) -> None:
    """An answer of its own, with the headers of a refusal."""
    headers = [
        (b"content-type", media_type.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", b"no-store"),
    ]
    headers += [(name.lower().encode(), value.encode()) for name, value in (refusal.headers if refusal else {}).items()]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
