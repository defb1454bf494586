"""Work that comes due when time alone changes something: rows, not sleeping tasks."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import rfc3339
from watchkeeper.kernel.work import store as work
from watchkeeper.modules.alerts.model import GroupState

TIME = "alerts.time"
LANE = "alerts"


def enqueue(session: Session, what: str, about: str, at: datetime) -> None:
    """Have `what` (`group`, `quiet`, `heartbeat`) looked at when `at` has come. Harmless when repeated."""
    said = rfc3339(at)
    payload = {"what": what, "about": about, "at": said}
    work.enqueue(session, kind=TIME, key=f"{TIME}:{what}:{about}:{said}", due_at=at, payload=payload)


def enqueue_for_group(session: Session, before: GroupState | None, after: GroupState, flap_window: timedelta) -> None:
    """Every instant at which a group may change by itself, if it is new."""
    if not after.is_open:
        return
    for name in ("acknowledged_until", "snoozed_until"):
        at = getattr(after, name)
        if at is not None and (before is None or getattr(before, name) != at):
            enqueue(session, "group", after.id, at)
    if after.auto_resolve is not None and (before is None or not before.is_open):
        enqueue(session, "group", after.id, after.last_event_at + after.auto_resolve)
    if after.flapping and (before is None or not before.flapping):
        enqueue(session, "group", after.id, calm_at(after, flap_window))


def calm_at(group: GroupState, window: timedelta) -> datetime:
    """When a flapping group has been calm for long enough."""
    return (group.changes[-1] if group.changes else group.opened_at) + window
