"""What `app` needs to put subjects and segments into a server."""

from __future__ import annotations

from pathlib import Path

from watchkeeper.kernel.ops import OpsKind
from watchkeeper.modules.subjects import pages, pages_segments, routes, routes_segments
from watchkeeper.modules.subjects.ops import SegmentKind
from watchkeeper.modules.subjects.segments import SegmentUses

__all__ = ["BODY_LIMITS", "NAV", "ROUTERS", "TEMPLATES", "ops_kinds"]

ROUTERS = (routes_segments.router, routes.router, pages_segments.router, pages.router)
NAV = pages.NAV
TEMPLATES = {"subjects": Path(__file__).parent / "templates"}
BODY_LIMITS: dict[str, int | None] = {"/api/v1/subjects": routes.LARGEST_BATCH}


def ops_kinds(uses: SegmentUses) -> tuple[OpsKind, ...]:
    """The kinds of objects that files describe; `uses` tells what holds a segment."""
    return (SegmentKind(uses),)
