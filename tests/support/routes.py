"""Apps of tests are made of the same routers again and again; what FastAPI works out about a route is kept for all.

It is the dearest part of making an app: a tenth of a second, for each of some thousand tests.
"""

from __future__ import annotations

from typing import Any

from fastapi import routing

_made: dict[tuple[int, str], tuple[object, Any]] = {}
_make = routing._IncludedRouter._build_effective_context


def _kept(self: routing._IncludedRouter, route: Any) -> Any:
    context = self.include_context
    key = (id(route), context.prefix)
    # The route is kept too: its number must not become another one's.
    if key not in _made:
        _made[key] = (route, _make(self, route))
    return _made[key][1]


def keep_what_routes_are() -> None:
    """From now on, in this process."""
    routing._IncludedRouter._build_effective_context = _kept  # type: ignore[method-assign]
