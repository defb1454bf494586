"""ASGI: a request id for every request; a server span and a duration for those that people and programs wait for."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

import structlog
from opentelemetry.propagate import extract
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, use_span
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.telemetry import metrics, tracing
from watchkeeper.kernel.telemetry.redaction import redact_text

# Watching the intake would feed it, and some paths hold keys; the others are asked every few seconds by machines.
_UNWATCHED = ("/v1/", "/v2/", "/integrations/", "/ping/", "/static/", "/healthz", "/readyz", "/metrics")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_duration = metrics.histogram("http.server.request.duration", "How long requests to Watchkeeper took.")


class RequestTelemetry:
    """`templates` maps route objects (by id) to their full path template, so that metrics have few labels."""

    def __init__(self, app: ASGIApp, *, templates: Mapping[int, str], clock: Clock) -> None:
        self._app, self._templates, self._clock = app, templates, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = f"req_{secrets.token_hex(12)}"
        scope.setdefault("state", {})["request_id"] = request_id
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            if scope["path"].startswith(_UNWATCHED):
                await self._app(scope, receive, _with_request_id(send, request_id))
            else:
                await self._watched(scope, receive, send, request_id)

    async def _watched(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        span = tracing.tracer().start_span(
            method,
            context=extract(Headers(scope=scope)),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": method},
        )
        watch = _Watch(self, scope, send, span, request_id)
        with use_span(span, end_on_exit=False, record_exception=False, set_status_on_exception=False):
            try:
                await self._app(scope, receive, watch.send)
            finally:
                watch.finish()

    def route_of(self, scope: Scope) -> str | None:
        """The path template of the route that served this request, when one did."""
        route = scope.get("route")
        return self._templates.get(id(route)) if route is not None else None

    def elapsed_since(self, start: float) -> float:
        """Seconds since a reading of `clock`."""
        return self._clock.monotonic() - start

    def start(self) -> float:
        """A reading to measure from."""
        return self._clock.monotonic()


class _Watch:
    def __init__(self, owner: RequestTelemetry, scope: Scope, send: Send, span: Span, request_id: str) -> None:
        self._owner, self._scope, self._span = owner, scope, span
        self._method = span_method(scope)
        self._started = owner.start()
        self._send = _with_request_id(send, request_id)
        self._status = 500  # what the server answers when the app gives nothing
        self._finished = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            await self._send(message)
            if Headers(raw=message["headers"]).get("content-type", "").startswith("text/event-stream"):
                # A stream lasts as long as somebody watches: that is no latency.
                self._finished = True
                self._span.end()
            return
        await self._send(message)

    def finish(self) -> None:
        if self._finished:
            return
        self._finished = True
        route = self._owner.route_of(self._scope)
        labels: dict[str, str | int | bool] = {
            "http.request.method": self._method,
            "http.response.status_code": self._status,
            "http.route": route or "",
        }
        _duration.observe(self._owner.elapsed_since(self._started), labels)
        if route is not None:
            self._span.update_name(f"{self._method} {route}")
            self._span.set_attribute("http.route", route)
        self._span.set_attribute("http.response.status_code", self._status)
        self._span.set_attribute("url.path", redact_text(self._scope["path"]))
        if self._status >= 500:
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


def span_method(scope: Scope) -> str:
    """The request's method; `_OTHER` for made-up ones, which would make as many labels."""
    return scope["method"] if scope["method"] in _METHODS else "_OTHER"


def _with_request_id(send: Send, request_id: str) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], (b"x-request-id", request_id.encode())]}
        await send(message)

    return sending
