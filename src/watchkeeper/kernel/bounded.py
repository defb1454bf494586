"""Calls into code that bounds nothing: they are left alone when they take too long."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


class TooManyLeft(Exception):
    """So many calls have not come back that no other one begins."""


class Bounded:
    """Runs a call in a thread and waits for it as long as it may take.

    Python can't end a thread. One whose peer never answers stays, so there are never more than a few of them.
    """

    def __init__(self, seconds: float = 15.0, most: int = 4, name: str = "bounded") -> None:
        self.seconds = seconds
        self._name = name
        self._room = threading.BoundedSemaphore(most)

    def run(self, act: Callable[[], T], seconds: float | None = None) -> T:
        """What the call answers or raises; `seconds` in place of its own. Raises TimeoutError, or TooManyLeft."""
        if not self._room.acquire(blocking=False):
            raise TooManyLeft
        done: Future[T] = Future()

        def work() -> None:
            try:
                done.set_result(act())
            except BaseException as error:  # noqa: BLE001 (handed to whoever waits)
                done.set_exception(error)
            finally:
                self._room.release()

        threading.Thread(target=work, name=self._name, daemon=True).start()
        return done.result(self.seconds if seconds is None else seconds)
