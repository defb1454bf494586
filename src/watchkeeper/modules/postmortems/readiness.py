"""The scorecard's line about promises: was what a bad incident taught done in time?"""

from __future__ import annotations

from dataclasses import dataclass

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.modules.catalog.public import Finding, Outcome, Service
from watchkeeper.modules.postmortems.public import overdue_actions

_TITLE = "Keeps what its postmortems promised"
_HREF = "/postmortems/actions?show=overdue"


@dataclass(frozen=True)
class KeepsPromises:
    """Whether an action item of a SEV-1 or SEV-2 incident of the service is overdue."""

    db: Database
    clock: Clock
    key: str = "postmortems.actions"

    async def check(self, service: Service) -> Finding:
        now = self.clock.now()
        late = await self.db.ask(lambda session: overdue_actions(session, service.name, now))
        if not late:
            return Finding(self.key, _TITLE, Outcome.OK, "No action item of a SEV-1 or SEV-2 is overdue.", "", _HREF)
        first, more = late[0], f", and {len(late) - 1} more" if len(late) > 1 else ""
        said = f"Overdue since {first.due_on}: {first.title}{more}."
        return Finding(self.key, _TITLE, Outcome.MISSING, said, "Do it, give it another day, or drop it.", _HREF)
