"""What other modules may ask of the catalog, and what they can add to its scorecards."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.modules.catalog import store
from watchkeeper.modules.catalog.blocks import Block, Blocks, BlockSource
from watchkeeper.modules.catalog.changes import (
    BEFORE_IT_BROKE,
    Change,
    Suspect,
    calls,
    changes_of,
    suspects_among,
)
from watchkeeper.modules.catalog.model import Finding, Outcome, Seen, Service
from watchkeeper.modules.catalog.permissions import owning_team, require_own
from watchkeeper.modules.catalog.readiness import ReadinessCheck, ReadinessChecks
from watchkeeper.modules.catalog.service import Catalog
from watchkeeper.modules.catalog.suspicion import Ground, Suspicion, ground_of, reached

__all__ = [
    "BEFORE_IT_BROKE",
    "Block",
    "BlockSource",
    "Blocks",
    "Change",
    "Finding",
    "Ground",
    "Outcome",
    "ReadinessCheck",
    "ReadinessChecks",
    "Seen",
    "Service",
    "Suspect",
    "Suspicion",
    "calls",
    "changes_of",
    "dependencies",
    "discover",
    "ground_of",
    "owned_by",
    "owning_team",
    "reached",
    "require_own",
    "service",
    "service_tabs",
    "services",
    "suspects_among",
    "tabs_of",
]


def discover(session: Session, clock: Clock, seen: Iterable[Seen]) -> None:
    """Note what telemetry named; harmless when repeated."""
    Catalog(session, clock).discover(seen)


def services(session: Session) -> list[Service]:
    """Every live service by name."""
    return store.all_services(session)


def service(session: Session, name: str) -> Service | None:
    """The live service of this name."""
    found = store.by_name(session, name)
    return found if found is not None and not found.archived else None


def owned_by(session: Session, owner: str) -> list[str]:
    """Names of the live services of this owner."""
    return [one.name for one in store.all_services(session) if one.about.owner == owner]


def dependencies(session: Session, name: str) -> tuple[str, ...]:
    """Names of the services that this one calls, as people or files say; they need not be in the catalog."""
    found = service(session, name)
    return found.about.dependencies if found is not None else ()


def tabs_of(name: str) -> list[tuple[str, str]]:
    """(label, address) of the pages of a service, the same on each of them."""
    path, query = quote(name), quote(name, safe="")
    return [
        ("Overview", f"/services/{path}"),
        ("Routes", f"/services/{path}/routes"),
        ("Traces", f"/traces?service={query}"),
        ("Logs", f"/logs?service={query}"),
        ("Metrics", f"/services/{path}/metrics"),
        ("Runbook", f"/services/{path}/runbook"),
        ("About", f"/services/{path}/about"),
    ]


def service_tabs(name: str, current: str) -> list[tuple[str, str, bool]]:
    """The tabs with the current one marked, as the shell's macro wants them."""
    return [(label, href, label == current) for label, href in tabs_of(name)]
