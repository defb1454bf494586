"""Which channels miss, for the banner above every page; kept in memory, as every page asks."""

from __future__ import annotations

from sqlalchemy.orm import Session

from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.kept_fresh import KeptFresh
from watchkeeper.kernel.web.pages import Banner
from watchkeeper.modules.notify import store
from watchkeeper.modules.notify.permissions import VIEW


class ChannelWatch(KeptFresh):
    """A BannerSource. What another replica saw is seen within ten seconds."""

    looks_at = "channels"

    def __init__(self, db: Database) -> None:
        super().__init__(db)
        self._degraded: tuple[str, ...] = ()

    def look(self, session: Session) -> None:
        """See which channels miss now."""
        self._degraded = tuple(one.name for one in store.all_channels(session) if one.is_degraded)

    def banners(self, actor: Actor) -> list[Banner]:
        """One line for all of them."""
        if not self._degraded or not actor.may(VIEW):
            return []
        names = ", ".join(self._degraded)
        text = f"Messages over {names} are not taken; people are reached by their other contacts."
        return [Banner("danger", text, "/notify/channels")]
