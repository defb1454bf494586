"""What `app` needs to put stories into a server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from watchkeeper.modules.alerts.public import FactLinks
from watchkeeper.modules.incidents.public import Incidenting
from watchkeeper.modules.incidents.story import pages, routes
from watchkeeper.modules.incidents.story.undoing import Stories
from watchkeeper.modules.runbooks.public import Actions, Running
from watchkeeper.modules.slo.public import Engine

__all__ = ["ROUTERS", "STATIC", "TEMPLATES", "story_parts"]

ROUTERS = (routes.router, pages.router)
TEMPLATES = {"story": Path(__file__).parent / "templates"}
STATIC = {"story": Path(__file__).parent / "static"}


def story_parts(
    incidenting: Incidenting, links: FactLinks, actions: Actions, running: Running, engine: Engine | None
) -> dict[Any, Any]:
    """The part of a server."""
    return {Stories: Stories(incidenting, links, actions, running, engine)}
