"""Watchkeeper inside your own services: `telemetry.set_up(...)` sends telemetry, `Watchkeeper` asks the server."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from watchkeeper_client.client import Watchkeeper
    from watchkeeper_client.config import AsyncClient, Client, Decision, Parameter, Reader, Status
    from watchkeeper_client.errors import Problem, Refused, Unreachable, WatchkeeperError
    from watchkeeper_client.model import Fact, Seen, Service

__all__ = [
    "AsyncClient",
    "Client",
    "Decision",
    "Fact",
    "Parameter",
    "Problem",
    "Reader",
    "Refused",
    "Seen",
    "Service",
    "Status",
    "Unreachable",
    "Watchkeeper",
    "WatchkeeperError",
]

# Brought in when first asked for: whoever only needs one part waits for no other.
_HOMES = {
    "AsyncClient": "config",
    "Client": "config",
    "Decision": "config",
    "Parameter": "config",
    "Reader": "config",
    "Status": "config",
    "Fact": "model",
    "Problem": "errors",
    "Refused": "errors",
    "Seen": "model",
    "Service": "model",
    "Unreachable": "errors",
    "Watchkeeper": "client",
    "WatchkeeperError": "errors",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
