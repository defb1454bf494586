"""What other modules may ask of on-call: who is it now, and what a team owns here."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy.orm import Session

from watchkeeper.modules.oncall import reading, store
from watchkeeper.modules.oncall.definition import Schedule
from watchkeeper.modules.oncall.escalation import Planned
from watchkeeper.modules.oncall.paging import store as paging
from watchkeeper.modules.oncall.paging.errors import SignatureRefused
from watchkeeper.modules.oncall.paging.model import Page
from watchkeeper.modules.oncall.paging.outside import Outside, outside
from watchkeeper.modules.oncall.paging.replies import Seen
from watchkeeper.modules.oncall.policy import Policy
from watchkeeper.modules.oncall.words import Severity

__all__ = [
    "Outside",
    "Page",
    "Planned",
    "Seen",
    "SignatureRefused",
    "on_call",
    "outside",
    "owned_by",
    "pages_about",
    "planned",
]


def planned(session: Session, at: datetime, *, service: str | None, severity: Severity) -> list[Planned]:
    """Who would be called, step by step, for an alert that came at an instant and that nobody acknowledged."""
    policy = reading.policy_of(session, service=service)
    return reading.plan_of(session, policy, severity, at)


def on_call(session: Session, at: datetime, *, service: str | None = None) -> dict[str, str | None]:
    """Who is on call by the name of the schedule, None in a gap; of a service, by the schedules its policy calls."""
    return {one.schedule.name: one.span.who for one in reading.now(session, at, service=service)}


def pages_about(session: Session, group_ids: Collection[str]) -> list[Page]:
    """Everybody who was called for these alert groups, in the order of the calls."""
    found = paging.pages_of_all(session, group_ids)
    return sorted((page for mine in found.values() for page in mine), key=lambda one: (one.called_at, one.id))


def owned_by(session: Session, team: str) -> list[str]:
    """Names of the schedules and policies of this team."""
    schedules = [one.name for one in store.all_of(session, Schedule) if one.content.team == team]
    policies = [one.name for one in store.all_of(session, Policy) if one.content.team == team]
    return [*(f"the schedule {name}" for name in schedules), *(f"the policy {name}" for name in policies)]
