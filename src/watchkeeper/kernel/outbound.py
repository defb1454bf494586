"""Requests that leave this machine: where they may go, how long they may take, and how much may come back.

An address that somebody typed in could point into the network behind this server (SSRF). So a name is resolved here,
every address it has must be a public one or be allowed, and the connection goes to the address that was looked at.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, field_validator

from watchkeeper.kernel.errors import Refusal
from watchkeeper.kernel.settings import SettingsGroup

if TYPE_CHECKING:
    import httpx

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
LARGEST_ANSWER = 64 * 1024
_SECONDS, _CONNECT_SECONDS = 10.0, 5.0


class OutboundSettings(SettingsGroup):
    """Where requests of Watchkeeper's own may go: webhooks, other Watchkeepers."""

    section: ClassVar[str] = "outbound"

    private_networks: str = Field(
        "",
        description="Private networks that webhooks may reach, separated by commas (`10.0.0.0/8, 127.0.0.1/32`). "
        "Unset: public addresses only.",
    )

    @field_validator("private_networks")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        parse_networks(value)
        return value


class DestinationRefused(Refusal):
    """A request is not sent there."""

    code = "kernel.destination_refused"
    status = 422
    title = "Requests can't be sent there"


class DeliveryFailed(Exception):
    """The other side could not be reached, or did not take it. The text holds no secret and nothing that came back."""


@dataclass(frozen=True)
class Answer:
    """What came back, at most 64 KB of it."""

    status: int
    body: bytes


def parse_networks(text: str) -> tuple[Network, ...]:
    """Networks separated by commas. Raises ValueError."""
    return tuple(ipaddress.ip_network(one.strip()) for one in text.split(",") if one.strip())


@dataclass(frozen=True)
class Outbound:
    """Sends requests to where they may go."""

    allowed: tuple[Network, ...] = ()

    @classmethod
    def of(cls, settings: OutboundSettings) -> Outbound:
        return cls(parse_networks(settings.private_networks))

    def require(self, url: str) -> httpx.URL:
        """The URL, when it is one that may be asked. Raises DestinationRefused; the name is not resolved yet."""
        import httpx  # here and below: a server that sends nothing starts without it

        try:
            parsed = httpx.URL(url)
        except (httpx.InvalidURL, TypeError, ValueError):
            raise DestinationRefused("A URL such as https://hooks.example/watchkeeper was expected.") from None
        if parsed.scheme not in ("https", "http") or not parsed.host:
            raise DestinationRefused("A URL that begins with https:// was expected.")
        if parsed.userinfo:
            raise DestinationRefused("A URL holds no user name and no password: it is shown, stored and logged.")
        literal = _literal(parsed.host)
        if literal is not None:
            self._require_address(literal)
        return parsed

    def post(self, url: str, body: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        """POST it once, without following redirects; blocks up to 10 s.

        Raises DestinationRefused for a place that is not allowed, DeliveryFailed for anything but a 2xx answer.
        """
        found = self.ask(url, body, headers)
        if not 200 <= found.status < 300:
            raise DeliveryFailed(f"{self.require(url).host} answered {found.status}")
        return found

    def ask(
        self, url: str, body: bytes, headers: Mapping[str, str] | None = None, *, largest: int = LARGEST_ANSWER
    ) -> Answer:
        """The same for an answer of any status, of which at most `largest` bytes are read."""
        import httpx

        parsed = self.require(url)
        patience = httpx.Timeout(_SECONDS, connect=_CONNECT_SECONDS)
        address = self._resolve(parsed)
        port = f":{parsed.port}" if parsed.port else ""
        host = f"[{parsed.host}]" if ":" in parsed.host else parsed.host
        try:
            with (
                httpx.Client(timeout=patience, trust_env=False, follow_redirects=False) as client,
                client.stream(
                    "POST",
                    parsed.copy_with(host=str(address)),
                    content=body,
                    headers={**(headers or {}), "Host": f"{host}{port}"},
                    # The certificate must be the name's, though the connection goes to the address that was checked.
                    extensions={"sni_hostname": parsed.host},
                ) as response,
            ):
                return Answer(response.status_code, _beginning(response, largest))
        except (httpx.HTTPError, OSError, ValueError) as error:
            raise DeliveryFailed(f"{parsed.host}: {type(error).__name__}") from None

    def _resolve(self, url: httpx.URL) -> Address:
        try:
            found = socket.getaddrinfo(url.host, url.port or 443, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise DeliveryFailed(f"{url.host} can't be resolved") from None
        addresses = [ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in found]
        for address in addresses:
            self._require_address(address)
        return addresses[0]

    def _require_address(self, address: Address) -> None:
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        real = mapped or address
        if any(real.version == network.version and real in network for network in self.allowed):
            return
        if not real.is_global or real.is_multicast:
            raise DestinationRefused(
                f"{real} is not a public address. WATCHKEEPER_OUTBOUND_PRIVATE_NETWORKS names private networks that "
                "may be reached."
            )


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _beginning(response: httpx.Response, largest: int) -> bytes:
    held = b""
    for chunk in response.iter_bytes():
        held += chunk
        if len(held) > largest:
            return held[:largest]
    return held
