"""Server-rendered pages: one shell, each module's own templates, nothing that a browser has to be trusted with."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from jinja2 import Environment, FileSystemLoader, PrefixLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

import watchkeeper
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import Refusal
from watchkeeper.kernel.web import formats
from watchkeeper.kernel.web.access import Actor, Permission, current_actor, known_actor
from watchkeeper.kernel.web.csrf import Csrf
from watchkeeper.kernel.web.parts import Parts, clock_of, parts_of
from watchkeeper.kernel.web.static import StaticFiles

_SHELL = Path(__file__).parent / "templates" / "shell"
# Macros imported without context don't see the page's variables; filters and macros of the shell look here.
_page: ContextVar[Mapping[str, Any]] = ContextVar("page", default={})  # noqa: B039 (never changed, only replaced)


@dataclass(frozen=True)
class NavItem:
    """One entry of the side bar; hidden from those who lack `permission`. `icon` is a name in shell/icons.html."""

    label: str
    href: str
    icon: str
    order: int = 100
    permission: Permission | None = None
    key: str | None = None  # pressed after g


@dataclass(frozen=True)
class Banner:
    """One line above every page, for what everybody has to know now."""

    level: Literal["info", "warning", "danger"]
    text: str
    href: str | None = None


class BannerSource(Protocol):
    """Something that may have to tell everybody something."""

    def banners(self, actor: Actor) -> list[Banner]:
        """The banners for this actor now; answered from memory, since every page asks."""
        ...


@dataclass(frozen=True)
class Banners:
    """The part that lists all sources of banners."""

    sources: Sequence[BannerSource] = ()


@dataclass(frozen=True)
class Badge:
    """A number beside an entry of the side bar, and the words that say of what."""

    count: int
    text: str


class BadgeSource(Protocol):
    """Something that counts what waits on a page."""

    def badges(self, actor: Actor) -> Mapping[str, Badge]:
        """By the address of the entry; answered from memory, since every page asks."""
        ...


@dataclass(frozen=True)
class Badges:
    """The part that lists all sources of badges."""

    sources: Sequence[BadgeSource] = ()


class Pages:
    """The template environment and the navigation of one app."""

    def __init__(
        self, templates: Mapping[str, Path], *, nav: Iterable[NavItem], static: StaticFiles, clock: Clock
    ) -> None:
        self.nav = tuple(sorted(nav, key=lambda item: (item.order, item.label)))
        loaders = {name: FileSystemLoader(folder) for name, folder in templates.items()}
        self.environment = Environment(
            loader=PrefixLoader({"shell": FileSystemLoader(_SHELL), **loaders}),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.environment.filters.update(formats.FILTERS)
        self.environment.filters["when"] = lambda value: formats.when(value, _page.get().get("now") or clock.now())
        self.environment.globals.update(static=static.url, version=watchkeeper.__version__, page_value=_page_value)

    def nav_for(self, actor: Actor | None) -> list[NavItem]:
        """What this actor may open."""
        if actor is None:
            return []
        return [item for item in self.nav if item.permission is None or actor.may(item.permission)]

    def html(self, template: str, context: Mapping[str, Any]) -> str:
        """The template's text."""
        before = _page.set(context)
        try:
            return self.environment.get_template(template).render(**context)
        finally:
            _page.reset(before)


def render(request: Request, template: str, /, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A whole page from `module/template.html`, which extends `shell/base.html`."""
    parts = parts_of(request)
    actor = known_actor(request)
    csrf = parts[Csrf]
    nonce = None if actor and actor.session_id else request.cookies.get(csrf.cookie) or secrets.token_urlsafe(24)
    shell = _shell_context(request, parts, actor, _token(csrf, actor, nonce))
    response = HTMLResponse(parts[Pages].html(template, {**shell, **context}), status_code=status)
    response.headers["Cache-Control"] = "no-store"
    if nonce is not None and request.cookies.get(csrf.cookie) != nonce:
        response.set_cookie(csrf.cookie, nonce, httponly=True, secure=csrf.secure, samesite="lax", path="/")
    return response


def render_fragment(request: Request, template: str, /, **context: Any) -> str:
    """A piece of a page, for htmx answers and server-sent events."""
    parts = parts_of(request)
    actor = known_actor(request)
    token = _token(parts[Csrf], actor, request.cookies.get(parts[Csrf].cookie))
    return parts[Pages].html(template, {**_shell_context(request, parts, actor, token), **context})


async def render_refusal(request: Request, refusal: Refusal) -> Response:
    """The page that a person gets for a refusal, with the way on."""
    if known_actor(request) is None and refusal.status < 500:
        # The page is about the first refusal; without an actor it merely has no side bar.
        with contextlib.suppress(Refusal):
            await current_actor(request)
    response = render(request, "shell/refusal.html", status=refusal.status, refusal=refusal)
    for name, value in refusal.headers.items():
        response.headers[name] = value
    return response


def _shell_context(request: Request, parts: Parts, actor: Actor | None, token: str) -> dict[str, Any]:
    now = clock_of(request).now()
    sources, counts = parts.find(Banners) or Banners(), parts.find(Badges) or Badges()
    return {
        "request": request,
        "path": request.url.path,
        "actor": actor,
        "nav": parts[Pages].nav_for(actor),
        "csrf_token": token,
        "now": now,
        "badges": {href: one for source in counts.sources for href, one in source.badges(actor).items()}
        if actor
        else {},
        "banners": [banner for source in sources.sources for banner in source.banners(actor)] if actor else [],
    }


def _token(csrf: Csrf, actor: Actor | None, nonce: str | None) -> str:
    if actor is not None and actor.session_id is not None:
        return csrf.token(actor.session_id)
    return csrf.anonymous_token(nonce) if nonce else ""


def _page_value(name: str) -> Any:
    return _page.get()[name]
