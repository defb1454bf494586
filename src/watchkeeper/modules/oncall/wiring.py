"""What `app` needs to put schedules and policies into a server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from watchkeeper.modules.oncall import (
    importers,
    pages,
    pages_edit,
    pages_paging,
    pages_policy,
    pages_schedule,
    routes,
    routes_feed,
    routes_paging,
    routes_replay,
    routes_replies,
    routes_shifts,
)
from watchkeeper.modules.oncall.importers.files import files_of
from watchkeeper.modules.oncall.importers.result import Imported
from watchkeeper.modules.oncall.ops import OPS_KINDS

__all__ = ["IMPORTERS", "NAV", "OPS_KINDS", "ROUTERS", "STATIC", "TEMPLATES", "files_of"]

# Calendars and editors first: `new` and `.ics` are no names of schedules.
ROUTERS = (
    routes_paging.router,
    routes_replies.router,
    routes_shifts.router,
    routes_replay.router,
    routes.router,
    routes_feed.router,
    pages_paging.router,
    pages.router,
    pages_edit.router,
    pages_policy.router,
    pages_schedule.router,
)
NAV = pages.NAV
TEMPLATES = {"oncall": Path(__file__).parent / "templates"}
STATIC = {"oncall": Path(__file__).parent / "static"}
IMPORTERS: Mapping[str, Callable[[Any, datetime], Imported]] = importers.SOURCES
