"""Server-sent events: live lists that reconnect by themselves and end when the server does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import StreamingResponse

from watchkeeper.kernel.errors import Unavailable
from watchkeeper.kernel.web.parts import parts_of

HEARTBEAT_SECONDS = 15.0
RETRY_MILLISECONDS = 2000


@dataclass(frozen=True)
class ServerSentEvent:
    """One event; `id` comes back as Last-Event-ID when the browser reconnects."""

    data: str
    id: str | None = None
    event: str | None = None

    def encode(self) -> bytes:
        """The event on the wire. Raises ValueError for an id or name that would break out of its line."""
        lines = []
        for name, value in (("id", self.id), ("event", self.event)):
            if value is None:
                continue
            if any(character in value for character in "\r\n\0"):
                raise ValueError(f"an event's {name} has to stay on one line")
            lines.append(f"{name}: {value}")
        lines += [f"data: {line}" for line in self.data.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
        return ("\n".join(lines) + "\n\n").encode()


class Encoded(bytes):
    """An event that is on its wire form already: one that goes to a thousand streams is made once."""

    def encode(self) -> bytes:
        return self


class Streams:
    """How many streams are open, and the one place that ends them all.

    Programs that follow something are counted apart from people's pages, so that a fleet of them shuts nobody out.
    """

    def __init__(self, limit: int = 200, *, of_programs: int = 5_000) -> None:
        self._limits = {False: limit, True: of_programs}
        self._counts = {False: 0, True: 0}
        self._closing: asyncio.Event | None = None
        self._closed = False

    @property
    def open(self) -> int:
        """Streams open now."""
        return sum(self._counts.values())

    def close(self) -> None:
        """End every stream. Call it on the event loop when shutdown begins: an open stream would hold it up."""
        self._closed = True
        if self._closing is not None:
            self._closing.set()

    def enter(self, *, of_program: bool = False) -> asyncio.Event:
        """Count one stream in and return the event that ends it; raises Unavailable when there are too many."""
        if self._closed or self._counts[of_program] >= self._limits[of_program]:
            raise Unavailable("There are too many live streams already; try again shortly.")
        if self._closing is None:
            self._closing = asyncio.Event()
        self._counts[of_program] += 1
        return self._closing

    def leave(self, *, of_program: bool = False) -> None:
        """Count one stream out."""
        self._counts[of_program] -= 1


def last_event_id(request: Request) -> str | None:
    """Where the browser was before it lost the stream; also read from `?last_event_id=`."""
    return request.headers.get("last-event-id") or request.query_params.get("last_event_id")


def event_stream(
    request: Request,
    source: AsyncIterator[ServerSentEvent | Encoded],
    *,
    heartbeat: float = HEARTBEAT_SECONDS,
    of_program: bool = False,
) -> StreamingResponse:
    """Send what `source` yields, with a heartbeat comment while it is quiet.

    Ends when the source or the browser or the server does; closes the source in each case. Raises Unavailable when
    too many streams are open.
    """
    streams = parts_of(request)[Streams]
    closing = streams.enter(of_program=of_program)
    return _CountedResponse(
        _frames(source, closing, heartbeat),
        streams,
        of_program=of_program,
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        media_type="text/event-stream",
    )


class _CountedResponse(StreamingResponse):
    def __init__(
        self,
        content: AsyncIterator[bytes],
        streams: Streams,
        *,
        of_program: bool,
        headers: dict[str, str],
        media_type: str,
    ) -> None:
        super().__init__(content, headers=headers, media_type=media_type)
        self._content, self._streams, self._of_program = content, streams, of_program

    # Counted out here, not in the generator: one that never started never reaches its `finally`.
    async def __call__(self, scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._streams.leave(of_program=self._of_program)
            close = getattr(self._content, "aclose", None)
            if close is not None:
                await close()


async def _frames(
    source: AsyncIterator[ServerSentEvent | Encoded], closing: asyncio.Event, heartbeat: float
) -> AsyncIterator[bytes]:
    yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
    ended: asyncio.Future[Any] = asyncio.ensure_future(closing.wait())
    upcoming: asyncio.Future[Any] = asyncio.ensure_future(anext(source))
    try:
        while True:
            done, _ = await asyncio.wait({upcoming, ended}, timeout=heartbeat, return_when=asyncio.FIRST_COMPLETED)
            if ended in done:
                return
            if upcoming not in done:
                yield b": still here\n\n"
                continue
            try:
                event = upcoming.result()
            except StopAsyncIteration:
                return
            yield event.encode()
            upcoming = asyncio.ensure_future(anext(source))
    finally:
        ended.cancel()
        upcoming.cancel()
        await asyncio.wait({upcoming, ended})
        close = getattr(source, "aclose", None)
        if close is not None:
            await close()
