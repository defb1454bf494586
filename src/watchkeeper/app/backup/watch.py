"""What every page says about backups when they are too old; kept in memory, since every page asks."""

from __future__ import annotations

import asyncio

import structlog
from sqlalchemy.orm import Session

from watchkeeper.app.backup import status
from watchkeeper.app.backup.model import GRACE, BackupStatus
from watchkeeper.app.backup.settings import BackupSettings
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Unavailable
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import Banner

_log = structlog.get_logger("watchkeeper.backup")
_EVERY_SECONDS = 30.0
PAGE = "/settings/backups"


class BackupWatch:
    """A BannerSource. Quiet where no target is set: then somebody else may make backups."""

    def __init__(self, db: Database, clock: Clock, settings: BackupSettings) -> None:
        self._db = db
        self._clock = clock
        self._settings = settings
        self._since = clock.now()
        self._known: BackupStatus | None = None

    async def keep_fresh(self) -> None:
        """Look every 30 s, until cancelled."""
        while True:
            try:
                await self._db.ask(self.refresh)
            except Unavailable as refusal:
                _log.warning("the state of backups is not known", reason=refusal.detail)
            await asyncio.sleep(_EVERY_SECONDS)

    def refresh(self, session: Session) -> None:
        """Look now."""
        self._known = status.backup_status(session, self._settings)

    def banners(self, actor: Actor) -> list[Banner]:  # noqa: ARG002 (everybody has to know)
        known, now = self._known, self._clock.now()
        if known is None or not known.target_configured:
            return []
        if known.last_failed_at is not None:
            return [Banner("danger", f"The last backup failed: {known.last_failure}.", PAGE)]
        if known.last_good_at is None:
            # The first one is made as soon as a target is set.
            late = now - self._since > GRACE
            return [Banner("danger", "There is no backup yet.", PAGE)] if late else []
        if known.is_too_old(now):
            hours = int((now - known.last_good_at).total_seconds() // 3600)
            return [Banner("danger", f"The last good backup is {hours} h old.", PAGE)]
        if known.last_drill_ok is False:
            return [Banner("warning", "The last restore drill failed.", PAGE)]
        return []
