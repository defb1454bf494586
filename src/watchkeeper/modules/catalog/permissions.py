"""What the catalog asks for."""

from __future__ import annotations

from sqlalchemy.orm import Session

from watchkeeper.kernel.web.access import Actor, Permission, Scope
from watchkeeper.modules.identity import public as identity

VIEW_CATALOG = Permission("catalog.view", Scope.READ)
EDIT_CATALOG = Permission("catalog.edit", Scope.WRITE)


def require_own(session: Session, who: Actor, owner: str | None) -> None:
    """Raises Forbidden when this owner is a team that the actor is not in; other owners bind nobody."""
    if owner is not None and identity.is_team(session, owner):
        who.require_team(owner)
