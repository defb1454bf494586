"""ASGI: facts that a request leads to remember where it came from."""

from __future__ import annotations

from opentelemetry.trace import format_trace_id, get_current_span
from starlette.types import ASGIApp, Receive, Scope, Send

from watchkeeper.kernel.journal.origin import Origin, coming_from


class RequestOrigin:
    """Inside TrustedProxies, so that the address is the sender's and not a proxy's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        client = scope.get("client")
        span = get_current_span().get_span_context()
        trace_id = format_trace_id(span.trace_id) if span.is_valid else None
        with coming_from(Origin(address=client[0] if client else None, trace_id=trace_id)):
            await self._app(scope, receive, send)
