"""A process that ends when its parent does, however that ended."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

VARIABLE = "DUET_PARENT"
_PR_SET_PDEATHSIG = 1


def tied_to_this_process() -> dict[str, str]:
    """The environment for a child that is to call `die_with_parent`."""
    return {**os.environ, VARIABLE: str(os.getpid())}


def die_with_parent(by: signal.Signals) -> None:
    """Be sent `by` when the process named in the environment ends; at once if it has. Without a name: do nothing."""
    parent = os.environ.get(VARIABLE)
    if not parent:
        return
    if not _asked_the_kernel(by):
        threading.Thread(target=_watch, args=(int(parent), by), name="lifeline", daemon=True).start()
    if os.getppid() != int(parent):  # it ended before the kernel was asked
        os.kill(os.getpid(), by)


def _asked_the_kernel(by: signal.Signals) -> bool:
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(_PR_SET_PDEATHSIG, int(by), 0, 0, 0) == 0)


def _watch(parent: int, by: signal.Signals) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), by)
