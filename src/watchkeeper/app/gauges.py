"""How the database, due work and the journal do, on `/metrics`: looked at every few seconds, whoever asks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Unavailable
from watchkeeper.kernel.journal.listeners import Listener, parked, undelivered
from watchkeeper.kernel.telemetry import metrics
from watchkeeper.kernel.telemetry.metrics import GaugeValues
from watchkeeper.kernel.work import store as work

_EVERY_SECONDS = 10.0
_log = structlog.get_logger("watchkeeper.telemetry")


@dataclass(frozen=True)
class Seen:
    """What a look at the database found."""

    head: int = 0
    due: Mapping[str, int] = field(default_factory=dict)
    overdue: timedelta = timedelta()
    failed: int = 0
    parked: Mapping[str, int] = field(default_factory=dict)
    undelivered: Mapping[str, int] = field(default_factory=dict)


class OwnState:
    """What the gauges tell, kept in memory: while the database is away, the last that was seen, and that it is away."""

    def __init__(self, db: Database, listeners: tuple[Listener, ...]) -> None:
        self.db = db
        self._listeners = listeners
        self.seen = Seen()
        self.reachable = True

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Tell the gauges while the block lasts."""
        told = self._register()
        looking = asyncio.create_task(self._keep_looking())
        try:
            yield
        finally:
            looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await looking
            for forget in told:
                forget()

    async def look(self) -> None:
        """Look now."""
        try:
            self.seen = await self.db.ask(self._read)
            self.reachable = True
        except Unavailable as refusal:
            self.reachable = False
            _log.warning("the database can't be looked at", reason=refusal.detail)

    async def _keep_looking(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(_EVERY_SECONDS)

    def _read(self, session: Session) -> Seen:
        due, overdue = work.overdue(session, now=self.db.database_now(session))
        return Seen(
            head=journal.head(session),
            due=due,
            overdue=overdue,
            failed=work.counts(session).get("failed", 0),
            parked=parked(session),
            undelivered=undelivered(session, self._listeners),
        )

    def _register(self) -> list[Callable[[], None]]:
        return [
            metrics.gauge_callback(name, description, lambda read=read: read(self))  # type: ignore[misc]
            for name, description, read in _GAUGES
        ]


def _by(label: str, found: Mapping[str, int]) -> Iterable[tuple[Mapping[str, str], float]]:
    """A number for each; 0 of nothing where there is none: a series that is missing looks like a broken scrape."""
    return [({label: name}, float(number)) for name, number in sorted(found.items())] or [({label: "none"}, 0.0)]


_GAUGES: tuple[tuple[str, str, Callable[[OwnState], GaugeValues]], ...] = (
    (
        "watchkeeper.db.connections_used",
        "Connections in use, by pool.",
        lambda own: _by("pool", {name: used for name, (used, _) in own.db.pools().items()}),
    ),
    (
        "watchkeeper.db.connections_max",
        "Most connections, by pool.",
        lambda own: _by("pool", {name: most for name, (_, most) in own.db.pools().items()}),
    ),
    ("watchkeeper.db.writes_waiting", "Changes that wait for SQLite's writer.", lambda own: own.db.waiting()),
    ("watchkeeper.db.reachable", "1 while the database answers.", lambda own: int(own.reachable)),
    ("watchkeeper.work.due", "Due rows that nobody has taken, by kind.", lambda own: _by("kind", own.seen.due)),
    (
        "watchkeeper.work.overdue_seconds",
        "How long the oldest of them is due.",
        lambda own: own.seen.overdue.total_seconds(),
    ),
    ("watchkeeper.work.failed", "Rows that were given up on.", lambda own: own.seen.failed),
    ("watchkeeper.journal.head", "Number of the newest fact.", lambda own: own.seen.head),
    (
        "watchkeeper.journal.parked",
        "Facts that a listener could not take, by listener.",
        lambda own: _by("listener", own.seen.parked),
    ),
    (
        "watchkeeper.journal.undelivered",
        "Facts that a listener has yet to look at, by listener.",
        lambda own: _by("listener", own.seen.undelivered),
    ),
)
