"""What `app` needs to put the catalog into a server."""

from __future__ import annotations

from pathlib import Path

from watchkeeper.modules.catalog import pages, pages_edit, routes
from watchkeeper.modules.catalog.checks import CHECKS
from watchkeeper.modules.catalog.ops import OPS_KINDS

__all__ = ["CHECKS", "NAV", "OPS_KINDS", "ROUTERS", "TEMPLATES"]

ROUTERS = (routes.router, pages_edit.router, pages.router)
NAV = pages.NAV
TEMPLATES = {"catalog": Path(__file__).parent / "templates"}
