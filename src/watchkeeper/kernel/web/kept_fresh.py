"""What every page shows and no request waits for: looked at again and again, and kept in memory between."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar

import structlog
from sqlalchemy.orm import Session

from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Unavailable

_log = structlog.get_logger("watchkeeper.web")


class KeptFresh(ABC):
    """Base of a source of banners or badges. What another replica changed is seen within `every_seconds`."""

    every_seconds: ClassVar[float] = 10.0
    # What is not known while the database is away, for the log.
    looks_at: ClassVar[str]

    def __init__(self, db: Database) -> None:
        self._db = db

    @abstractmethod
    def look(self, session: Session) -> object:
        """See how it is now, and keep that."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Looks at once and then regularly while the block lasts."""
        task = asyncio.create_task(self._keep_fresh())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _keep_fresh(self) -> None:
        while True:
            try:
                await self._db.ask(self.look)
            except Unavailable as refusal:
                _log.warning("not known", what=self.looks_at, reason=refusal.detail)
            await asyncio.sleep(self.every_seconds)
