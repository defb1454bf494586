"""OFREP: flags for clients of any language, as a bare ASGI app that is mounted at /ofrep."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import msgspec
import structlog
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from watchkeeper.kernel.clock import Clock, parse_rfc3339
from watchkeeper.kernel.errors import Forbidden, Refusal, Unauthenticated
from watchkeeper.kernel.web.access import Permission, current_actor
from watchkeeper.kernel.web.access import Scope as Grant
from watchkeeper.kernel.web.sse import ServerSentEvent, event_stream, last_event_id
from watchkeeper.modules.config.hub import Held, Hub
from watchkeeper.modules.config.known_subjects import KnownSubjects
from watchkeeper.modules.config.rates import Rates
from watchkeeper.modules.config.wire_ofrep import (
    Context,
    OfrepRefused,
    bulk,
    encoded,
    not_found,
    parse_context,
    refetch,
)
from watchkeeper_client.rules import NO_ATTRIBUTES

EVALUATE_FLAGS = Permission("config.evaluate", Grant.READ)
LARGEST_BODY = 64_000
STREAM_SECONDS = 300.0
TICKET_SECONDS = 86_400
ADMITTED_SECONDS = 1.0  # a revoked token works here so much longer at most
_MOST_ADMITTED = 4_096
_PREFIX = "/ofrep/v1/"
_FLAGS = "evaluate/flags"
_JSON = (b"content-type", b"application/json")
_NO_SNIFFING = (b"x-content-type-options", b"nosniff")
_log = structlog.get_logger("watchkeeper.config")


@dataclass(frozen=True)
class OfrepSettings:
    """What the app is told: where it is asked without an environment, and which pages of browsers may ask."""

    default_environment: str
    origins: frozenset[str]
    base_url: str | None


class OfrepApp:
    """Evaluates one flag or all, and tells of changes. Each answer is whole: no error leaves here as something else."""

    permission = EVALUATE_FLAGS

    def __init__(
        self, hub: Hub, clock: Clock, subjects: KnownSubjects, rates: Rates, key: bytes, settings: OfrepSettings
    ) -> None:
        self._hub, self._clock, self._subjects, self._rates = hub, clock, subjects, rates
        self._key, self._settings = key, settings
        self._admitted_until: dict[bytes, tuple[str, float]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        path = scope["path"].removeprefix(_PREFIX)
        cors = self._cors(headers)
        if path == "stream" and scope["method"] == "GET":
            await self._stream(scope, receive, send, cors)
            return
        key = path[len(_FLAGS) + 1 :] if path.startswith(f"{_FLAGS}/") else None
        try:
            if scope["method"] == "OPTIONS" and cors:
                await _send(send, 204, b"", (*cors, *_PREFLIGHT))
                return
            if scope["method"] != "POST" or (key is None and path != _FLAGS):
                raise OfrepRefused(404 if scope["method"] == "POST" else 405, "GENERAL", "POST to evaluate/flags.")
            environment = await self._admitted(scope, headers)
            body = await _body(receive, headers)
            status, answer, more = await self._answer(scope, key, environment, headers, body)
        except OfrepRefused as refused:
            status, answer, more = refused.status, refused.body(key), refused.headers
        except Exception:  # noqa: BLE001 (an edge: clients can only read errors of this shape)
            _log.exception("an evaluation failed")
            status, answer, more = 500, OfrepRefused(500, "GENERAL", "The evaluation failed.").body(key), ()
        await _send(send, status, answer, (*cors, *more))

    async def _admitted(self, scope: Scope, headers: Mapping[bytes, bytes]) -> str:
        """The environment that is asked, if whoever asks may. Raises OfrepRefused."""
        claim = headers.get(b"authorization") or headers.get(b"x-api-key", b"")
        admitted = self._admitted_until.get(claim)
        now = self._clock.monotonic()
        if admitted is None or admitted[1] <= now:
            admitted = (await self._authorised(scope, headers), now + ADMITTED_SECONDS)
            if len(self._admitted_until) >= _MOST_ADMITTED:
                self._admitted_until.clear()
            self._admitted_until[claim] = admitted
        wait = self._rates.wait(admitted[0])
        if wait:
            retry = (b"retry-after", str(wait).encode())
            raise OfrepRefused(429, "GENERAL", f"Too many evaluations; try again in {wait} s.", (retry,))
        return self._environment(scope, headers)

    async def _authorised(self, scope: Scope, headers: Mapping[bytes, bytes]) -> str:
        """The id of whoever asks. Raises OfrepRefused."""
        if b"authorization" not in headers and b"x-api-key" in headers:
            bearer = (b"authorization", b"Bearer " + headers[b"x-api-key"])
            scope = {**scope, "headers": [*scope["headers"], bearer], "state": {}}
        try:
            actor = await current_actor(Request(scope))
        except Unauthenticated as refusal:
            raise OfrepRefused(401, "GENERAL", refusal.detail, _CHALLENGE) from None
        except Refusal as refusal:
            raise OfrepRefused(refusal.status, "GENERAL", refusal.detail) from None
        if actor is None or actor.session_id is not None:
            # A page of another site in somebody's signed-in browser holds a cookie, and no token.
            raise OfrepRefused(401, "GENERAL", "Send a token as 'Authorization: Bearer …' or X-API-Key.", _CHALLENGE)
        if not actor.may(EVALUATE_FLAGS):
            raise OfrepRefused(403, "GENERAL", Forbidden("This token lacks the scope 'read'.").detail)
        return actor.id

    def _environment(self, scope: Scope, headers: Mapping[bytes, bytes]) -> str:
        said = headers.get(b"x-watchkeeper-environment", b"").decode("latin-1")
        if scope["query_string"]:
            said = parse_qs(scope["query_string"].decode("latin-1")).get("environment", [said])[0]
        return said or self._settings.default_environment

    def _held(self, environment: str) -> Held:
        try:
            return self._hub.current(environment)
        except Refusal as refusal:
            raise OfrepRefused(refusal.status, "GENERAL", refusal.detail) from None

    async def _answer(
        self, scope: Scope, key: str | None, environment: str, headers: Mapping[bytes, bytes], body: bytes
    ) -> tuple[int, bytes, tuple[tuple[bytes, bytes], ...]]:
        held = self._held(environment)
        context = parse_context(body)
        if key is not None:
            return 200, await self._single(held, key, context), ()
        attributes = await self._attributes(context)
        answer = self._all(scope, held, context, attributes)
        etag = _etag(held, context, answer)
        if etag in headers.get(b"if-none-match", b"").split(b", "):
            return 304, b"", ((b"etag", etag),)
        return 200, answer, ((b"etag", etag), (b"cache-control", b"private, no-cache"))

    async def _single(self, held: Held, key: str, context: Context) -> bytes:
        entry = held.program.table.get(key)
        # Who asks is looked up only where it makes a difference.
        known = context.attributes if entry is None or entry.decide is None else await self._attributes(context)
        return self._one(held, key, context.user, known)

    async def _attributes(self, context: Context) -> Mapping[str, Any]:
        """What the client says, and what the record says beside."""
        if context.user is None or not self._subjects.wanted:
            return context.attributes
        record = self._subjects.held(context.user)
        if record is None:
            record = await self._subjects.look_up(context.user)
        return {**record, **context.attributes} if record else context.attributes

    def _one(self, held: Held, key: str, user: str | None, attributes: Mapping[str, Any]) -> bytes:
        program = held.program
        entry = program.table.get(key)
        if entry is None or program.kinds[key] == "secret":
            raise not_found(key)
        outcome = entry if entry.decide is None else entry.decide(user, attributes or NO_ATTRIBUTES)
        outcome.count += 1
        return outcome.cache or encoded(key, outcome, held.document["environment"])

    def _all(self, scope: Scope, held: Held, context: Context, attributes: Mapping[str, Any]) -> bytes:
        keys = [key for key, kind in held.program.kinds.items() if kind != "secret"]
        evaluated = [self._one(held, key, context.user, attributes) for key in keys]
        url = f"{self._origin(scope)}{_PREFIX}stream?ticket={self._ticket(held.document['environment'])}"
        return bulk(evaluated, [{"type": "sse", "url": url, "inactivityDelaySec": 120}], held.version)

    def _origin(self, scope: Scope) -> str:
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
        return self._settings.base_url or f"{scope['scheme']}://{host}"

    def _ticket(self, environment: str) -> str:
        """Lets a browser, which can send no headers with a stream, hear that something changed; and nothing else.

        The same within a day's quarter, so that an answer that is unchanged has the same bytes.
        """
        until = (int(self._clock.now().timestamp()) // (TICKET_SECONDS // 4) + 5) * (TICKET_SECONDS // 4)
        said = f"{environment}.{until}"
        return f"{said}.{self._signature(said)}"

    def _signature(self, said: str) -> str:
        return urlsafe_b64encode(hmac.digest(self._key, said.encode(), "sha256")[:24]).decode()

    def _admits(self, ticket: str) -> str | None:
        """The environment of a ticket that holds."""
        said, _, signature = ticket.rpartition(".")
        environment, _, until = said.rpartition(".")
        if not hmac.compare_digest(self._signature(said).encode(), signature.encode("utf-8", "replace")):
            return None
        return environment if int(until) > self._clock.now().timestamp() else None

    async def _stream(self, scope: Scope, receive: Receive, send: Send, cors: tuple[tuple[bytes, bytes], ...]) -> None:
        request = Request(scope, receive)
        ticket = request.query_params.get("ticket")
        try:
            if ticket is not None:
                environment = self._admits(ticket)
                if environment is None:
                    raise OfrepRefused(401, "GENERAL", "The ticket has run out: evaluate again for another.")
            else:
                environment = await self._admitted(scope, dict(scope["headers"]))
            source = self._refetches(self._held(environment), last_event_id(request))
            response = event_stream(request, source, heartbeat=15.0, of_program=True)
        except OfrepRefused as refused:
            await _send(send, refused.status, refused.body(None), (*cors, *refused.headers))
            return
        except Refusal as refusal:
            body = OfrepRefused(refusal.status, "GENERAL", refusal.detail).body(None)
            await _send(send, refusal.status, body, cors)
            return
        for name, value in cors:
            response.headers[name.decode()] = value.decode()
        await response(scope, receive, send)

    async def _refetches(self, held: Held, has: str | None) -> AsyncIterator[ServerSentEvent]:
        environment = held.document["environment"]
        if has and has != held.etag:
            yield _refetch(held)
        newer: Held | None = held
        while (newer := await self._hub.moved(environment, held.etag, seconds=STREAM_SECONDS)) is not None:
            held = newer
            yield _refetch(held)

    def _cors(self, headers: Mapping[bytes, bytes]) -> tuple[tuple[bytes, bytes], ...]:
        origin = headers.get(b"origin")
        if origin is None or origin.decode("latin-1") not in self._settings.origins:
            return ()
        return (
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", b"ETag, Retry-After"),
            (b"vary", b"Origin"),
        )


_CHALLENGE = ((b"www-authenticate", b"Bearer"),)
_PREFLIGHT = (
    (b"access-control-allow-methods", b"POST, GET, OPTIONS"),
    (
        b"access-control-allow-headers",
        b"Authorization, X-API-Key, Content-Type, If-None-Match, X-Watchkeeper-Environment, Last-Event-ID",
    ),
    (b"access-control-max-age", b"600"),
)


def _refetch(held: Held) -> ServerSentEvent:
    made_at = int(parse_rfc3339(held.document["made_at"]).timestamp())
    return ServerSentEvent(refetch(held.etag, made_at), id=held.etag, event="message")


def _etag(held: Held, context: Context, answer: bytes) -> bytes:
    """Of the version, the whole context and what it came to: a client that re-sends it with another context is told.

    What it came to is in it because schedules and ages of attributes move without a new version.
    """
    said = msgspec.json.encode(dict(context.said), order="sorted")
    digest = hashlib.blake2b(said + b"\0" + answer, key=held.etag.encode()[:64], digest_size=16).hexdigest()
    return f'"{held.version}-{digest}"'.encode()


async def _body(receive: Receive, headers: Mapping[bytes, bytes]) -> bytes:
    """The whole body, of bounded size. Raises OfrepRefused."""
    if headers.get(b"content-encoding", b"identity") != b"identity":
        raise OfrepRefused(415, "GENERAL", "Send the context as it is, without content-encoding.")
    parts, size = [], 0
    while True:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size > LARGEST_BODY:
            raise OfrepRefused(413, "GENERAL", f"A context has at most {LARGEST_BODY // 1000} KB.")
        parts.append(part)
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)


async def _send(send: Send, status: int, body: bytes, headers: tuple[tuple[bytes, bytes], ...]) -> None:
    length = ((b"content-length", str(len(body)).encode()),) if status not in (204, 304) else ()
    await send({"type": "http.response.start", "status": status, "headers": [_JSON, _NO_SNIFFING, *length, *headers]})
    await send({"type": "http.response.body", "body": body})
