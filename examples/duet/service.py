"""What Duet's services share: their place in the world, calls to each other, and how they say no."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from opentelemetry.instrumentation.utils import suppress_instrumentation
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from examples.duet.values import Values
from examples.duet.watching import watch_calls
from watchkeeper_client.testing import client_with

USER_HEADER = "x-duet-user"
MEMBERS = 1000
_log = logging.getLogger("duet.calls")
_PATIENCE = httpx.Timeout(10.0, connect=2.0)


@dataclass(frozen=True)
class Place:
    """Where a service runs: its release, its files, and where it finds the others."""

    release: str
    data: Path
    peers: dict[str, str] = field(default_factory=dict)
    members: int = MEMBERS
    # How long a day of the product lasts; None: mornings bring no offers.
    day_seconds: float | None = None
    values: Values = field(default_factory=lambda: Values(client_with({})))


class Peer:
    """Calls to one other service, on behalf of a member; each becomes a span of the caller's trace."""

    def __init__(self, name: str, url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._name = name
        self._client = httpx.AsyncClient(base_url=url, timeout=_PATIENCE, transport=transport, trust_env=False)
        watch_calls(self._client, f"duet-{name}")

    async def call(self, method: str, path: str, *, user: str, body: Any = None, **params: Any) -> Any:
        """The JSON of a good answer. A refusal is passed on; anything worse becomes 502 or 503."""
        try:
            answer = await self._client.request(
                method, path, json=body, params=params or None, headers={USER_HEADER: user}
            )
        except httpx.TransportError as error:
            _log.exception("%s can't be reached", self._name, extra={"peer": self._name, "path": path})
            raise HTTPException(503, f"{self._name} can't be reached") from error
        if answer.status_code >= 500:
            _log.error(
                "%s failed: %s", self._name, answer.status_code, extra={"peer": self._name, "path": path, "user": user}
            )
            raise HTTPException(502, f"{self._name} failed")
        if answer.status_code >= 400:
            raise HTTPException(answer.status_code, answer.json().get("detail", "refused"))
        return answer.json()

    @asynccontextmanager
    async def listening(self, path: str, *, user: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """A connection that stays open; what comes over it. Raises httpx.HTTPError."""
        # It ends when the other side says so: silence is normal.
        patience = httpx.Timeout(10.0, connect=2.0, read=None)
        request = self._client.build_request("GET", path, headers={USER_HEADER: user}, timeout=patience)
        with suppress_instrumentation():
            answer = await self._client.send(request, stream=True)
        try:
            answer.raise_for_status()
            yield answer.aiter_bytes()
        finally:
            await answer.aclose()

    async def close(self) -> None:
        await self._client.aclose()


async def healthy(request: Request) -> JSONResponse:
    """GET /healthz, with the release that answers: for a moment there may be two on one port."""
    return JSONResponse({"status": "ok", "release": getattr(request.app.state, "release", None)})


async def refused(_request: Request, error: Exception) -> JSONResponse:
    """A refusal as JSON."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"detail": error.detail}, error.status_code)


def member_of(request: Request) -> str:
    """On whose behalf the gateway calls."""
    user = request.headers.get(USER_HEADER)
    if not user:
        raise HTTPException(401, "who is asking?")
    return user


async def body_of(request: Request, **expected: type) -> dict[str, Any]:
    """The JSON body, if it has what is expected; else 422."""
    try:
        body = json.loads(await request.body())
    except ValueError:
        raise HTTPException(422, "the body must be JSON") from None
    for name, kind in expected.items():
        if not isinstance(body, dict) or not isinstance(body.get(name), kind):
            raise HTTPException(422, f"{name}: expected {kind.__name__}")
    return dict(body)
