"""What members' phones and the staff do beside visits: hold connections open, acknowledge messages, look at reports."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx

from examples.duet.people import PUSH_NETWORK, TRUST_AND_SAFETY, Account

_BACK_AFTER = 0.5
_AGAIN_AFTER = 2.0
_READS_FOR = {"critical": (1.0, 4.0), "high": (1.0, 4.0), "standard": (1.0, 3.0)}  # seconds
_ACTIONS = ("none", "none", "warning", "content_removal", "suspension")
_log = logging.getLogger("duet.phones")


class Phone:
    """One phone of somebody who is signed in. Without a connection it tries again; it never gives up."""

    def __init__(self, client: httpx.AsyncClient, token: str) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {token}"}

    @asynccontextmanager
    async def connected(self, tunnel: float | None = None) -> AsyncIterator[None]:
        """While the block lasts; with `tunnel` the connection is lost once for so many seconds."""
        holding = asyncio.create_task(self._hold(tunnel))
        try:
            yield
        finally:
            holding.cancel()
            with suppress(asyncio.CancelledError):
                await holding

    async def _hold(self, tunnel: float | None) -> None:
        if tunnel is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self.listen()
            await asyncio.sleep(tunnel)
        while True:
            await self.listen()
            await asyncio.sleep(_BACK_AFTER)

    async def listen(self) -> None:
        """One connection until it ends: each message is acknowledged."""
        patience = httpx.Timeout(15.0, read=None)
        try:
            async with self._client.stream("GET", "/v1/stream", headers=self._headers, timeout=patience) as answer:
                answer.raise_for_status()
                async for line in answer.aiter_lines():
                    if number := json.loads(line).get("number"):
                        await self._acknowledge(number)
        except (httpx.HTTPError, ValueError) as error:
            _log.info("a connection ended: %s", error)

    async def _acknowledge(self, number: int) -> None:
        with suppress(httpx.HTTPError):  # it will be told again
            await self._client.post("/v1/receipts", json={"numbers": [number]}, headers=self._headers)


async def carry_pushes(client: httpx.AsyncClient) -> None:
    """The push network: for ever, on behalf of all phones that have no connection."""
    while True:
        token = await _sign_in(client, PUSH_NETWORK)
        if token is not None:
            await Phone(client, token).listen()
        await asyncio.sleep(_BACK_AFTER)


async def look_at_reports(client: httpx.AsyncClient, seed: int) -> None:
    """The person on duty for trust and safety: takes the most urgent report, reads it, decides, for ever."""
    source = random.Random(f"trust and safety {seed}")
    token = None
    while True:
        token = token or await _sign_in(client, TRUST_AND_SAFETY)
        headers = {"Authorization": f"Bearer {token}"}
        found = await _answer(client, "GET", "/v1/safety/reports", headers=headers) if token else None
        if found is None:
            token = None  # the session may be over
        if not found or not found["items"]:
            await asyncio.sleep(_AGAIN_AFTER)
            continue
        report = found["items"][0]
        await asyncio.sleep(source.uniform(*_READS_FOR[report["severity"]]))
        path, decided = f"/v1/safety/reports/{report['report_id']}/triage", {"action": source.choice(_ACTIONS)}
        await _answer(client, "POST", path, json=decided, headers=headers)


async def _sign_in(client: httpx.AsyncClient, account: Account) -> str | None:
    body = {"user_id": account.user_id, "code": account.code}
    found = await _answer(client, "POST", "/v1/auth/login", json=body)
    return None if found is None else str(found["token"])


async def _answer(client: httpx.AsyncClient, method: str, path: str, **said: Any) -> Any:
    """The JSON of a good answer, else None."""
    try:
        answer = await client.request(method, path, **said)
        return answer.json() if answer.is_success else None
    except (httpx.HTTPError, ValueError):
        return None
