"""A server that lives again and again on one port, and kills itself without a chance to tidy up.

Each line on standard input starts it. It dies when a runner's request comes that the file `dies` beside its data
names, such as `after begin`: before it is carried out, or when it is committed and not answered. `lives` and `died` are
written when they are true. What is expensive is read once: each life is a fork.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from watchkeeper.app.configuration import load_configuration
from watchkeeper.app.server import Watchkeeper

POINTS = ("after claim", "before begin", "after begin", "before progress", "before finish", "after finish")
Message = MutableMapping[str, Any]


@dataclass
class Mortal:
    """The application, until it dies."""

    app: Callable[..., Awaitable[None]]
    dies: Path

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        path = str(scope.get("path", ""))
        when, _, verb = (self.dies.read_text(encoding="ascii") if self.dies.exists() else "").partition(" ")
        if not path.startswith("/api/v1/runner/") or path.rpartition("/")[2] != verb:
            await self.app(scope, receive, send)
        elif when == "before":
            _die()
        else:
            await self.app(scope, receive, _Unsent(send).send)


@dataclass
class _Unsent:
    """Dies when an answer is ready: what it tells of is committed, and nobody hears it."""

    real: Callable[[Message], Awaitable[None]]
    start: Message | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message
            return
        if b'"lease":null' not in message.get("body", b""):
            _die()
        assert self.start is not None
        await self.real(self.start)
        await self.real(message)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _live(data: Path, database_url: str, listening: socket.socket) -> None:
    settings = {"WATCHKEEPER_RUNBOOKS_LEASE_SECONDS": "5", "WATCHKEEPER_SELF_TELEMETRY": "false"}
    configuration = load_configuration(settings, data=data, database_url=database_url or None)
    with Watchkeeper.open(configuration, background=False) as watchkeeper:
        app = Mortal(watchkeeper.app, data.parent / "dies")
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        _say("lives")
        server.run(sockets=[listening])


def _say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


def main(data: str, database_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        _say(str(listening.getsockname()[1]))
        for _ in sys.stdin:
            child = os.fork()
            if child == 0:
                _live(Path(data), database_url, listening)
            os.waitpid(child, 0)
            _say("died")


if __name__ == "__main__":
    main(*sys.argv[1:])
