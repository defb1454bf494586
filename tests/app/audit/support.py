"""A console with the record in it, its sealer, and whoever receives checkpoints."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.testclient import TestClient

from watchkeeper.app.audit.sealer import Sealer
from watchkeeper.app.audit.wiring import handlers
from watchkeeper.app.configuration import load_configuration
from watchkeeper.app.server import Watchkeeper
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.work import Worker
from watchkeeper.modules.identity.control import ControlToken


@dataclass
class House:
    """One Watchkeeper without background work: it seals and delivers when told to."""

    watchkeeper: Watchkeeper
    client: TestClient
    data: Path
    clock: ManualClock

    @property
    def app(self) -> FastAPI:
        return self.watchkeeper.app

    @property
    def sealer(self) -> Sealer:
        found: Sealer = self.app.state.parts[Sealer]
        return found

    def deliver(self) -> None:
        """Run what is due now, once."""
        worker = Worker(self.watchkeeper.db, self.clock, handlers(self.app.state.parts))
        worker.run_once()
        worker.stop()

    def token(self, *scopes: str) -> str:
        answer = self.client.post("/api/v1/tokens", json={"name": "a script", "scopes": list(scopes)})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["secret"])

    def as_token(self, *scopes: str) -> TestClient:
        headers = {"Authorization": f"Bearer {self.token(*scopes)}"}
        return TestClient(self.app, client=("203.0.113.7", 40_000), headers=headers)

    def kinds(self, kind: str = "audit.") -> list[str]:
        items = self.client.get(f"/api/v1/audit?kind={kind}&limit=200").json()["items"]
        return [one["kind"] for one in reversed(items)]


@contextmanager
def house(data: Path, clock: ManualClock, url: str | None = None, **environ: str) -> Iterator[House]:
    """A Watchkeeper on this data directory, and a client with all rights."""
    settings = {f"WATCHKEEPER_{name.upper()}": value for name, value in environ.items()}
    configuration = load_configuration(settings, data=data, database_url=url)
    with Watchkeeper.open(configuration, background=False, clock=clock) as watchkeeper:
        control = ControlToken.read(data)
        assert control is not None
        headers = {"Authorization": f"Bearer {control.secret}"}
        with TestClient(watchkeeper.app, client=("127.0.0.1", 40_000), headers=headers) as client:
            yield House(watchkeeper, client, data, clock)


@dataclass
class Receiver:
    """An HTTP server on loopback that keeps what it is sent and answers as it is told to."""

    url: str
    answers: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    location: str = ""


@contextmanager
def receiver() -> Iterator[Receiver]:
    held = Receiver("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            held.got.append((dict(self.headers), body))
            self.send_response(held.answers.pop(0) if held.answers else 204)
            if held.location:
                self.send_header("Location", held.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    held.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield held
    finally:
        server.shutdown()
        server.server_close()
