"""Bounds on what a request may carry, kept before anything is parsed."""

from __future__ import annotations

import re
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from watchkeeper.kernel.errors import Complaint, TooLarge
from watchkeeper.kernel.web.problems import MalformedRequest, problem_response

MAX_JSON_DEPTH = 32
DEFAULT_MAX_BODY = 1_000_000
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_NOT_BRACKETS = re.compile(rb"[^\[\]{}]+")


class _BodyTooLarge(HTTPException):
    # An HTTPException, because FastAPI turns every other error while it reads a body into a 400.
    def __init__(self, limit: int) -> None:
        super().__init__(413, _too_large(limit))


class RequestLimits:
    """ASGI: refuses bodies over the limit of their path (413) and JSON nested too deeply (400), chunked ones too,
    and addresses with a NUL character (400).

    `overrides` maps path prefixes to their own limit in bytes; None leaves a prefix to a route that counts for itself.
    JSON is read whole before the app sees it, so only paths under the default rules are checked for depth.
    """

    def __init__(
        self, app: ASGIApp, *, limit: int = DEFAULT_MAX_BODY, overrides: Mapping[str, int | None] | None = None
    ) -> None:
        self._app = app
        self._limit = limit
        self._overrides = sorted((overrides or {}).items(), key=lambda rule: -len(rule[0]))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if "\0" in scope["path"] or b"%00" in scope.get("query_string", b""):
            # PostgreSQL can't keep it, and nobody types it.
            await problem_response(MalformedRequest("The address holds a NUL character."))(scope, receive, send)
            return
        limit = self._limit_of(scope["path"])
        if limit is None:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        declared = headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > limit:
            await problem_response(TooLarge(_too_large(limit)))(scope, receive, send)
            return
        if _is_json(headers):
            await self._with_whole_json(scope, receive, send, limit)
        else:
            await self._with_counting(scope, receive, send, limit)

    async def _with_counting(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, _counted(receive, limit), watch)
        except _BodyTooLarge:
            if started:
                raise
            await problem_response(TooLarge(_too_large(limit)))(scope, receive, send)

    async def _with_whole_json(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        try:
            body = await _read_all(_counted(receive, limit))
        except _BodyTooLarge:
            await problem_response(TooLarge(_too_large(limit)))(scope, receive, send)
            return
        if body is None:
            return
        if json_depth(body) > MAX_JSON_DEPTH:
            complaint = Complaint("body", f"JSON nested at most {MAX_JSON_DEPTH} levels deep")
            refusal = MalformedRequest("The JSON is nested too deeply.", complaints=[complaint])
            await problem_response(refusal)(scope, receive, send)
            return
        await self._app(scope, _replayed(body, receive), send)

    def _limit_of(self, path: str) -> int | None:
        for prefix, limit in self._overrides:
            if path.startswith(prefix):
                return limit
        return self._limit


def json_depth(body: bytes) -> int:
    """How deeply arrays and objects are nested, without parsing; brackets inside strings don't count."""
    if body.count(b"[") + body.count(b"{") <= MAX_JSON_DEPTH:
        return min(body.count(b"[") + body.count(b"{"), MAX_JSON_DEPTH)
    depth = deepest = 0
    for bracket in _NOT_BRACKETS.sub(b"", _STRING.sub(b"", body)):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _is_json(headers: Headers) -> bool:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type == "application/json" or media_type.endswith("+json")


def _counted(receive: Receive, limit: int) -> Receive:
    taken = 0

    async def counting() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > limit:
            raise _BodyTooLarge(limit)
        return message

    return counting


async def _read_all(receive: Receive) -> bytes | None:
    chunks = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)


def _replayed(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _too_large(limit: int) -> str:
    return f"The body is larger than the {limit:,} bytes accepted here."
