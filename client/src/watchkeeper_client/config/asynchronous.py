"""The same client for asyncio: reading is in-process and needs no await; what waits does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

from watchkeeper_client.config.client import Client


class AsyncClient(Client):
    """A Client whose waiting verbs are awaited and whose callbacks may be coroutines on the caller's loop."""

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aready(self, seconds: float = 10.0) -> bool:
        """Wait for a snapshot from the server; False when none came in time."""
        return await asyncio.to_thread(self.wait_until_ready, seconds)

    async def aclose(self) -> None:
        """Close without holding up the loop."""
        await asyncio.to_thread(self.close)

    async def async_subjects(self, subjects: Sequence[Mapping[str, Any]]) -> bool:
        """`sync_subjects` without holding up the loop."""
        return await asyncio.to_thread(self.sync_subjects, subjects)

    def on_change_async(self, callback: Callable[[frozenset[str]], Awaitable[None]]) -> Callable[[], None]:
        """Run a coroutine on the running loop for each change; the answer ends it."""
        loop = asyncio.get_running_loop()
        running: set[asyncio.Task[None]] = set()

        def start(keys: frozenset[str]) -> None:
            task = loop.create_task(_run(callback, keys))
            running.add(task)
            task.add_done_callback(running.discard)

        def hand_over(keys: frozenset[str]) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(start, keys)

        return self.on_change(hand_over)


async def _run(callback: Callable[[frozenset[str]], Awaitable[None]], keys: frozenset[str]) -> None:
    await callback(keys)
