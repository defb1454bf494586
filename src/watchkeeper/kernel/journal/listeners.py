"""Listeners: what higher modules do when something happened below. At least once, in order, one replica at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.db.upsert import insert_for
from watchkeeper.kernel.errors import Unavailable
from watchkeeper.kernel.journal.model import Fact
from watchkeeper.kernel.journal.store import FactFilter, head, read_facts
from watchkeeper.kernel.journal.tables import journal_parked, journal_receipts

MOST_ATTEMPTS = 8
_FIRST_PAUSE = timedelta(seconds=1)
_LONGEST_PAUSE = timedelta(minutes=2)
_PAGE = 200
_log = structlog.get_logger("watchkeeper.journal")


@dataclass(frozen=True)
class Listener:
    """Hears the facts of `kinds` (a kind ending in a dot is a prefix). `handle` is harmless the second time."""

    name: str
    kinds: tuple[str, ...]
    handle: Callable[[Session, Fact], None]


def parked(session: Session) -> dict[str, int]:
    """How many facts each listener could not take."""
    counted = select(journal_parked.c.listener, func.count()).group_by(journal_parked.c.listener)
    rows = session.execute(counted).all()
    return dict(rows)


def undelivered(session: Session, listeners: Sequence[Listener]) -> dict[str, int]:
    """How many facts each listener has yet to look at."""
    newest = head(session)
    seen = {row.listener: row.seq for row in session.execute(select(journal_receipts))}
    return {one.name: newest - int(seen.get(one.name, 0)) for one in listeners}


class Dispatcher:
    """Brings facts to listeners, each fact in a transaction of its own together with the listener's receipt.

    A listener that fails is tried again with growing pauses, which keeps its order; after 8 attempts the fact is parked
    with the name of the error and the listener goes on: one bad fact must not silence the rest.
    """

    def __init__(self, db: Database, clock: Clock, listeners: Sequence[Listener]) -> None:
        self._db = db
        self._clock = clock
        self._listeners = listeners

    def run_once(self) -> int:
        """Deliver all that is due; answers how many facts were handled."""
        return sum(self._serve(listener) for listener in self._listeners)

    def _serve(self, listener: Listener) -> int:
        handled = 0
        with self._db.read() as session:
            seen = session.execute(
                select(journal_receipts.c.seq).where(journal_receipts.c.listener == listener.name)
            ).scalar()
            if seen is not None and seen >= head(session):
                return 0
        while self._deliver_next(listener):
            handled += 1
        return handled

    def _deliver_next(self, listener: Listener) -> bool:
        fact: Fact | None = None
        try:
            with self._db.begin() as session:
                receipt = self._lock_receipt(session, listener)
                if receipt is None:
                    return False
                fact = self._next(session, listener, receipt)
                if fact is None:
                    return False
                listener.handle(session, fact)
                self._advance(session, listener, fact.seq)
        except Unavailable:
            raise
        except Exception as error:
            # An edge: whatever a listener raises, the fact comes back, and is set aside in the end.
            if fact is None:
                raise
            self._failed(listener, fact, error)
            return False
        return True

    def _lock_receipt(self, session: Session, listener: Listener) -> int | None:
        """The last seq this listener is done with; None while it pauses or another replica serves it."""
        wanted = select(journal_receipts).where(journal_receipts.c.listener == listener.name)
        row = session.execute(wanted.with_for_update(skip_locked=True)).one_or_none()
        if row is None:
            first = insert_for(session, journal_receipts).values(listener=listener.name, seq=0, attempts=0)
            # None: the row is there, and another replica holds it.
            return session.execute(first.on_conflict_do_nothing().returning(journal_receipts.c.seq)).scalar()
        if row.retry_at is not None and row.retry_at > self._clock.now():
            return None
        return int(row.seq)

    def _next(self, session: Session, listener: Listener, done: int) -> Fact | None:
        # Before the facts are read: one that is committed after that, and before this, would never be delivered.
        until = head(session)
        found = read_facts(session, FactFilter(kinds=listener.kinds, after_seq=done), limit=1, newest_first=False)
        if not found:
            # Nothing for this listener up to here: remember it, so that the next look starts at the end.
            self._advance(session, listener, until)
            return None
        return found[0]

    def _advance(self, session: Session, listener: Listener, seq: int) -> None:
        session.execute(
            update(journal_receipts)
            .where(journal_receipts.c.listener == listener.name)
            .values(seq=seq, attempts=0, retry_at=None)
        )

    def _failed(self, listener: Listener, fact: Fact, error: Exception) -> None:
        name = type(error).__name__
        _log.warning("listener failed", listener=listener.name, seq=fact.seq, kind=fact.kind, error=name)
        now = self._clock.now()
        mine = journal_receipts.c.listener == listener.name
        with self._db.begin() as session:
            row = session.execute(select(journal_receipts).where(mine).with_for_update()).one_or_none()
            if row is None:
                session.execute(
                    insert(journal_receipts).values(
                        listener=listener.name, seq=fact.seq - 1, attempts=1, retry_at=now + _FIRST_PAUSE
                    )
                )
            elif row.attempts + 1 >= MOST_ATTEMPTS:
                self._park(session, listener, fact, name, now)
            else:
                pause = min(_FIRST_PAUSE * 2**row.attempts, _LONGEST_PAUSE)
                session.execute(
                    update(journal_receipts).where(mine).values(attempts=row.attempts + 1, retry_at=now + pause)
                )

    def _park(self, session: Session, listener: Listener, fact: Fact, error: str, now: datetime) -> None:
        session.execute(insert(journal_parked).values(listener=listener.name, seq=fact.seq, error=error, parked_at=now))
        self._advance(session, listener, fact.seq)
