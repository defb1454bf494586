"""What `app` needs to put identity into a server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.kernel.web.access import Authenticator
from watchkeeper.kernel.web.pages import NavItem
from watchkeeper.modules.identity import (
    pages,
    pages_account,
    pages_factors,
    pages_links,
    pages_oidc,
    pages_people,
    pages_second,
    pages_teams,
    pages_tokens,
    routes,
    routes_oidc,
    routes_people,
    routes_teams,
)
from watchkeeper.modules.identity.authenticator import IdentityAuthenticator
from watchkeeper.modules.identity.control import ControlToken
from watchkeeper.modules.identity.cookies import SessionCookie
from watchkeeper.modules.identity.front_desk import FrontDesk
from watchkeeper.modules.identity.hashing import Passwords
from watchkeeper.modules.identity.oidc import OidcClient
from watchkeeper.modules.identity.ops import OPS_KINDS
from watchkeeper.modules.identity.permissions import MANAGE_TOKENS, VIEW_PEOPLE
from watchkeeper.modules.identity.settings import IdentitySettings

ROUTERS = (
    routes.router,
    pages.router,
    pages_second.router,
    pages_factors.router,
    pages_links.router,
    pages_people.router,
    pages_teams.router,
    pages_account.router,
    pages_oidc.router,
    pages_tokens.router,
    routes_oidc.router,
    routes_people.router,
    routes_teams.router,
)
TEMPLATES = {"identity": Path(__file__).parent / "templates"}
STATIC = {"identity": Path(__file__).parent / "static"}
NAV = (
    NavItem("People and teams", "/settings/people", "team", order=905, permission=VIEW_PEOPLE),
    NavItem("API tokens", "/settings/tokens", "key", order=910, permission=MANAGE_TOKENS),
)


def identity_parts(
    db: Database,
    clock: Clock,
    settings: IdentitySettings,
    server: ServerSettings,
    *,
    control: ControlToken | None,
    passwords: Passwords | None = None,
) -> dict[Any, Any]:
    """The parts that identity's routes, and the kernel's `requires`, are handed."""
    hasher = passwords or Passwords()
    cookie = SessionCookie.for_base_url(server.base_url, settings.sessions.absolute)
    authenticator = IdentityAuthenticator(db, clock, settings, cookie, control)
    return {
        Authenticator: authenticator,
        IdentityAuthenticator: authenticator,
        SessionCookie: cookie,
        IdentitySettings: settings,
        Passwords: hasher,
        OidcClient: OidcClient(clock, settings),
        FrontDesk: FrontDesk(db, clock, hasher, settings),
    }


__all__ = ["NAV", "OPS_KINDS", "ROUTERS", "STATIC", "TEMPLATES", "identity_parts"]
