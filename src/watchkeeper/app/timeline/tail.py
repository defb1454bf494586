"""One look at the journal for all streams of this process: new facts of any replica, in order, none left out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from watchkeeper.kernel import journal
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Unavailable
from watchkeeper.kernel.journal import Fact, FactFilter

_EVERY_SECONDS = 0.4
_PAGE = 500


class Tail:
    """Follows the head of the journal while anybody listens. PostgreSQL's NOTIFY would save the look, but not the
    second way that SQLite needs; one small query each 0.4 s serves both."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._head = 0
        self._moved = asyncio.Condition()
        self._listeners = 0
        self._task: asyncio.Task[None] | None = None

    async def head(self) -> int:
        """The newest seq."""
        return await self._db.ask(journal.head)

    async def follow(self, wanted: FactFilter, after: int) -> AsyncIterator[Fact]:
        """Facts after seq `after` that fit, for ever; each once and in order."""
        self._listeners += 1
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._watch())
        try:
            while True:
                facts = await self._read(wanted, after)
                for fact in facts:
                    after = fact.seq
                    yield fact
                if len(facts) < _PAGE:
                    after = max(after, await self._wait_beyond(after))
        finally:
            self._listeners -= 1

    async def _read(self, wanted: FactFilter, after: int) -> list[Fact]:
        query = FactFilter(
            services=wanted.services, kinds=wanted.kinds, actors=wanted.actors, since=wanted.since, after_seq=after
        )
        return await self._db.ask(lambda session: journal.read_facts(session, query, limit=_PAGE, newest_first=False))

    async def _wait_beyond(self, after: int) -> int:
        """Until something newer is there; answers `after`, since what is newer has still to be read."""
        async with self._moved:
            await self._moved.wait_for(lambda: self._head > after)
        return after

    async def _watch(self) -> None:
        while self._listeners:
            try:
                head = await self.head()
            except Unavailable:
                head = self._head  # the database is away; the next look may find it
            if head != self._head:
                self._head = head
                async with self._moved:
                    self._moved.notify_all()
            await asyncio.sleep(_EVERY_SECONDS)
