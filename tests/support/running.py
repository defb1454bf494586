"""A real server as a process, for tests that need the outside of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx

from watchkeeper.app.configuration import load_configuration
from watchkeeper.app.local import connect
from watchkeeper.kernel.db.lock import read_running

T = TypeVar("T")


@dataclass(frozen=True)
class RunningServer:
    """A server, its address, and a client with all rights."""

    process: subprocess.Popen[bytes]
    url: str
    client: httpx.Client


@contextmanager
def running_server(
    data: Path,
    settings: Mapping[str, str] | None = None,
    *,
    port: int = 0,
    program: Sequence[str] = ("-m", "watchkeeper"),
) -> Iterator[RunningServer]:
    """`watchkeeper up` on a free port or this one, until the block ends; `settings` by their variables."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("WATCHKEEPER_", "OTEL_"))}
    log = data.parent / f"{data.name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *program, "up", "--port", str(port), "--data", str(data)],
            env={**environ, **(settings or {})},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        url = eventually(lambda: _url(process, data, log), within=60)
        with connect(load_configuration({}, data=data)) as client:
            yield RunningServer(process, url, client)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def eventually(look: Callable[[], T], *, within: float = 60.0) -> T:
    """What `look` finds as soon as that is something; fails with its last answer otherwise."""
    until = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < until, f"not within {within} s; last: {found!r}"
        time.sleep(0.1)
    return found


def _url(process: subprocess.Popen[bytes], data: Path, log: Path) -> str | None:
    assert process.poll() is None, log.read_text(encoding="utf-8")
    running = read_running(data) if data.exists() else None
    if running is None:
        return None
    try:
        return running.url if httpx.get(f"{running.url}/readyz", trust_env=False).is_success else None
    except httpx.TransportError:
        return None
