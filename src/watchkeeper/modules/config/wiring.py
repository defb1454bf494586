"""What `app` needs to put runtime configuration into a server."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.modules.config import (
    jobs,
    pages,
    pages_changes,
    pages_edit,
    pages_environments,
    pages_parameter,
    pages_proposal,
    routes,
    routes_changes,
    routes_import,
    routes_serving,
)
from watchkeeper.modules.config.hub import Hub
from watchkeeper.modules.config.known_subjects import KnownSubjects
from watchkeeper.modules.config.listeners import listeners
from watchkeeper.modules.config.ofrep import OfrepApp, OfrepSettings
from watchkeeper.modules.config.ofrep_stream import TokenWorks
from watchkeeper.modules.config.ops import OPS_KINDS
from watchkeeper.modules.config.own import Own
from watchkeeper.modules.config.rates import Rates
from watchkeeper.modules.config.service import Config
from watchkeeper.modules.config.settings import ConfigSettings

__all__ = [
    "NAV",
    "OPS_KINDS",
    "ROUTERS",
    "STATIC",
    "TEMPLATES",
    "apps",
    "config_parts",
    "following",
    "handlers",
    "listeners",
    "recurring",
]

# Changes first: `/config/parameters/{key}/history` is theirs.
ROUTERS = (
    routes_changes.router,
    routes_serving.router,
    routes.router,
    routes_import.router,
    pages.router,
    pages_parameter.router,
    pages_edit.router,
    pages_proposal.router,
    pages_changes.router,
    pages_environments.router,
)
NAV = pages.NAV
TEMPLATES = {"config": Path(__file__).parent / "templates"}
STATIC = {"config": Path(__file__).parent / "static"}

handlers = jobs.handlers
recurring = jobs.recurring


def config_parts(
    db: Database, clock: Clock, settings: ConfigSettings, environ: Mapping[str, str], own: Own | None = None
) -> dict[Any, Any]:
    """The parts of a server; the default environment is there when this returns, and the snapshots are read.

    `own` are the settings of this server itself: they are in the registry then, and follow what is set.
    """
    own = own or Own((), settings.default_environment, lambda _values: None)
    with db.begin() as session:
        Config(session, clock).ensure_environment(settings.default_environment)
        own.register(session, clock)
        own.read(session)
    prefix = settings.variable_prefix
    seen = {name.removeprefix(prefix): said for name, said in environ.items() if name.startswith(prefix)}
    hub = Hub(db, clock, seen)
    hub.look()
    hub.follow(own.read)
    return {Hub: hub, ConfigSettings: settings, Own: own}


def apps(
    hub: Hub, db: Database, clock: Clock, settings: ConfigSettings, key: bytes, token_works: TokenWorks
) -> dict[str, ASGIApp]:
    """What is mounted: OFREP. `key` signs the tickets of its streams; `token_works` tells whether theirs still does."""
    ofrep = OfrepApp(
        hub,
        clock,
        KnownSubjects(db, clock, wanted=settings.ofrep_known_subjects),
        Rates(clock, settings.ofrep_requests_per_second),
        token_works,
        OfrepSettings(settings.default_environment, settings.origins(), key),
    )
    return {"/ofrep": ofrep}


def following(hub: Hub, clock: Clock) -> AbstractAsyncContextManager[None]:
    """Follow the database while the block lasts."""
    return hub.running(lambda session: jobs.keep_counts(session, clock, hub))
