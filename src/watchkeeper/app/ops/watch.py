"""How many objects differ from `ops/`, beside the page's name in the side bar; kept in memory, as every page asks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog
from sqlalchemy.orm import Session

from watchkeeper.app.ops.kinds import KINDS
from watchkeeper.app.ops.permissions import PLAN_OPS
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Unavailable
from watchkeeper.kernel.ops import Drifted
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import Badge

PAGE = "/settings/ops"
_EVERY_SECONDS = 10.0
_log = structlog.get_logger("watchkeeper.ops")


class DriftWatch:
    """A BadgeSource. What another replica changed is seen within ten seconds."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._count = 0

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

    async def _keep_fresh(self) -> None:
        while True:
            try:
                await self._db.ask(self.look)
            except Unavailable as refusal:
                _log.warning("drift is not known", reason=refusal.detail)
            await asyncio.sleep(_EVERY_SECONDS)
