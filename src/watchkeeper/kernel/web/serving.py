"""A server that stops at once: uvicorn alone would wait for streams that have no end."""

from __future__ import annotations

import socket

import uvicorn

from watchkeeper.kernel.web.sse import Streams


class Server(uvicorn.Server):
    """uvicorn, which ends the live streams before it waits for open connections."""

    def __init__(self, config: uvicorn.Config, streams: Streams) -> None:
        super().__init__(config)
        self._streams = streams

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End streams, then all else in good order."""
        self._streams.close()
        await super().shutdown(sockets)
