"""Which channels miss, for the banner above every page; kept in memory, as every page asks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from sqlalchemy.orm import Session

from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Unavailable
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import Banner
from watchkeeper.modules.notify import store
from watchkeeper.modules.notify.permissions import VIEW

_EVERY_SECONDS = 10.0
_log = structlog.get_logger("watchkeeper.notify")


class ChannelWatch:
    """A BannerSource. What another replica saw is seen within ten seconds."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._degraded: tuple[str, ...] = ()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Looks every ten seconds while the block lasts."""
        task = asyncio.create_task(self._keep_fresh())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

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

    async def _keep_fresh(self) -> None:
        while True:
            try:
                await self._db.ask(self.look)
            except Unavailable as refusal:
                _log.warning("channels are not known", reason=refusal.detail)
            await asyncio.sleep(_EVERY_SECONDS)
