"""What is known of the users that OFREP's clients ask for: thin clients send an id and leave the rest to the record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Unavailable
from watchkeeper.modules.subjects import public as subjects

KEPT_SECONDS = 10.0
_MOST = 20_000


class KnownSubjects:
    """Attributes of users, looked up at most each 10 s for each; without a database, nobody is known."""

    def __init__(self, db: Database, clock: Clock, *, wanted: bool) -> None:
        self._db, self._clock = db, clock
        self.wanted = wanted
        self._held: dict[str, tuple[float, Mapping[str, Any]]] = {}

    def held(self, user: str) -> Mapping[str, Any] | None:
        """What was looked up a moment ago; None where it is time to look."""
        found = self._held.get(user)
        return found[1] if found is not None and found[0] > self._clock.monotonic() else None

    async def look_up(self, user: str) -> Mapping[str, Any]:
        """What the record says of a user; empty for one that is not known."""
        at = self._clock.now()
        try:
            found = await self._db.ask(lambda session: subjects.attributes_of(session, user, at))
        except Unavailable:
            before = self._held.get(user)
            return before[1] if before is not None else {}
        if len(self._held) >= _MOST:
            self._held.clear()
        self._held[user] = (self._clock.monotonic() + KEPT_SECONDS, found or {})
        return found or {}
