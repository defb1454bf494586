"""What the server takes of operations as code."""

from __future__ import annotations

from watchkeeper.app.ops import api, pages

ROUTERS = (api.router, pages.pages)
NAV = pages.NAV
