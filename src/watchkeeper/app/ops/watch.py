"""How many objects differ from `ops/`, beside the page's name in the side bar; kept in memory, as every page asks."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.orm import Session

from watchkeeper.app.ops.kinds import KINDS
from watchkeeper.app.ops.permissions import PLAN_OPS
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.ops import Drifted
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.kept_fresh import KeptFresh
from watchkeeper.kernel.web.pages import Badge

PAGE = "/settings/ops"


class DriftWatch(KeptFresh):
    """A BadgeSource. What another replica changed is seen within ten seconds."""

    looks_at = "drift"

    def __init__(self, db: Database) -> None:
        super().__init__(db)
        self._count = 0

    def look(self, session: Session) -> list[Drifted]:
        """Every object that differs, now."""
        found = [one for kind in KINDS for one in kind.drift(session)]
        self._count = len(found)
        return found

    def badges(self, actor: Actor) -> Mapping[str, Badge]:
        """By the address of the page that they stand beside."""
        if not self._count or not actor.may(PLAN_OPS):
            return {}
        return {PAGE: Badge(self._count, "differs from ops/" if self._count == 1 else "differ from ops/")}
