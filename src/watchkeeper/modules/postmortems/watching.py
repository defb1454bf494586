"""What is owed, beside the page's name and above every page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.kept_fresh import KeptFresh
from watchkeeper.kernel.web.pages import Badge, Banner
from watchkeeper.modules.postmortems.permissions import VIEW_POSTMORTEMS
from watchkeeper.modules.postmortems.public import overdue_actions, overdue_postmortems

PAGE = "/postmortems"


class OwedWatch(KeptFresh):
    """A BadgeSource of what is overdue, and a BannerSource of postmortems of the worst incidents."""

    every_seconds: ClassVar[float] = 15.0
    looks_at: ClassVar[str] = "overdue postmortems"

    def __init__(self, db: Database, clock: Clock) -> None:
        super().__init__(db)
        self._clock = clock
        self._count = 0
        self._worst: tuple[tuple[str, str], ...] = ()

    def look(self, session: Session) -> None:
        """Count now."""
        now = self._clock.now()
        late = overdue_postmortems(session, now)
        self._count = len(late) + len(overdue_actions(session, None, now))
        self._worst = tuple((one.id, one.name) for one in late if one.severity == "SEV-1")

    def badges(self, actor: Actor) -> Mapping[str, Badge]:
        """By the address of the page that they stand beside."""
        if not self._count or not actor.may(VIEW_POSTMORTEMS):
            return {}
        return {PAGE: Badge(self._count, "is overdue" if self._count == 1 else "are overdue")}

    def banners(self, actor: Actor) -> list[Banner]:
        """One line, however many there are."""
        if not self._worst or not actor.may(VIEW_POSTMORTEMS):
            return []
        if len(self._worst) == 1:
            [(identifier, name)] = self._worst
            return [Banner("warning", f"The postmortem of {name} is overdue.", f"{PAGE}/{identifier}")]
        text = f"{len(self._worst)} postmortems of SEV-1 incidents are overdue."
        return [Banner("warning", text, f"{PAGE}?show=overdue")]
