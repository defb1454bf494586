"""How many incidents are open, beside the page's name in the side bar; kept in memory, as every page asks."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.orm import Session

from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.kept_fresh import KeptFresh
from watchkeeper.kernel.web.pages import Badge
from watchkeeper.modules.incidents import store
from watchkeeper.modules.incidents.permissions import VIEW_INCIDENTS

PAGE = "/incidents"


class OpenIncidents(KeptFresh):
    """A BadgeSource: open incidents that are no drills."""

    every_seconds = 5.0
    looks_at = "open incidents"

    def __init__(self, db: Database) -> None:
        super().__init__(db)
        self._count = 0

    def look(self, session: Session) -> None:
        """Count now."""
        self._count = store.count_open(session)

    def badges(self, actor: Actor) -> Mapping[str, Badge]:
        """By the address of the page that they stand beside."""
        if not self._count or not actor.may(VIEW_INCIDENTS):
            return {}
        return {PAGE: Badge(self._count, "is open" if self._count == 1 else "are open")}
