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

    async def of(self, user: str) -> Mapping[str, Any]:
        """What the record says of a user; empty for one that is not known."""
        now = self._clock.monotonic()
        held = self._held.get(user)
        if held is not None and held[0] > now:
            return held[1]
        at = self._clock.now()
        try:
            found = await self._db.ask(lambda session: subjects.attributes_of(session, user, at))
        except Unavailable:
            return held[1] if held is not None else {}
        if len(self._held) >= _MOST:
            self._held.clear()
        self._held[user] = (now + KEPT_SECONDS, found or {})
        return found or {}
