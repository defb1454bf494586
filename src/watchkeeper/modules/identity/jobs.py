"""What identity does by itself."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.work import Recurring, Task, Transactional
from watchkeeper.modules.identity.service import Identity
from watchkeeper.modules.identity.settings import IdentitySettings


def recurring_work(clock: Clock, settings: IdentitySettings) -> tuple[Recurring, ...]:
    """Hourly: forget sessions with their addresses, links and counts that have been over for a while."""

    def forget(session: Session, task: Task) -> None:  # noqa: ARG001 (the task says nothing that is needed)
        Identity(session, clock, settings).forget()

    return (Recurring("identity.forget", timedelta(hours=1), Transactional(forget)),)
