"""One server per data directory: the lock that refuses a second one, and says where the first is."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from watchkeeper.kernel.errors import Conflict

LOCK_FILE = "server.lock"


@dataclass(frozen=True)
class Running:
    """The server that holds a data directory."""

    pid: int
    url: str


class AlreadyRunning(Conflict):
    code = "kernel.already_running"
    title = "Already running"


class ServerLock:
    """Held as long as the process lives: the operating system drops it, so no stale file can block a start."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock or raise AlreadyRunning."""
        self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        # O_NOFOLLOW: a link planted under this name must not make us write elsewhere.
        descriptor = os.open(self._data / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            running = _parse(os.pread(descriptor, 4096, 0))
            os.close(descriptor)
            who = f"process {running.pid} at {running.url}" if running else "another process"
            raise AlreadyRunning(f"{self._data} is in use by {who}; one data directory has one server.") from None
        os.ftruncate(descriptor, 0)
        self._file = descriptor

    def announce(self, url: str) -> None:
        """Leave this process's id and address in the file for the command line and for a refused second server."""
        if self._file is None:
            raise RuntimeError("the lock is not held")
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, json.dumps({"pid": os.getpid(), "url": url}).encode(), 0)

    def release(self) -> None:
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = None

    def __enter__(self) -> ServerLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def read_running(data: Path) -> Running | None:
    """The server that holds `data` and has announced its address; None when nobody holds the lock."""
    try:
        descriptor = os.open(data / LOCK_FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _parse(os.pread(descriptor, 4096, 0))
    finally:
        os.close(descriptor)
    return None


def _parse(content: bytes) -> Running | None:
    try:
        held = json.loads(content)
        return Running(int(held["pid"]), str(held["url"]))
    except (ValueError, KeyError, TypeError):
        return None
