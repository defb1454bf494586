"""The page of effective settings."""

# Annotations are kept as objects for FastAPI.
import os
from dataclasses import dataclass
from typing import Annotated

from fastapi import Request
from starlette.responses import Response

from watchkeeper.app.configuration import Configuration
from watchkeeper.kernel.settings import SettingsGroup, as_it_is
from watchkeeper.kernel.web.access import Actor, Permission, Scope, requires
from watchkeeper.kernel.web.pages import NavItem, render
from watchkeeper.kernel.web.parts import part
from watchkeeper.kernel.web.wire import page_router

VIEW_SETTINGS = Permission("app.view_settings", Scope.ADMIN)
router = page_router()
NAV = (NavItem("Settings", "/settings", "settings", order=900, permission=VIEW_SETTINGS),)
# May hold a password, or says where one is.
HIDDEN = ("database_url", "oidc_client_secret_file")


@dataclass(frozen=True)
class Shown:
    """One setting as the page and the reference show it."""

    variable: str
    value: str
    default: str
    description: str
    is_default: bool


@router.get("/settings")
async def settings(
    who: Annotated[Actor, requires(VIEW_SETTINGS)],
    request: Request,
    configuration: Annotated[Configuration, part(Configuration)],
) -> Response:
    """What this server runs with."""
    groups = [
        (group.section or "server", (type(group).__doc__ or ""), shown(group))
        for group in map(as_it_is, configuration.groups())
    ]
    return render(request, "app/settings.html", groups=groups, process=os.getpid())


def shown(group: SettingsGroup) -> list[Shown]:
    """Every setting of a group with its value; secrets are named but not shown."""
    found = []
    for name, field in type(group).model_fields.items():
        value, default = getattr(group, name), field.get_default()
        hidden = name in HIDDEN and value is not None
        text = "(set)" if hidden else setting_text(value)
        found.append(
            Shown(group.variable(name), text, setting_text(default), field.description or "", value == default)
        )
    return found


def setting_text(value: object) -> str:
    """A setting's value as people read it."""
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
