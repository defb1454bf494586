"""What other modules may ask of the catalog, and what they can add to its scorecards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.modules.catalog import store
from watchkeeper.modules.catalog.model import Finding, Outcome, Seen, Service
from watchkeeper.modules.catalog.service import Catalog

__all__ = [
    "Finding",
    "Outcome",
    "ReadinessCheck",
    "ReadinessChecks",
    "Seen",
    "Service",
    "discover",
    "service_tabs",
    "services",
    "tabs_of",
]


class ReadinessCheck(Protocol):
    """One line of a scorecard. Modules above implement it; `app` registers it."""

    @property
    def key(self) -> str:
        """Stable, such as `telemetry.traces`."""
        ...

    async def check(self, service: Service) -> Finding:
        """What is found for this service now."""
        ...


@dataclass(frozen=True)
class ReadinessChecks:
    """The part that lists every check."""

    checks: tuple[ReadinessCheck, ...] = ()


def discover(session: Session, clock: Clock, seen: Iterable[Seen]) -> None:
    """Note what telemetry named; harmless when repeated."""
    Catalog(session, clock).discover(seen)


def services(session: Session) -> list[Service]:
    """Every live service by name."""
    return store.all_services(session)


def tabs_of(name: str) -> list[tuple[str, str]]:
    """(label, address) of the pages of a service, the same on each of them."""
    return [
        ("Overview", f"/services/{name}"),
        ("Routes", f"/services/{name}/routes"),
        ("Traces", f"/traces?service={name}"),
        ("Logs", f"/logs?service={name}"),
        ("Metrics", f"/services/{name}/metrics"),
        ("About", f"/services/{name}/about"),
    ]


def service_tabs(name: str, current: str) -> list[tuple[str, str, bool]]:
    """The tabs with the current one marked, as the shell's macro wants them."""
    return [(label, href, label == current) for label, href in tabs_of(name)]
