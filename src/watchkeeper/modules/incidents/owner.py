"""What notifications ask of incidents: whether words about one are news still when they are about to be sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from watchkeeper.modules.incidents import store
from watchkeeper.modules.incidents.clocks import ClockKind
from watchkeeper.modules.incidents.reaching import ABOUT, step_of
from watchkeeper.modules.notify.public import Action, Notification


@dataclass(frozen=True)
class IncidentOwner:
    """An Owner of notifications about incidents. They are no pages: nobody else is told when one reaches nobody."""

    about_type: str = ABOUT

    def not_wanted(self, session: Session, notification: Notification) -> str | None:
        """What waited for the morning, or for a provider, while somebody came is no news."""
        one = store.find(session, notification.about_id)
        if one is None or not one.is_open:
            return "it is over"
        step = step_of(notification.call)
        if step.startswith(f"{ClockKind.RESPOND}:") and one.responded_at is not None:
            return "somebody responded"
        updated = one.last_update_at
        if step.startswith(f"{ClockKind.UPDATE}:") and updated is not None and updated >= notification.created_at:
            return "an update was posted"
        return None

    def actions(self, session: Session, notification: Notification) -> tuple[Action, ...]:  # noqa: ARG002
        """None but the link to it, which every message has."""
        return ()

    def delivered(self, session: Session, notification: Notification, at: datetime) -> None:
        """Nothing follows."""

    def not_reached(self, session: Session, notification: Notification, at: datetime) -> None:
        """Nothing follows: what nobody responds to pages at the end of its time."""
