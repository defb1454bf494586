"""Paging as a process that can be killed and is there again at once.

What is real: the HTTP door, the intake, the lanes of alerts, paging and messages with their workers, the database and
its lock, put together by the same `app.paging` as in `watchkeeper up`. What is not there: the console, telemetry, and
the work of other modules. A process is forked from one that has imported everything and has neither a thread nor a
connection yet, so that a start costs a tenth of a second and not the several that imports take.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import random
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx  # noqa: F401 (a server imports it with the first message that it sends)
import uvicorn

from watchkeeper.app import paging
from watchkeeper.app.configuration import Configuration, load_configuration
from watchkeeper.app.server import installation_key
from watchkeeper.kernel.clock import SystemClock
from watchkeeper.kernel.db.database import open_database
from watchkeeper.kernel.db.lock import ServerLock
from watchkeeper.kernel.telemetry.logs import configure_logging
from watchkeeper.kernel.web.parts import Parts

_ROOT = Path(__file__).parents[2]
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


class Nursery:
    """Starts them. Closing it, or its owner's end, ends them all."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.durability.paging_process"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT)
        if self._answer() != "ready":
            raise RuntimeError("the process to fork from did not start")

    def start(self, settings: Mapping[str, str], data: Path, port: int, log: Path) -> int:
        """A descriptor (as of `pidfd_open`) of a process with these settings, by their variables."""
        said = {"settings": dict(settings), "data": str(data), "port": port, "log": str(log)}
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps(said)}\n")
        self._process.stdin.flush()
        return os.pidfd_open(int(self._answer()))

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def serve(configuration: Configuration) -> None:
    """Listen, open the database and work until it is killed."""
    configure_logging(configuration.server)
    server, clock = configuration.server, SystemClock()
    listening = socket.create_server((server.host, server.port), backlog=1024)
    with ServerLock(server.data) as lock, listening as listener:
        db = open_database(server.database_url, server.data)
        url = f"http://{server.host}:{server.port}"
        parts = Parts(paging.paging_parts(configuration, db, clock, installation_key(configuration, db), url))
        for worker in paging.workers(parts, db, clock):
            worker.start()
        lock.announce(url)
        options: dict[str, Any] = {"loop": "uvloop", "http": "httptools", "lifespan": "off"}
        app = paging.apps(parts, db, clock)["/v2"]
        uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, **options)).run(sockets=[listener])


def main() -> None:
    """Fork one process for each line of the input."""
    # Nobody waits for the dead: their descriptors tell that they are.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    tasks = len(os.listdir("/proc/self/task"))
    print("ready" if tasks == 1 else f"{tasks} threads, which a fork would lose", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _become(json.loads(line))
        print(child, flush=True)


def _become(said: Mapping[str, Any]) -> None:
    try:
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        log = os.open(said["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        for descriptor, source in ((0, os.open(os.devnull, os.O_RDONLY)), (1, log), (2, log)):
            os.dup2(source, descriptor)
        random.seed()
        serve(load_configuration(said["settings"], data=Path(said["data"]), port=said["port"]))
    except BaseException:  # noqa: BLE001 (nothing of it may run on as the process that forks)
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(1)


if __name__ == "__main__":
    main()
