"""What other modules may ask of postmortems."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from watchkeeper.modules.postmortems import store, store_actions
from watchkeeper.modules.postmortems.gathering import Suspects
from watchkeeper.modules.postmortems.model import ActionItem, ActionState, Cause, Postmortem, Priority, State
from watchkeeper.modules.postmortems.store_actions import ActionFilter

__all__ = [
    "ActionItem",
    "ActionState",
    "Cause",
    "Postmortem",
    "Priority",
    "State",
    "Suspects",
    "overdue_actions",
    "overdue_postmortems",
    "postmortem_of",
]
_COUNTS = ("SEV-1", "SEV-2")


def overdue_actions(session: Session, service: str | None, at: datetime) -> list[ActionItem]:
    """Action items of SEV-1 and SEV-2 incidents of a service (None: of any) whose day is over; drills are left out.

    What was promised after a bad incident and isn't there yet. The longest overdue comes first.
    """
    wanted = ActionFilter(service=service, severities=_COUNTS, due_before=at.date(), drills=False)
    return [one for one in store_actions.listed(session, wanted) if one.is_overdue(at)]


def overdue_postmortems(session: Session, at: datetime) -> list[Postmortem]:
    """Those that are still a draft after they were due, the longest overdue first."""
    return store.overdue(session, at)


def postmortem_of(session: Session, incident_id: str) -> Postmortem | None:
    """The postmortem of an incident; None where there is none (yet)."""
    return store.of_incident(session, incident_id)
