"""What other modules may ask of on-call: who is it now, and what a team owns here."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from watchkeeper.modules.oncall import reading, store
from watchkeeper.modules.oncall.definition import Schedule
from watchkeeper.modules.oncall.paging.outside import Outside, outside
from watchkeeper.modules.oncall.policy import Policy

__all__ = ["Outside", "on_call", "outside", "owned_by"]


def on_call(session: Session, at: datetime, *, service: str | None = None) -> dict[str, str | None]:
    """Who is on call by the name of the schedule, None in a gap; of a service, by the schedules its policy calls."""
    return {one.schedule.name: one.span.who for one in reading.now(session, at, service=service)}


def owned_by(session: Session, team: str) -> list[str]:
    """Names of the schedules and policies of this team."""
    schedules = [one.name for one in store.all_of(session, Schedule) if one.content.team == team]
    policies = [one.name for one in store.all_of(session, Policy) if one.content.team == team]
    return [*(f"the schedule {name}" for name in schedules), *(f"the policy {name}" for name in policies)]
