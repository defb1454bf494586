"""Who may change which parameters, beside what a permission says."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.orm import Session

from watchkeeper.kernel.errors import Forbidden
from watchkeeper.kernel.web.access import Actor
from watchkeeper.modules.catalog import public as catalog
from watchkeeper.modules.config import store
from watchkeeper.modules.config.model import is_own
from watchkeeper.modules.config.permissions import CHANGE_OWN


def require_keys(session: Session, who: Actor, keys: Iterable[str]) -> None:
    """Raises Forbidden when one of these parameters belongs to a team that the actor is not in, or to Watchkeeper."""
    keys = list(keys)
    if any(is_own(key) for key in keys) and not who.may(CHANGE_OWN):
        raise Forbidden("Watchkeeper's own settings are changed by admins.")
    owners = {one.definition.owner for one in store.parameters_of(session, keys).values()}
    for owner in sorted(one for one in owners if one):
        catalog.require_own(session, who, owner)
