"""Names to addresses within a deadline: the system's own resolver waits as long as its settings say."""

from __future__ import annotations

import ipaddress
import socket

from watchkeeper.kernel.bounded import Bounded, TooManyLeft
from watchkeeper.kernel.deadline import Deadline

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_LONGEST = 5.0
_resolver = Bounded(_LONGEST, most=32, name="resolve")


def literal(host: str) -> Address | None:
    """The address that a host is written as; None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def addresses_of(host: str, deadline: Deadline) -> list[Address]:
    """Every address of a name, in the order in which they are to be tried; within 5 s and what the deadline leaves.

    Raises OSError (`socket.gaierror` for a name that has none, TimeoutError when nobody answered).
    """
    if (written := literal(host)) is not None:
        return [written]
    try:
        found = _resolver.run(lambda: socket.getaddrinfo(host, None, type=socket.SOCK_STREAM), deadline.left(_LONGEST))
    except UnicodeError:
        raise socket.gaierror(socket.EAI_NONAME, "no name of a host") from None
    except TooManyLeft:
        raise TimeoutError("names are not resolved on this machine") from None
    return [ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in found]
