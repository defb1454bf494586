"""Requests that leave this machine: where they may go, how long they may take, and how much may come back.

An address that somebody typed in could point into the network behind this server (SSRF). So a name is resolved here,
every address it has must be a public one or be allowed, and the connection goes to the address that was looked at.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, field_validator

from watchkeeper.kernel.deadline import Deadline
from watchkeeper.kernel.errors import Refusal
from watchkeeper.kernel.resolving import Address, addresses_of, literal
from watchkeeper.kernel.settings import SettingsGroup

if TYPE_CHECKING:
    import httpx

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
LARGEST_ANSWER = 64 * 1024
_SECONDS = 10.0


class OutboundSettings(SettingsGroup):
    """Where requests of Watchkeeper's own may go: webhooks, other Watchkeepers."""

    section: ClassVar[str] = "outbound"

    private_networks: str = Field(
        "",
        description="Private networks that webhooks may reach, separated by commas (`10.0.0.0/8, 127.0.0.1/32`). "
        "Unset: public addresses only.",
    )

    ca_file: Path | None = Field(
        None,
        description="PEM file of authorities whose certificates are trusted besides the public ones, such as that of "
        "your own network.",
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
    """What came back, at most 64 KB of it. `retry_after`: seconds in which it wants to be left alone."""

    status: int
    body: bytes
    retry_after: int | None = None


def parse_networks(text: str) -> tuple[Network, ...]:
    """Networks separated by commas. Raises ValueError."""
    return tuple(ipaddress.ip_network(one.strip()) for one in text.split(",") if one.strip())


@dataclass(frozen=True)
class Outbound:
    """Sends requests to where they may go. `seconds`: how long one takes in all, from connecting to the last byte."""

    allowed: tuple[Network, ...] = ()
    ca_file: Path | None = None
    seconds: float = _SECONDS

    @classmethod
    def of(cls, settings: OutboundSettings) -> Outbound:
        return cls(parse_networks(settings.private_networks), settings.ca_file)

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
        if (written := literal(parsed.host)) is not None:
            self._require_address(written)
        return parsed

    def post(self, url: str, body: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        """POST it once, without following redirects; blocks up to 10 s, however slowly the answer comes.

        Raises DestinationRefused for a place that is not allowed, DeliveryFailed for anything but a 2xx answer.
        """
        found = self.ask(url, body, headers)
        if not 200 <= found.status < 300:
            raise DeliveryFailed(f"{self.require(url).host} answered {found.status}")
        return found

    def ask(
        self,
        url: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        largest: int = LARGEST_ANSWER,
        method: str = "POST",
    ) -> Answer:
        """The same for an answer of any status, of which at most `largest` bytes are read, and for other methods."""
        from watchkeeper.kernel import outbound_wire

        parsed = self.require(url)
        deadline = Deadline(self.seconds)
        address = self._resolve(parsed.host, deadline)
        try:
            status, said, began = outbound_wire.ask(
                parsed,
                str(address),
                body,
                headers or {},
                deadline=deadline,
                largest=largest,
                ca_file=self.ca_file,
                method=method,
            )
        except outbound_wire.Failed as failed:
            raise DeliveryFailed(f"{parsed.host} {failed}") from None
        return Answer(status, began, _seconds(said.get("retry-after", "")))

    def _resolve(self, host: str, deadline: Deadline) -> Address:
        try:
            addresses = addresses_of(host, deadline)
        except TimeoutError:
            raise DeliveryFailed(f"{host} was not resolved in time") from None
        except OSError:
            raise DeliveryFailed(f"{host} can't be resolved") from None
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


def _seconds(text: str) -> int | None:
    """`Retry-After` as seconds; a date is not read, as nobody sends one."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else None
