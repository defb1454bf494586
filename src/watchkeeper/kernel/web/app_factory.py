"""Builds the app from its parts: one order of middleware, one way to say no, one contract."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.routing import Route
from starlette.types import ASGIApp

import watchkeeper
from watchkeeper.kernel.clock import SystemClock
from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.kernel.telemetry.middleware import RequestTelemetry
from watchkeeper.kernel.web import health
from watchkeeper.kernel.web import static as static_files
from watchkeeper.kernel.web.csrf import Csrf
from watchkeeper.kernel.web.headers import HostGuard, SecurityHeaders, TrustedProxies
from watchkeeper.kernel.web.limits import RequestLimits
from watchkeeper.kernel.web.openapi import describe_api, route_templates
from watchkeeper.kernel.web.origin import RequestOrigin
from watchkeeper.kernel.web.pages import NavItem, Pages
from watchkeeper.kernel.web.parts import Parts
from watchkeeper.kernel.web.problems import CatchUnexpected, add_problem_handlers
from watchkeeper.kernel.web.settings import WebSettings
from watchkeeper.kernel.web.sse import Streams
from watchkeeper.kernel.web.static import StaticFiles

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[Any]]


def create_app(
    *,
    parts: Parts | Mapping[Any, Any],
    routers: Sequence[APIRouter] = (),
    mounts: Mapping[str, ASGIApp] | None = None,
    nav: Iterable[NavItem] = (),
    templates: Mapping[str, Path] | None = None,
    static: Mapping[str, Path] | None = None,
    body_limits: Mapping[str, int | None] | None = None,
    hot: Sequence[str] = (),
    exact: Mapping[str, ASGIApp] | None = None,
    lifespan: Lifespan | None = None,
) -> FastAPI:
    """The app.

    `mounts` maps path prefixes to ASGI apps that carry an attribute `permission`; `templates` and `static` map a
    module's name to its folder; `body_limits` maps path prefixes to a limit in bytes, None for a mount that counts for
    itself; `hot` names mounts that a real server (see hot_paths.py) reaches without any middleware, and `exact`
    maps single paths to apps that are reached in the same way.
    """
    parts = parts if isinstance(parts, Parts) else Parts(parts)
    files = StaticFiles(static)
    _add_what_every_app_has(parts)
    parts.add(StaticFiles, files)
    parts.add(Pages, Pages(templates or {}, nav=nav, static=files, clock=parts[SystemClock]))
    app = FastAPI(
        title="Watchkeeper",
        version=watchkeeper.__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        # RequestTelemetry does it, and knows what to skip.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.parts = parts
    add_problem_handlers(app)
    _mount(app, mounts or {}, exact or {})
    app.mount("/static", files)
    for router in (health.router, static_files.router, *routers):
        app.include_router(router)
    describe_api(app)
    _add_middleware(app, parts, body_limits or {})
    app.state.hot = {prefix: (mounts or {})[prefix] for prefix in hot}
    app.state.exact = dict(exact or {})
    return app


def _mount(app: FastAPI, mounts: Mapping[str, ASGIApp], exact: Mapping[str, ASGIApp]) -> None:
    # First: routes are tried in order, and these are the hottest.
    for path, alone in exact.items():
        app.router.routes.append(Route(path, alone, include_in_schema=False))
    for prefix, mounted in mounts.items():
        # A mount alone would answer its own prefix with a redirect, which exporters don't follow.
        app.router.routes.append(Route(prefix, mounted, include_in_schema=False))
        app.mount(prefix, mounted)


def _add_what_every_app_has(parts: Parts) -> None:
    settings = parts.find(ServerSettings) or ServerSettings.model_validate({})
    web = parts.find(WebSettings) or WebSettings.model_validate({})
    defaults: dict[Any, Callable[[], Any]] = {
        ServerSettings: lambda: settings,
        WebSettings: lambda: web,
        SystemClock: SystemClock,
        Streams: lambda: Streams(web.max_streams, of_programs=web.max_program_streams),
        # Good for one process that runs once; a real server derives it from its installation's key.
        Csrf: lambda: Csrf(secrets.token_bytes(32), secure=_is_https(settings)),
    }
    for cls, make in defaults.items():
        if cls not in parts:
            parts.add(cls, make())


def _add_middleware(app: FastAPI, parts: Parts, body_limits: Mapping[str, int | None]) -> None:
    settings, web = parts[ServerSettings], parts[WebSettings]
    # Added from the inside out.
    app.add_middleware(RequestOrigin)
    app.add_middleware(CatchUnexpected)
    app.add_middleware(RequestLimits, limit=web.max_body_bytes, overrides=body_limits)
    app.add_middleware(HostGuard, base_url=settings.base_url, allowed=web.host_names())
    app.add_middleware(SecurityHeaders, https=_is_https(settings))
    app.add_middleware(TrustedProxies, networks=web.proxies())
    app.add_middleware(RequestTelemetry, templates=route_templates(app), clock=parts[SystemClock])


def _is_https(settings: ServerSettings) -> bool:
    return (settings.base_url or "").startswith("https://")
