"""A server with its API on a free port, in threads of this process, and runners as real processes."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from tests.support.running import eventually
from watchkeeper.app.configuration import load_configuration
from watchkeeper.app.server import Watchkeeper
from watchkeeper.modules.identity.control import LOCAL
from watchkeeper.modules.runbooks.reading import content_of
from watchkeeper.modules.runbooks.service import Runbooks

ROOT = Path(__file__).parents[2]


@dataclass
class Serving:
    """The server, somebody with all rights, and where runners find their token and their list."""

    watchkeeper: Watchkeeper
    url: str
    admin: httpx.Client
    folder: Path
    token_file: Path

    def keep(self, text: str, name: str = "shop", *, approve: bool = True) -> str:
        """Put a file and sign it off; answers its revision."""
        content = content_of(name, text)
        with self.watchkeeper.db.begin() as session:
            runbooks = Runbooks(session, self.watchkeeper.clock)
            runbooks.put(content, by="local", source="ops")
            if approve:
                runbooks.approve(name, content.revision, by=LOCAL, source="cli")
        return content.revision

    def start(self, name: str = "shop", **order: Any) -> str:
        answer = self.admin.post(f"/api/v1/runbooks/{name}/runs", json=order)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def run(self, run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.admin.get(f"/api/v1/runs/{run_id}").json()
        return found

    def ended(self, run_id: str) -> dict[str, Any]:
        """The run once it is over."""
        return eventually(lambda: found if (found := self.run(run_id))["finished_at"] else None, within=90)

    def allow(self, text: str) -> Path:
        path = self.folder / "allow.yaml"
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)  # whatever the test before made of it
        return path

    @contextmanager
    def runner(self, allow: str, *arguments: str, environ: Mapping[str, str] | None = None) -> Iterator[Any]:
        """`watchkeeper runner` as a process, until the block ends."""
        command = ["-m", "watchkeeper", "runner", "--url", self.url, "--token-file", str(self.token_file)]
        command += ["--allow", str(self.allow(allow)), "--as-root", *arguments]
        with process(command, environ or {}) as started:
            yield started

    @contextmanager
    def dying_runner(self, allow: str, dies: str) -> Iterator[Any]:
        """A runner that is killed at one point of its work."""
        arguments = [self.url, str(self.token_file), str(self.allow(allow)), dies]
        with process(["-m", "tests.runbooks.dying_runner", *arguments], {}) as started:
            yield started


@contextmanager
def process(arguments: list[str], environ: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WATCHKEEPER_")}
    started = subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, env={**kept, **environ}, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        yield started
    finally:
        started.kill()
        started.wait()
        for stream in (started.stdout, started.stderr):
            assert stream is not None
            stream.close()


@contextmanager
def serving(
    folder: Path, database_url: str | None = None, certificate: Path | None = None, authority: Path | None = None
) -> Iterator[Serving]:
    """Opened once for many tests. With a certificate (and its key, in one file) by HTTPS."""
    settings = {"WATCHKEEPER_RUNBOOKS_LEASE_SECONDS": "5", "WATCHKEEPER_SELF_TELEMETRY": "false"}
    configuration = load_configuration(settings, data=folder / "data", database_url=database_url)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"{'https' if certificate else 'http'}://127.0.0.1:{listening.getsockname()[1]}"
        with Watchkeeper.open(configuration, background=False) as watchkeeper:
            speaks = uvicorn.Config(watchkeeper.app, log_level="error", lifespan="off", ssl_certfile=certificate)
            server = uvicorn.Server(speaks)
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
            thread.start()
            secret = (folder / "data" / "control.token").read_text(encoding="ascii").strip()
            headers = {"Authorization": f"Bearer {secret}"}
            verify = ssl.create_default_context(cafile=authority)
            with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60, verify=verify) as admin:
                eventually(lambda: server.started)
                made = admin.post("/api/v1/tokens", json={"name": "runner", "scopes": ["runner"]})
                assert made.status_code == 201, made.text
                token_file = folder / "token"
                token_file.write_text(made.json()["secret"] + "\n", encoding="ascii")
                yield Serving(watchkeeper, url, admin, folder, token_file)
            server.should_exit = True
            thread.join(30)
