"""How many groups are open, beside the page's name in the side bar; kept in memory, as every page asks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog
from sqlalchemy.orm import Session

from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Unavailable
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import Badge
from watchkeeper.modules.alerts.model import Status
from watchkeeper.modules.alerts.permissions import VIEW_ALERTS
from watchkeeper.modules.alerts.public import open_counts

PAGE = "/alerts"
_EVERY_SECONDS = 5.0
_log = structlog.get_logger("watchkeeper.alerts")


class OpenGroups:
    """A BadgeSource: groups that page and that nobody has acknowledged."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._count = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Looks every five seconds while the block lasts."""
        task = asyncio.create_task(self._keep_fresh())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def look(self, session: Session) -> None:
        """Count now."""
        self._count = open_counts(session)[Status.TRIGGERED]

    def badges(self, actor: Actor) -> Mapping[str, Badge]:
        """By the address of the page that they stand beside."""
        if not self._count or not actor.may(VIEW_ALERTS):
            return {}
        return {PAGE: Badge(self._count, "is open" if self._count == 1 else "are open")}

    async def _keep_fresh(self) -> None:
        while True:
            try:
                await self._db.ask(self.look)
            except Unavailable as refusal:
                _log.warning("open alerts are not counted", reason=refusal.detail)
            await asyncio.sleep(_EVERY_SECONDS)
