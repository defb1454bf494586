"""One request over one connection of its own, within a deadline; imported when the first request leaves."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import httpcore
import httpx

from watchkeeper.kernel.deadline import Deadline, words_of

_LONGEST_CONNECT = 5.0
_PIECE = 4_096


class Failed(Exception):
    """It was not answered. The text goes after the peer's name."""


def ask(
    url: httpx.URL,
    address: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    deadline: Deadline,
    largest: int,
    ca_file: Path | None,
    method: str = "POST",
) -> tuple[int, Mapping[str, str], bytes]:
    """Send it to this address of the URL's host; answers status, headers by small names, and the body's beginning.

    Raises Failed.
    """
    host = url.raw_host.decode("ascii")
    named = f"[{host}]" if ":" in host else host
    sent = {
        "Host": f"{named}:{url.port}" if url.port else named,
        "User-Agent": "watchkeeper",
        "Accept": "*/*",
        # What is packed small could be unpacked large.
        "Accept-Encoding": "identity",
        "Connection": "close",
        **headers,
        "Content-Length": str(len(body)),
    }
    # The certificate must be the name's, though the connection goes to the address that was checked.
    more = {"sni_hostname": host, "timeout": {"connect": _LONGEST_CONNECT}}
    target = httpcore.URL(scheme=url.raw_scheme, host=address.encode(), port=url.port, target=url.raw_path)
    try:
        with (
            httpcore.ConnectionPool(
                ssl_context=trusting(ca_file) if url.scheme == "https" else None, network_backend=_Bounded(deadline)
            ) as pool,
            pool.stream(
                method,
                target,
                headers=list(sent.items()),
                content=body,
                extensions=more,
            ) as response,
        ):
            found = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            return response.status, found, _beginning(response.iter_stream(), largest)
    except (httpcore.RemoteProtocolError, httpcore.ReadError) as error:
        raise Failed(_of_protocol(error, deadline)) from None
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError, ValueError) as error:
        raise Failed(words_of(error, deadline)) from None


@cache
def trusting(ca_file: Path | None) -> ssl.SSLContext:
    """Trusts the public authorities, and those in the file. Raises OSError for a file that is none."""
    context = httpx.create_ssl_context(trust_env=False)
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


def _of_protocol(error: Exception, deadline: Deadline) -> str:
    said = words_of(error, deadline)
    if not said.startswith("could not be used"):
        return said
    return "hung up" if "disconnected" in str(error) or "closed" in str(error) else "answered something that is no HTTP"


def _beginning(chunks: Iterable[bytes], largest: int) -> bytes:
    held = bytearray()
    for chunk in chunks:
        held += chunk
        if len(held) > largest:
            break
    return bytes(held[:largest])


class _Bounded(httpcore.NetworkBackend):
    """Connections of which no step takes longer than is left in all."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._real = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        made = self._real.connect_tcp(host, port, _left(self._deadline, timeout), local_address, socket_options)
        return _Stream(made, self._deadline)


class _Stream(httpcore.NetworkStream):
    def __init__(self, real: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._real, self._deadline = real, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._real.read(max_bytes, _left(self._deadline, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # In pieces: the whole could be drawn out by a peer that takes it byte by byte.
        for at in range(0, len(buffer), _PIECE):
            self._real.write(buffer[at : at + _PIECE], _left(self._deadline, timeout))

    def close(self) -> None:
        self._real.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        # Python bounds the whole of a handshake by the timeout, however many reads it takes.
        made = self._real.start_tls(ssl_context, server_hostname, _left(self._deadline, timeout))
        return _Stream(made, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._real.get_extra_info(info)


def _left(deadline: Deadline, most: float | None = None) -> float:
    try:
        return deadline.left(most)
    except TimeoutError:
        raise httpcore.ReadTimeout from None
