"""SMTP within a deadline: what `smtplib` bounds is each read, and how long a reply is not at all."""

from __future__ import annotations

import contextlib
import errno
import smtplib
import socket
import ssl
from email.policy import EmailPolicy
from typing import Any

from watchkeeper.kernel.deadline import Deadline
from watchkeeper.kernel.resolving import addresses_of

_LONGEST_CONNECT = 5.0
_LONGEST_REPLY = 64 * 1024
_AT_ONCE = 4_096


class WholeLinks(EmailPolicy):
    """As the default, but for `List-…` headers: a long address stays in one piece, which no program reads in pieces."""

    def fold_binary(self, name: str, value: Any) -> bytes:
        """The header as it goes out."""
        if name.lower().startswith("list-"):
            return f"{name}: {value}{self.linesep}".encode("ascii")
        return super().fold_binary(name, value)


class BoundedSmtp(smtplib.SMTP):
    """Its connection, replies and sends together take no longer than the deadline leaves. Raises OSError beyond it.

    `from_first_byte`: speaks TLS at once, as on port 465, instead of asking for it.
    """

    def __init__(
        self, host: str, port: int, deadline: Deadline, *, from_first_byte: ssl.SSLContext | None = None
    ) -> None:
        self._deadline = deadline
        self._tls = from_first_byte
        super().__init__(host, port, timeout=deadline.left(_LONGEST_CONNECT))

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        made = _connected(host, port, timeout, self._deadline)
        # Also bounds the handshake below, and the one that STARTTLS begins: Python bounds the whole of either.
        made.settimeout(self._deadline.left())
        return self._tls.wrap_socket(made, server_hostname=host) if self._tls is not None else made

    def getreply(self) -> tuple[int, bytes]:
        """As smtplib's, from a reader that keeps the deadline."""
        if self.file is None and self.sock is not None:
            self.file = _Lines(self.sock, self._deadline)
        return super().getreply()

    def send(self, s: Any) -> None:
        """As smtplib's; Python bounds the whole of a `sendall`."""
        if self.sock is not None:
            self.sock.settimeout(self._deadline.left())
        super().send(s)

    def leave(self) -> None:
        """Say goodbye and close, whatever the answer: what was taken stays taken."""
        with contextlib.suppress(OSError, smtplib.SMTPException):
            self.putcmd("quit")
        self.close()


def _connected(host: str, port: int, most: float, deadline: Deadline) -> socket.socket:
    """To the first of its addresses that takes the connection. Raises OSError."""
    failed: OSError = socket.gaierror(socket.EAI_NONAME, "the name has no address")
    for address in addresses_of(host, deadline):
        try:
            return socket.create_connection((str(address), port), deadline.left(most))
        except OSError as error:
            failed = error
    raise failed


class _Lines:
    """Reads lines from a socket until the deadline, and no more in all than replies of SMTP ever are."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock, self._deadline = sock, deadline
        self._held = b""
        self._read = 0

    def readline(self, most: int) -> bytes:
        """A line with its end; what is there when the peer has closed, or when it is longer than `most`."""
        while b"\n" not in self._held and len(self._held) < most:
            self._sock.settimeout(self._deadline.left())
            chunk = self._sock.recv(_AT_ONCE)
            if not chunk:
                break
            self._read += len(chunk)
            if self._read > _LONGEST_REPLY:
                raise OSError(errno.EMSGSIZE, "the reply does not end")
            self._held += chunk
        end = self._held.find(b"\n") + 1 or len(self._held)
        line, self._held = self._held[: min(end, most)], self._held[min(end, most) :]
        return line

    def close(self) -> None:
        """The socket is closed by its owner."""
