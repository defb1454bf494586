"""What `app` needs to put the timeline into a server."""

from __future__ import annotations

from watchkeeper.app.timeline.api import router
from watchkeeper.app.timeline.pages import NAV, pages

__all__ = ["NAV", "pages", "router"]
