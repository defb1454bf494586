"""How long something may take in all, however many steps it has, and what went wrong in words."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl

from watchkeeper.kernel.clock import Clock, SystemClock


class Deadline:
    """Set when it is made. Whoever waits for a peer asks before each step how long that may take.

    A limit on each step alone is none: a peer that sends one byte a second keeps each step and never ends. It reads
    the machine's clock unless it is given another, because sockets wait by that.
    """

    def __init__(self, seconds: float, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self.seconds = seconds
        self._ends = self._clock.monotonic() + seconds

    def left(self, most: float | None = None) -> float:
        """Seconds that the next step may take. Raises TimeoutError when there are none."""
        left = self._ends - self._clock.monotonic()
        if left <= 0:
            raise TimeoutError
        return left if most is None else min(left, most)


def words_of(error: BaseException, deadline: Deadline) -> str:
    """What a peer did, to be read after its name. Nothing of what was sent or came back is in it."""
    causes: list[BaseException] = []
    seen: BaseException | None = error
    while seen is not None and len(causes) < 10:
        causes.append(seen)
        seen = seen.__cause__ or seen.__context__
    for one in causes:
        if isinstance(one, ssl.SSLCertVerificationError):
            # A sentence of OpenSSL's own: which name did not fit, or who signed it.
            return f"has a certificate that is not trusted: {one.verify_message.rstrip('.')}"
    for one in causes:
        if (said := _said(one, deadline)) is not None:
            return said
    return f"could not be used: {type(error).__name__}"


def _said(error: BaseException, deadline: Deadline) -> str | None:
    match error:
        case ssl.SSLError():
            return "does not speak TLS as it should"
        case ConnectionRefusedError():
            return "refuses connections"
        case TimeoutError():
            return f"did not answer within {deadline.seconds:g} s"
        case ConnectionResetError() | BrokenPipeError() | http.client.IncompleteRead():
            return "hung up"
        case socket.gaierror():
            return "can't be resolved"
        case OSError() if error.errno == errno.EMSGSIZE:
            return "answers more than is read"
        case _:
            return None
