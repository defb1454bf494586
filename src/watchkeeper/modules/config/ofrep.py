"""OFREP: flags for clients of any language, as a bare ASGI app that is mounted at /ofrep."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import structlog
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import Refusal, Unauthenticated
from watchkeeper.kernel.telemetry import metrics
from watchkeeper.kernel.web.access import Permission, current_actor
from watchkeeper.kernel.web.access import Scope as Grant
from watchkeeper.kernel.web.sse import event_stream, last_event_id
from watchkeeper.modules.config.hub import Hub
from watchkeeper.modules.config.known_subjects import KnownSubjects
from watchkeeper.modules.config.ofrep_serving import Serving
from watchkeeper.modules.config.ofrep_stream import LiveTokens, Refetches, Ticket, Tickets, TokenWorks, address
from watchkeeper.modules.config.rates import Rates
from watchkeeper.modules.config.wire_ofrep import (
    Context,
    Headers,
    OfrepRefused,
    bulk,
    matches,
    not_found,
    parse_context,
)

EVALUATE_FLAGS = Permission("config.evaluate", Grant.READ)
LARGEST_BODY = 64_000
HEARTBEAT_SECONDS = 15.0
ADMITTED_SECONDS = 1.0  # a token that is revoked here works so much longer at most
_MOST_ADMITTED = 4_096
_PREFIX = "/ofrep/v1/"
_FLAGS = "evaluate/flags"
_JSON = (b"content-type", b"application/json")
_NO_SNIFFING = (b"x-content-type-options", b"nosniff")
_CHALLENGE = ((b"www-authenticate", b"Bearer"),)
_PREFLIGHT = (
    (b"access-control-allow-methods", b"POST, GET, OPTIONS"),
    (
        b"access-control-allow-headers",
        b"Authorization, X-API-Key, Content-Type, If-None-Match, X-Watchkeeper-Environment, Last-Event-ID",
    ),
    (b"access-control-max-age", b"600"),
)
_log = structlog.get_logger("watchkeeper.config")
_refused = metrics.counter("watchkeeper.config.ofrep_refused", "Requests by OFREP that got no value, by status.")

Answer = tuple[int, bytes, Headers]


@dataclass(frozen=True)
class OfrepSettings:
    """Where is asked without an environment, which pages of browsers may ask, and what signs their tickets."""

    default_environment: str
    origins: frozenset[str]
    key: bytes


class OfrepApp:
    """Evaluates one flag or all, and tells of changes. Each answer is whole: no error leaves here as something else."""

    permission = EVALUATE_FLAGS

    def __init__(
        self,
        hub: Hub,
        clock: Clock,
        subjects: KnownSubjects,
        rates: Rates,
        token_works: TokenWorks,
        settings: OfrepSettings,
    ) -> None:
        self._hub, self._clock, self._subjects, self._rates = hub, clock, subjects, rates
        self._settings = settings
        self._tickets = Tickets(settings.key, clock)
        self._tokens = LiveTokens(token_works, clock)
        self._refetches = Refetches(hub, clock, self._tokens)
        self._admitted_until: dict[bytes, tuple[str, float]] = {}
        self._servings: dict[str, Serving] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        path = scope["path"].removeprefix(_PREFIX)
        key = path[len(_FLAGS) + 1 :] if path.startswith(f"{_FLAGS}/") else None
        cors = self._cors(headers)
        try:
            if scope["method"] == "POST" and (key is not None or path == _FLAGS):
                status, answer, more = await self._evaluate(scope, receive, headers, key)
            elif scope["method"] == "GET" and path == "stream":
                await self._stream(scope, receive, send, headers, cors)
                return
            else:
                if scope["method"] != "OPTIONS":
                    await self._admitted(scope, headers)
                status, answer, more = _elsewhere(scope, path, key, may_ask=len(cors) > 1)
        except OfrepRefused as refused:
            _refused.add(status=refused.status)
            status, answer, more = refused.status, refused.body(key), refused.headers
        except Exception:  # noqa: BLE001 (an edge: clients can only read errors of this shape)
            _log.exception("an evaluation failed")
            _refused.add(status=500)
            status, answer, more = 500, OfrepRefused(500, "GENERAL", "The evaluation failed.").body(key), ()
        await _send(send, status, answer, (*cors, *more))

    async def _evaluate(
        self, scope: Scope, receive: Receive, headers: Mapping[bytes, bytes], key: str | None
    ) -> Answer:
        actor = await self._admitted(scope, headers)
        wait = self._rates.wait(actor)
        if wait:
            retry = (b"retry-after", str(wait).encode())
            raise OfrepRefused(429, "GENERAL", f"Too many evaluations; try again in {wait} s.", (retry,))
        serving = self._serving(self._environment(scope, headers))
        context = parse_context(await _body(receive, headers))
        if key is None:
            return await self._all(serving, context, actor, headers.get(b"if-none-match", b""))
        if key not in serving.table:
            raise not_found(key)
        attributes = await self._attributes(context, serving.asked_of(key))
        return 200, serving.answer(key, context.user, attributes), ()

    async def _all(self, serving: Serving, context: Context, actor: str, if_none_match: bytes) -> Answer:
        """The ETag is of the version, the whole context and what it came to: clients re-send it with another context,
        and schedules and ages move without a new version."""
        attributes = await self._attributes(context, serving.asked_of_all)
        evaluated = [serving.answer(key, context.user, attributes) for key in serving.table]
        held = serving.held
        stream = address(self._tickets, Ticket(serving.environment, actor), held.etag)
        answer = bulk(evaluated, stream, serving.environment, held.version)
        digest = hashlib.blake2b(context.canonical() + b"\0" + answer, digest_size=16).hexdigest()
        etag = f'"{held.version}-{digest}"'.encode()
        if matches(if_none_match, etag):
            return 304, b"", ((b"etag", etag),)
        return 200, answer, ((b"etag", etag), (b"cache-control", b"private, no-cache"))

    async def _attributes(self, context: Context, asked: frozenset[str]) -> Mapping[str, Any]:
        """What the client says, and what the record says beside, where that can decide."""
        said = context.attributes
        if context.user is None or not self._subjects.wanted or said.keys() >= asked:
            return said
        record = self._subjects.held(context.user)
        if record is None:
            record = await self._subjects.look_up(context.user)
        return {**record, **said} if record else said

    def _serving(self, environment: str) -> Serving:
        try:
            held = self._hub.current(environment)
        except Refusal as refusal:
            raise _of(refusal) from None
        serving = self._servings.get(environment)
        if serving is None or serving.held is not held:
            serving = self._servings[environment] = Serving(held)
        return serving

    def _environment(self, scope: Scope, headers: Mapping[bytes, bytes]) -> str:
        said = headers.get(b"x-watchkeeper-environment", b"").decode("latin-1")
        if scope["query_string"]:
            said = parse_qs(scope["query_string"].decode("latin-1")).get("environment", [said])[0]
        return said or self._settings.default_environment

    async def _admitted(self, scope: Scope, headers: Mapping[bytes, bytes]) -> str:
        """The id of whoever asks, if they may. Raises OfrepRefused."""
        claim = headers.get(b"authorization") or headers.get(b"x-api-key", b"")
        admitted = self._admitted_until.get(claim)
        now = self._clock.monotonic()
        if admitted is None or admitted[1] <= now:
            admitted = (await self._authorised(scope, headers), now + ADMITTED_SECONDS)
            if len(self._admitted_until) >= _MOST_ADMITTED:
                self._admitted_until.clear()
            self._admitted_until[claim] = admitted
        return admitted[0]

    async def _authorised(self, scope: Scope, headers: Mapping[bytes, bytes]) -> str:
        if b"authorization" not in headers and b"x-api-key" in headers:
            bearer = (b"authorization", b"Bearer " + headers[b"x-api-key"])
            scope = {**scope, "headers": [*scope["headers"], bearer], "state": {}}
        try:
            actor = await current_actor(Request(scope))
        except Unauthenticated as refusal:
            raise OfrepRefused(401, "GENERAL", refusal.detail, _CHALLENGE) from None
        except Refusal as refusal:
            raise _of(refusal) from None
        if actor is None or actor.session_id is not None:
            # A page of another site in somebody's signed-in browser holds a cookie, and no token.
            raise OfrepRefused(401, "GENERAL", "Send a token as 'Authorization: Bearer …' or X-API-Key.", _CHALLENGE)
        if not actor.may(EVALUATE_FLAGS):
            raise OfrepRefused(403, "GENERAL", "This token lacks the scope 'read'.")
        return actor.id

    async def _stream(
        self, scope: Scope, receive: Receive, send: Send, headers: Mapping[bytes, bytes], cors: Headers
    ) -> None:
        request = Request(scope, receive)
        said = request.query_params.get("ticket")
        if said is None:
            ticket: Ticket | None = Ticket(self._environment(scope, headers), await self._admitted(scope, headers))
        else:
            ticket = self._tickets.read(said)
        if ticket is None or not await self._tokens.works(ticket.token, within=ADMITTED_SECONDS):
            raise OfrepRefused(401, "GENERAL", "The ticket has run out: evaluate all flags for another.", _CHALLENGE)
        self._serving(ticket.environment)
        source = self._refetches.follow(ticket, last_event_id(request))
        try:
            response = event_stream(request, source, heartbeat=HEARTBEAT_SECONDS, of_program=True)
        except Refusal as refusal:
            raise _of(refusal) from None
        response.raw_headers.extend((*cors, _NO_SNIFFING))
        await response(scope, receive, send)

    def _cors(self, headers: Mapping[bytes, bytes]) -> Headers:
        if not self._settings.origins:
            return ()
        origin = headers.get(b"origin", b"")
        if origin.decode("latin-1") not in self._settings.origins:
            return ((b"vary", b"Origin"),)
        return (
            (b"vary", b"Origin"),
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", b"ETag, Retry-After"),
        )


def _elsewhere(scope: Scope, path: str, key: str | None, *, may_ask: bool) -> Answer:
    """What is neither an evaluation nor the stream: a browser's question, or a mistake."""
    allowed = {"stream": b"GET, OPTIONS"}.get(path, b"POST, OPTIONS" if key is not None or path == _FLAGS else b"")
    if not allowed:
        raise OfrepRefused(404, "GENERAL", "There are evaluate/flags, evaluate/flags/{key} and stream in /ofrep/v1/.")
    if scope["method"] == "OPTIONS":
        return 204, b"", _PREFLIGHT if may_ask else ((b"allow", allowed),)
    raise OfrepRefused(405, "GENERAL", f"This takes {allowed.decode()}.", ((b"allow", allowed),))


def _of(refusal: Refusal) -> OfrepRefused:
    headers = tuple((name.lower().encode(), value.encode()) for name, value in refusal.headers.items())
    return OfrepRefused(refusal.status, "GENERAL", refusal.detail, headers)


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


async def _send(send: Send, status: int, body: bytes, headers: Headers) -> None:
    length = ((b"content-length", b"%d" % len(body)),) if status not in (204, 304) else ()
    await send({"type": "http.response.start", "status": status, "headers": [_JSON, _NO_SNIFFING, *length, *headers]})
    await send({"type": "http.response.body", "body": body})
