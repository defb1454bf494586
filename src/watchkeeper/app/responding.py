"""What follows a page, put together: runbooks, incidents, recovery, postmortems and status pages."""

# ruff: noqa: ARG001 (the parts that a hook is offered are the same for each, used or not)

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import APIRouter

from watchkeeper.app.configuration import Configuration
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.journal.listeners import Listener
from watchkeeper.kernel.keys import InstallationKey
from watchkeeper.kernel.web.parts import Parts
from watchkeeper.kernel.work import Recurring, Worker
from watchkeeper.modules.catalog.public import ReadinessCheck

ROUTERS: tuple[APIRouter, ...] = ()
TEMPLATES: dict[str, Path] = {}
STATIC: dict[str, Path] = {}


def responding_parts(
    configuration: Configuration, db: Database, clock: Clock, key: InstallationKey, before: Mapping[Any, Any]
) -> dict[Any, Any]:
    """The parts of a server; `before` are those of the modules below."""
    return {}


def readiness_checks(db: Database, clock: Clock) -> tuple[ReadinessCheck, ...]:
    """What they add to the scorecard of a service."""
    return ()


def listeners(clock: Clock) -> tuple[Listener, ...]:
    """Who hears of facts."""
    return ()


def workers(parts: Parts, db: Database, clock: Clock) -> tuple[Worker, ...]:
    """Lanes of their own: nothing that they do holds up a page."""
    return ()


def recurring(parts: Parts, clock: Clock) -> list[Recurring]:
    """Work in the default lane that keeps what is stored small."""
    return []


@asynccontextmanager
async def running(parts: Parts, db: Database) -> AsyncIterator[None]:
    """What looks again and again while the block lasts."""
    yield
