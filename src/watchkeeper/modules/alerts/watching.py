"""Word up the ladder: whoever pages is told in the transaction that changed a group."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy.orm import Session

from watchkeeper.modules.alerts.model import GroupState


class GroupWatcher(Protocol):
    """Somebody who acts on groups. Told in the same transaction: what is promised to a sender is promised with it."""

    def changed(self, session: Session, group: GroupState, what: str, at: datetime) -> None:
        """`what`: opened, reopened, escalated_severity, suppressed, unsuppressed, acknowledged, unacknowledged,
        snoozed, snooze_ended or resolved. Must be quick and stay inside this machine: enqueue work instead.
        """
        ...


@dataclass(frozen=True)
class GroupWatchers:
    """The part that lists all of them."""

    watchers: tuple[GroupWatcher, ...] = ()

    def tell(self, session: Session, group: GroupState, what: str, at: datetime) -> None:
        """Tell each, in order."""
        for watcher in self.watchers:
            watcher.changed(session, group, what, at)
