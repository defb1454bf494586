"""What `app` needs to put backups into a server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from watchkeeper.app.backup import routes
from watchkeeper.app.backup.make import Maker
from watchkeeper.app.backup.schedule import backup_worker
from watchkeeper.app.backup.service import Backups
from watchkeeper.app.backup.settings import BackupSettings
from watchkeeper.app.backup.source import Where
from watchkeeper.app.backup.watch import BackupWatch
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.keys import InstallationKey


@dataclass(frozen=True)
class BackupParts:
    """The service that makes backups, and the watch that tells when they are too old."""

    backups: Backups
    watch: BackupWatch
    db: Database
    clock: Clock

    @classmethod
    def open(
        cls,
        db: Database,
        clock: Clock,
        settings: BackupSettings,
        where: Where,
        key: InstallationKey,
        *,
        key_in_database: bool,
    ) -> BackupParts:
        backups = Backups(db, clock, settings, Maker(where, clock, key, key_in_database))
        return cls(backups, BackupWatch(db, clock, settings), db, clock)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While the block lasts, backups are made when they are due and pages know how old they are."""
        worker = backup_worker(self.db, self.clock, self.backups)
        fresh = asyncio.create_task(self.watch.keep_fresh())
        if self.backups.settings.target is not None:
            worker.start()
        try:
            yield
        finally:
            fresh.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await fresh
            self.backups.stop()
            worker.stop()


ROUTERS = (routes.router, routes.pages)
NAV = routes.NAV
