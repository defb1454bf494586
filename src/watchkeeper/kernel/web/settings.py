"""Settings of the web edge."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from watchkeeper.kernel.settings import SettingsGroup


class WebSettings(SettingsGroup):
    """What the HTTP edge accepts, and from whom."""

    section: ClassVar[str] = "web"

    allowed_hosts: str = Field(
        "",
        description="Further host names the console answers to, separated by commas; `*` for any. IP addresses, names "
        "without a dot and the host of `base_url` always work. Others are refused, so that a page elsewhere can't "
        "reach this server by pointing its own name here.",
    )
    trusted_proxies: str = Field(
        "",
        description="Addresses or networks of reverse proxies, separated by commas, whose `X-Forwarded-*` headers are "
        "believed. Unset: such headers are ignored.",
    )
    max_body_bytes: int = Field(
        1_000_000, ge=1_000, description="Largest request body where a route sets no other limit."
    )
    max_streams: int = Field(200, ge=1, description="Most live streams (server-sent events) at the same time.")
    max_program_streams: int = Field(
        5_000, ge=1, description="Most live streams of programs that follow the configuration, at the same time."
    )
    metrics_public: Literal["auto", "always", "never"] = Field(
        "auto",
        description="Whether `/metrics` answers without a token. `auto`: only while the server listens on loopback.",
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _networks_can_be_read(cls, text: str) -> str:
        _networks(text)
        return text

    def host_names(self) -> frozenset[str]:
        """`allowed_hosts`, in lower case."""
        return frozenset(name.strip().lower() for name in self.allowed_hosts.split(",") if name.strip())

    def proxies(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """`trusted_proxies` as networks."""
        return _networks(self.trusted_proxies)


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(one.strip(), strict=False) for one in text.split(",") if one.strip())
