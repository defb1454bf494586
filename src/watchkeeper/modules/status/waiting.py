"""How many drafts wait for review, beside the page's name in the side bar; kept in memory, as every page asks."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.orm import Session

from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.kept_fresh import KeptFresh
from watchkeeper.kernel.web.pages import Badge
from watchkeeper.modules.status import store
from watchkeeper.modules.status.permissions import PUBLISH_UPDATES

PAGE = "/status-page"


class WaitingDrafts(KeptFresh):
    """A BadgeSource: for those who may publish them."""

    looks_at = "drafts for the status page"

    def __init__(self, db: Database) -> None:
        super().__init__(db)
        self._count = 0

    def look(self, session: Session) -> None:
        """Count now."""
        self._count = len(store.drafts(session))

    def badges(self, actor: Actor) -> Mapping[str, Badge]:
        """By the address of the page that they stand beside."""
        if not self._count or not actor.may(PUBLISH_UPDATES):
            return {}
        return {PAGE: Badge(self._count, "waits for review" if self._count == 1 else "wait for review")}
