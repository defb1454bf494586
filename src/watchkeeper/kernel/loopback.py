"""Asking this server itself, as its clients do: over its own address, or without a socket where it listens at none."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message

from watchkeeper.kernel.outbound import LARGEST_ANSWER, Answer, DeliveryFailed

_SECONDS = 10.0
_JSON = {"Content-Type": "application/json"}


def ask_address(url: str, path: str, body: bytes) -> Answer:
    """POST JSON to the server at `url`; blocks up to 10 s. Raises DeliveryFailed."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=_SECONDS)
    try:
        connection.request("POST", path, body, _JSON)
        response = connection.getresponse()
        return Answer(response.status, response.read(LARGEST_ANSWER))
    except (OSError, http.client.HTTPException) as error:
        raise DeliveryFailed(type(error).__name__) from None
    finally:
        connection.close()


def ask_app(app: ASGIApp, path: str, body: bytes) -> Answer:
    """The same of an app, in an event loop of its own. Raises DeliveryFailed."""
    sent: list[Message] = []
    parts: Iterator[Message] = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Message:
        return next(parts, {"type": "http.disconnect"})

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": path, "headers": [], "query_string": b""}
    try:
        asyncio.run(asyncio.wait_for(app(scope, receive, send), _SECONDS))
    except TimeoutError as error:
        raise DeliveryFailed(type(error).__name__) from None
    status = next((one["status"] for one in sent if one["type"] == "http.response.start"), None)
    if status is None:
        raise DeliveryFailed("no answer")
    return Answer(status, b"".join(one.get("body", b"") for one in sent if one["type"] == "http.response.body"))
