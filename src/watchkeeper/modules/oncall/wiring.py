"""What `app` needs to put schedules and policies into a server."""

from __future__ import annotations

from pathlib import Path

from watchkeeper.kernel.web.pages import NavItem
from watchkeeper.modules.oncall import routes, routes_feed, routes_shifts
from watchkeeper.modules.oncall.ops import OPS_KINDS

__all__ = ["NAV", "OPS_KINDS", "ROUTERS", "STATIC", "TEMPLATES"]

ROUTERS = (routes_shifts.router, routes.router, routes_feed.router)
NAV: tuple[NavItem, ...] = ()
TEMPLATES: dict[str, Path] = {}
STATIC: dict[str, Path] = {}
