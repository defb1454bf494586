"""What other modules may ask of recovery."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.modules.alerts.public import Alerting
from watchkeeper.modules.incidents.public import Incidenting
from watchkeeper.modules.recovery import store
from watchkeeper.modules.recovery.model import Attempt, AttemptState, Mode
from watchkeeper.modules.recovery.service import Recovery
from watchkeeper.modules.runbooks.public import Running

__all__ = ["Attempt", "AttemptState", "Mode", "Recovering", "Recovery", "attempts"]


@dataclass(frozen=True)
class Recovering:
    """The verbs for whoever has a session: a part of the server."""

    alerting: Alerting
    incidenting: Incidenting
    running: Running

    def on(self, session: Session, clock: Clock) -> Recovery:
        """All verbs, on this session."""
        return Recovery(session, clock, self.alerting, self.incidenting, self.running)


def attempts(session: Session, *, limit: int = 50) -> list[Attempt]:
    """Of every rule, the newest first."""
    return store.attempts_of(session, limit=limit)
