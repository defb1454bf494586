"""What everybody has to know of paging, above every page; kept in memory, as every page asks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Unavailable
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import Banner
from watchkeeper.modules.oncall import store as definitions
from watchkeeper.modules.oncall.paging import store
from watchkeeper.modules.oncall.paging.model import Watch
from watchkeeper.modules.oncall.permissions import VIEW_ONCALL
from watchkeeper.modules.oncall.policy import Policy
from watchkeeper.modules.oncall.settings import OncallSettings

_EVERY_SECONDS = 10.0
_OLD = timedelta(minutes=2)
_log = structlog.get_logger("watchkeeper.oncall")


class PagingWatch:
    """A BannerSource. Silent for whoever has no policy yet: they do not page."""

    def __init__(self, db: Database, clock: Clock, settings: OncallSettings) -> None:
        self._db, self._clock, self._settings = db, clock, settings
        self._banners: tuple[Banner, ...] = ()

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
        """See how paging does now."""
        watch, now = store.watch(session), self._clock.now()
        found = []
        if watch is not None and watch.findings:
            found.append(Banner("danger", f"Paging: {'; '.join(watch.findings[:3])}.", "/oncall/pages"))
        if watch is not None and now - watch.looked_at > _OLD:
            found.append(Banner("danger", "Paging was not checked for two minutes: its worker does not run.", None))
        if definitions.all_of(session, Policy):
            found += self._outside(watch, now)
        self._banners = tuple(found)

    def banners(self, actor: Actor) -> list[Banner]:
        """The worst first."""
        return list(self._banners) if actor.may(VIEW_ONCALL) else []

    def _outside(self, watch: Watch | None, now: datetime) -> list[Banner]:
        if not self._settings.heartbeat_url:
            text = "Nobody outside notices when this server dies: set WATCHKEEPER_ONCALL_HEARTBEAT_URL."
            return [Banner("warning", text)]
        if watch is not None and not watch.findings:
            told = watch.heartbeat_at
            if told is None or now - told > _OLD:
                return [Banner("danger", "The outside does not take the word that paging works.")]
        return []

    async def _keep_fresh(self) -> None:
        while True:
            try:
                await self._db.ask(self.look)
            except Unavailable as refusal:
                _log.warning("paging is not known", reason=refusal.detail)
            await asyncio.sleep(_EVERY_SECONDS)
