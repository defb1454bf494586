"""Holds one script and all that it starts: a program of its own, without anything but the standard library.

It is told what to run on its standard input, which stays open while whoever asked is alive: when that ends, so does
everything here, so that no step outlives its runner. To the file descriptor that the last argument names go two lines
of JSON: which group of processes the script is, and how it ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import subprocess  # nosec B404 (it is what this program is for)
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_KILL_ROUNDS = 200


def main() -> None:
    """Run what is asked for on standard input."""
    order = json.loads(_first_line())
    report = int(sys.argv[1])
    os.set_inheritable(report, False)
    _adopt_orphans()
    os.write(report, json.dumps(_run(order, report)).encode())
    # A thread still waits for the asker's end, and would hold up an orderly end of this process.
    os._exit(0)


def _first_line() -> bytes:
    # Not by way of sys.stdin, which would read ahead of the line.
    found = bytearray()
    while not found.endswith(b"\n"):
        chunk = os.read(0, 65_536)
        if not chunk:
            os._exit(1)
        found += chunk
    return bytes(found)


def _run(order: dict[str, Any], report: int) -> dict[str, Any]:
    try:
        child = subprocess.Popen(  # noqa: S603  # nosec B603 (the runner's list allowed this script)
            order["command"],
            stdin=subprocess.DEVNULL,
            env=order["environment"],
            cwd=order["folder"],
            start_new_session=True,
            preexec_fn=lambda: _begin(order["limits"], report),  # safe: this process has one thread so far
        )
    except OSError as error:
        return {"failed": f"{order['command'][0]} can't be started: {error.strerror}"}
    ended = threading.Event()
    threading.Thread(target=_end_with_asker, args=(child, ended), daemon=True).start()
    timed_out = False
    try:
        code = child.wait(order["seconds"])
    except subprocess.TimeoutExpired:
        timed_out, code = True, None
    ended.set()
    _kill_all(child.pid)
    return {"exit_code": code, "timed_out": timed_out}


def _end_with_asker(child: subprocess.Popen[bytes], ended: threading.Event) -> None:
    while os.read(0, 4_096):
        pass
    if not ended.is_set():
        _kill_all(child.pid)
        os._exit(1)


def _begin(limits: dict[str, int], report: int) -> None:
    # For whoever asked, before the script can do anything: should it kill its keeper, nobody else knows what to end.
    os.write(report, json.dumps({"group": os.getpid()}).encode() + b"\n")
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.umask(0o077)
    for name, most in limits.items():
        kind = getattr(resource, name)
        _, hard = resource.getrlimit(kind)
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (allowed, allowed))


def _adopt_orphans() -> None:
    """On Linux what a script leaves behind becomes a child of this process, so that it can be found."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _kill_all(group: int) -> None:
    for _ in range(_KILL_ROUNDS):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
        found = list(_descendants())
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        _reap()
        if not found:
            return
        time.sleep(0.02)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass


def _descendants() -> Iterator[int]:
    """All living processes below this one, whatever session or group they made themselves."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            state, parent = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[:2]
            if state != "Z":
                children.setdefault(int(parent), []).append(int(path.parent.name))
    waiting = [os.getpid()]
    while waiting:
        for pid in children.get(waiting.pop(), ()):
            waiting.append(pid)
            yield pid


if __name__ == "__main__":
    main()
