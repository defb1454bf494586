"""OFREP's stream: it tells clients to ask again, and nothing else."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import quote

from watchkeeper.kernel.clock import Clock, parse_rfc3339
from watchkeeper.kernel.errors import Refusal, Unavailable
from watchkeeper.kernel.web.sse import Encoded, ServerSentEvent
from watchkeeper.modules.config.hub import Held, Hub
from watchkeeper.modules.config.wire_ofrep import refetch

TokenWorks = Callable[[str], Awaitable[bool]]
RENEWED_SECONDS = 6 * 3600
ASKED_AGAIN_SECONDS = 10.0  # a stream outlives its token no longer than this
_RENEWALS = 5
# The hub lets a schedule act within a fifth of a second.
_AFTER_DUE_SECONDS = 0.3
_MOST_TOKENS = 10_000


@dataclass(frozen=True)
class Ticket:
    """Lets a browser, whose streams carry no headers, hear of one environment on behalf of one token."""

    environment: str
    token: str


class Tickets:
    """Tickets are signed and hold for 24 to 30 hours, and never longer than their token."""

    def __init__(self, key: bytes, clock: Clock) -> None:
        self._key, self._clock = key, clock

    def issue(self, ticket: Ticket) -> str:
        """Text for an address. It is the same for six hours, so that an unchanged answer has the same bytes."""
        until = (int(self._clock.now().timestamp()) // RENEWED_SECONDS + _RENEWALS) * RENEWED_SECONDS
        said = f"{ticket.environment}.{until}.{ticket.token}"
        return f"{said}.{self._signature(said)}"

    def read(self, text: str) -> Ticket | None:
        """The ticket, if it was issued here and still holds."""
        said, _, signature = text.rpartition(".")
        if not hmac.compare_digest(self._signature(said).encode(), signature.encode("utf-8", "replace")):
            return None
        environment, until, token = said.split(".", 2)
        return Ticket(environment, token) if int(until) > self._clock.now().timestamp() else None

    def _signature(self, said: str) -> str:
        return urlsafe_b64encode(hmac.digest(self._key, said.encode("utf-8", "replace"), "sha256")[:24]).decode()


class LiveTokens:
    """Whether a token still works, asked once in a while however many streams it opened."""

    def __init__(self, works: TokenWorks, clock: Clock) -> None:
        self._works, self._clock = works, clock
        self._answers: dict[str, tuple[float, bool]] = {}

    async def works(self, token: str, *, within: float = ASKED_AGAIN_SECONDS) -> bool:
        """As it was so many seconds ago at most. Without a database to ask, it does: what was begun goes on."""
        held = self._answers.get(token)
        now = self._clock.monotonic()
        if held is not None and now - held[0] < within:
            return held[1]
        try:
            answer = await self._works(token)
        except Unavailable:
            return True
        if len(self._answers) >= _MOST_TOKENS:
            self._answers.clear()
        self._answers[token] = (now, answer)
        return answer


class Refetches:
    """The messages of one stream after another."""

    def __init__(self, hub: Hub, clock: Clock, tokens: LiveTokens) -> None:
        self._hub, self._clock, self._tokens = hub, clock, tokens

    async def follow(self, ticket: Ticket, has: str | None) -> AsyncIterator[Encoded]:
        """A message for each change after the version `has`; ends with the token or the environment."""
        try:
            held = self._hub.current(ticket.environment)
            # Without a message, so that a browser that loses the stream now knows where it was.
            yield Encoded(f"id: {held.etag}\n\n".encode()) if has in (None, held.etag) else _refetch(held)
            while await self._tokens.works(ticket.token):
                newer = await self._next(held)
                if newer is not held:
                    held = newer
                    yield _refetch(held)
        except Refusal:
            return

    async def _next(self, held: Held) -> Held:
        """The version after `held`, or the same one with a schedule that has fallen due, or `held` after a while."""
        environment, wait = held.document["environment"], ASKED_AGAIN_SECONDS
        due = held.program.next_change_at
        if due is not None:
            left = (due - self._clock.now()).total_seconds()
            wait = min(wait, max(left, 0.0) + _AFTER_DUE_SECONDS)
        newer = await self._hub.moved(environment, held.etag, seconds=wait)
        return newer or self._hub.current(environment)


def address(tickets: Tickets, ticket: Ticket, etag: str) -> str:
    """Where to hear of changes after a version, on this server."""
    return f"/ofrep/v1/stream?ticket={tickets.issue(ticket)}&last_event_id={quote(etag, safe='')}"


def _refetch(held: Held) -> Encoded:
    made_at = int(parse_rfc3339(held.document["made_at"]).timestamp())
    return Encoded(ServerSentEvent(refetch(held.etag, made_at), id=held.etag, event="message").encode())
