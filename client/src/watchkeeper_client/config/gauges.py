"""The client's own metric, where OpenTelemetry is installed."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any, Protocol

from watchkeeper_client.config.status import Status


class Measured(Protocol):
    """What the gauge looks at."""

    environment: str

    def status(self) -> Status: ...


def watch_staleness(client: Measured) -> None:
    """`watchkeeper.config.staleness`: seconds since a server last confirmed what this client decides with."""
    try:
        from opentelemetry import metrics
    except ImportError:
        return
    held = weakref.ref(client)

    def observe(_options: Any) -> Iterable[metrics.Observation]:
        living = held()
        stale = living.status().stale_seconds if living is not None else None
        if living is not None and stale is not None:
            yield metrics.Observation(stale, {"watchkeeper.environment": living.environment})

    metrics.get_meter("watchkeeper_client").create_observable_gauge(
        "watchkeeper.config.staleness", [observe], "s", "Since a server last confirmed the configuration in use."
    )
