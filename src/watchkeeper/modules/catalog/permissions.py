"""What the catalog asks for."""

from __future__ import annotations

from sqlalchemy.orm import Session

from watchkeeper.kernel.web.access import Actor, Permission, Scope
from watchkeeper.modules.identity import public as identity

VIEW_CATALOG = Permission("catalog.view", Scope.READ)
EDIT_CATALOG = Permission("catalog.edit", Scope.WRITE)


def owning_team(session: Session, owner: str | None) -> str | None:
    """The team that this owner names, or None: an owner that is the name of no team limits nobody."""
    return owner if owner is not None and identity.is_team(session, owner) else None


def require_own(session: Session, who: Actor, owner: str | None) -> None:
    """Raises Forbidden when this owner is a team that the actor is not in."""
    who.require_team(owning_team(session, owner))
