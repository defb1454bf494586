"""Where parts lie: replicas that share a folder are one place; parts of other places can't be read here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Unavailable
from watchkeeper.modules.telemetry import store
from watchkeeper.modules.telemetry.parts import PartFolder

# A replica that stored nothing for this long is gone, and nobody needs telling.
SEEN_WITHIN = timedelta(days=1)
_LOOK_EVERY_SECONDS = 10.0
_log = structlog.get_logger("watchkeeper.telemetry")


def adopt(session: Session, folder: PartFolder) -> int:
    """Take over listed parts whose files are here: of an earlier release, of a restored backup, of a moved folder.

    Answers how many. Parts whose files are elsewhere are left alone.
    """
    here = [
        part_id for part_id, path in store.of_other_places(session, folder.place_id) if (folder.root / path).exists()
    ]
    store.move(session, here, place=folder.place_id)
    return len(here)


@dataclass
class OtherPlaces:
    """How many other folders are written to by replicas; kept in memory, since every page asks."""

    db: Database
    clock: Clock
    folder: PartFolder
    count: int = 0
    _looked_at: float | None = field(default=None, repr=False)

    def look_now_and_then(self) -> None:
        """Look when the last look is 10 s ago. Never raises Unavailable: then the last answer stands."""
        moment = self.clock.monotonic()
        if self._looked_at is not None and moment - self._looked_at < _LOOK_EVERY_SECONDS:
            return
        self._looked_at = moment
        try:
            with self.db.read() as session:
                self.count = len(store.places(session, since=self.clock.now() - SEEN_WITHIN) - {self.folder.place_id})
        except Unavailable as refusal:
            _log.warning("other places are not known", reason=refusal.detail)
