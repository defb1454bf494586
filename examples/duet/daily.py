"""Each member's offers of the day, made in the morning of their region; counted when they are late."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from opentelemetry import metrics
from opentelemetry.instrumentation.utils import suppress_instrumentation

from examples.duet.days import GRACE_HOURS, Morning, Mornings
from examples.duet.people import Person
from examples.duet.storage import Store
from examples.duet.wishes import Wish

SCHEMA = """
CREATE TABLE IF NOT EXISTS daily (user_id TEXT PRIMARY KEY, region TEXT NOT NULL, day INTEGER NOT NULL,
                                  made_at REAL NOT NULL, wish TEXT NOT NULL, chosen TEXT NOT NULL,
                                  shown INTEGER NOT NULL) WITHOUT ROWID;
"""
_MADE = """
INSERT INTO daily VALUES (?, ?, ?, ?, ?, ?, 0) ON CONFLICT (user_id) DO UPDATE SET region = excluded.region,
  day = excluded.day, made_at = excluded.made_at, wish = excluded.wish, chosen = excluded.chosen, shown = 0
"""
_READY = "SELECT chosen FROM daily WHERE user_id = ? AND NOT shown AND wish = ? AND made_at > ?"
_IN_TIME = "SELECT count(*) FROM daily WHERE region = ? AND day = ? AND made_at <= ? AND chosen <> '[]'"
_A_BREATH = 0.02
_AT_A_TIME = 0.3  # seconds of choosing before others have their turn
_log = logging.getLogger("duet.daily")

Chosen = list[tuple[str, int]]
Row = tuple[str, str, int, float, str, str]


@dataclass
class _Batch:
    morning: Morning
    waiting: deque[Person]
    until: float


class DailyOffers:
    """Makes them with `choose`, from the hour that `from_hour` tells on."""

    def __init__(
        self,
        store: Store,
        people: Sequence[Person],
        choose: Callable[[sqlite3.Cursor, str, Wish], Chosen],
        wish_of: Callable[[str, float], Wish],
        from_hour: Callable[[], float],
        day_seconds: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._choose, self._wish_of, self._from_hour = choose, wish_of, from_hour
        self._day_seconds, self._now = day_seconds, now
        self._batches: deque[_Batch] = deque()
        self._members: dict[str, list[Person]] = defaultdict(list)
        for person in people:
            self._members[person.region].append(person)
        meter = metrics.get_meter("duet.matching")
        self._due = meter.create_counter("duet.daily_offers.due", "{member}", "Members whose morning has passed")
        self._in_time = meter.create_counter(
            "duet.daily_offers.in_time", "{member}", "Of them, those who had offers two hours after 09:00 at the latest"
        )

    async def keep_making(self) -> None:
        """Every morning, for ever."""
        begun = await self._store.read(_begun)
        mornings = Mornings(self._now(), self._day_seconds, begun)
        while True:
            try:
                with suppress_instrumentation():  # no request asked for it
                    await self._look(mornings, self._now())
            except sqlite3.Error:
                _log.exception("daily offers failed; trying again")
            await asyncio.sleep(_A_BREATH if self._batches else self._day_seconds / 600)

    async def _look(self, mornings: Mornings, now: float) -> None:
        for morning in mornings.late(now):
            await self._count(morning)
        for morning in mornings.to_make(now, self._from_hour()):
            until = max(morning.until, now + GRACE_HOURS / 24 * self._day_seconds)
            self._batches.append(_Batch(morning, deque(self._members[morning.region]), until))
        while self._batches and (not self._batches[0].waiting or self._batches[0].until < now):
            # Who has none by now gets offers by asking for them.
            self._batches.popleft()
        if self._batches:
            batch = self._batches[0]
            rows = await self._store.read(lambda cursor: self._made(cursor, batch))
            await self._store.write(lambda cursor: cursor.executemany(_MADE, rows))

    def _made(self, cursor: sqlite3.Cursor, batch: _Batch) -> list[Row]:
        """Offers of as many members as can be chosen for at a time, of one at least."""
        began, rows = self._now(), list[Row]()
        while batch.waiting and (not rows or self._now() - began < _AT_A_TIME):
            person = batch.waiting.popleft()
            wish = self._wish_of(person.user_id, self._now())
            chosen = self._choose(cursor, person.user_id, wish)
            place = (person.user_id, batch.morning.region, batch.morning.day)
            rows.append((*place, self._now(), _said(wish), json.dumps(chosen)))
        return rows

    async def _count(self, morning: Morning) -> None:
        members = len(self._members[morning.region])
        if not members:
            return
        asked = (morning.region, morning.day, morning.until)
        ready = int(await self._store.read(lambda cursor: cursor.execute(_IN_TIME, asked).fetchone()[0]))
        self._due.add(members, {"duet.region": morning.region})
        self._in_time.add(ready, {"duet.region": morning.region})
        level = logging.INFO if ready == members else logging.WARNING
        _log.log(
            level,
            "%s of %s members in %s have their offers of the day",
            *(ready, members, morning.region),
            extra={"region": morning.region, "members": members, "in_time": ready},
        )


def ready(cursor: sqlite3.Cursor, user_id: str, wish: Wish, since: float) -> Chosen:
    """What was chosen this morning for the same wish, unless it was shown already."""
    found = cursor.execute(_READY, (user_id, _said(wish), since)).fetchone()
    return [(other, shared) for other, shared in json.loads(found[0])] if found else []


def shown(cursor: sqlite3.Cursor, user_id: str) -> None:
    """Once is enough: who asks again gets others."""
    cursor.execute("UPDATE daily SET shown = 1 WHERE user_id = ?", (user_id,))


def _begun(cursor: sqlite3.Cursor) -> dict[str, int]:
    return dict(cursor.execute("SELECT region, max(day) FROM daily GROUP BY region").fetchall())


def _said(wish: Wish) -> str:
    return repr(replace(wish, again=0.0))
