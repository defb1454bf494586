"""One look at the journal for all streams of this process: new facts of any replica, in order, none left out."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import structlog
from sqlalchemy.orm import Session

from watchkeeper.app.timeline.filters import fits
from watchkeeper.kernel import journal
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Unavailable
from watchkeeper.kernel.journal import Fact, FactFilter
from watchkeeper.modules.identity.public import names

EVERY_SECONDS = 0.4
REMEMBERED = 1_000
_PAGE = 200
_PATIENCE_SECONDS = 5.0
_log = structlog.get_logger("watchkeeper.timeline")


@dataclass(frozen=True)
class Told:
    """A fact and what to call who did it."""

    fact: Fact
    actor_name: str


def read_told(session: Session, wanted: FactFilter, *, limit: int, newest_first: bool) -> list[Told]:
    """Facts with their actors' names."""
    facts = journal.read_facts(session, wanted, limit=limit, newest_first=newest_first)
    called = names(session, {fact.actor for fact in facts}) if facts else {}
    return [Told(fact, called[fact.actor]) for fact in facts]


class Tail:
    """Follows the journal's end while anybody listens, by one small query each 0.4 s for the whole process.

    Numbers have no gaps and follow commits, so nothing can appear behind a number that was read. The newest facts are
    remembered; who asks for older ones reads them from the database.
    """

    def __init__(self, db: Database, *, every: float = EVERY_SECONDS, remembered: int = REMEMBERED) -> None:
        self._db = db
        self._every = every
        self._newest: deque[Told] = deque(maxlen=remembered)
        self._head = 0
        self._moved = asyncio.Event()
        self._listeners = 0
        self._task: asyncio.Task[None] | None = None

    async def head(self) -> int:
        """The newest seq."""
        return await self._db.ask(journal.head)

    async def follow(self, wanted: FactFilter, after: int, *, seconds: float = math.inf) -> AsyncIterator[Told]:
        """Facts after seq `after` that fit, each once and in order, for so many seconds."""
        end = asyncio.get_running_loop().time() + seconds
        # A client may come from before a backup was restored: numbers are given out again from there.
        after = min(after, await self.head())
        self._listeners += 1
        try:
            while asyncio.get_running_loop().time() < end:
                self._keep_watching()
                moved = self._moved
                try:
                    page, after = await self._next(wanted, after)
                except Unavailable:
                    await asyncio.sleep(self._every)
                    continue
                for told in page:
                    yield told
                if not page and after >= self._head:
                    # Now and then without a sign, so that nobody waits for a look that died.
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(moved.wait(), _PATIENCE_SECONDS)
        finally:
            self._listeners -= 1

    async def _next(self, wanted: FactFilter, after: int) -> tuple[list[Told], int]:
        """What fits among the next facts, and how far that is."""
        if self._newest and self._newest[0].fact.seq <= after + 1:
            unseen = [told for told in self._newest if told.fact.seq > after]
            return [told for told in unseen if fits(told.fact, wanted)], max(after, self._newest[-1].fact.seq)
        return await self._db.ask(lambda session: _read_after(session, wanted, after))

    def _keep_watching(self) -> None:
        loop = asyncio.get_running_loop()
        if self._task is None or self._task.done() or self._task.get_loop() is not loop:
            self._moved = asyncio.Event()
            self._task = loop.create_task(self._watch())

    async def _watch(self) -> None:
        while self._listeners:
            try:
                await self._look()
            except Unavailable:
                # Whoever listens keeps listening; the next look may find the database again.
                _log.warning("the journal can't be read; looking again shortly")
            await asyncio.sleep(self._every)
        # Without a listener nobody fills the gap that follows.
        self._newest.clear()

    async def _look(self) -> None:
        """Take in what is new; all that is, however much."""
        page = await self._db.ask(self._read_new)
        while page:
            if self._newest and page[0].fact.seq != self._newest[-1].fact.seq + 1:
                self._newest.clear()
            self._newest.extend(page)
            self._head = page[-1].fact.seq
            self._moved.set()
            self._moved = asyncio.Event()
            page = await self._db.ask(self._read_new)

    def _read_new(self, session: Session) -> list[Told]:
        if not self._newest:
            head = journal.head(session)
            if head == self._head:
                return []
            # Nobody needs what was before from memory.
            return read_told(session, FactFilter(after_seq=max(0, head - 1)), limit=_PAGE, newest_first=False)
        after = self._newest[-1].fact.seq
        return read_told(session, FactFilter(after_seq=after), limit=_PAGE, newest_first=False)


def _read_after(session: Session, wanted: FactFilter, after: int) -> tuple[list[Told], int]:
    head = journal.head(session)
    page = read_told(session, replace(wanted, after_seq=after), limit=_PAGE, newest_first=False)
    full = len(page) == _PAGE
    return page, page[-1].fact.seq if full else max(after, head)
