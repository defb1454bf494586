"""What pages, API and command line ask: who is on call now, until when, who is next, and who would be called."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from watchkeeper.modules.oncall import store
from watchkeeper.modules.oncall.definition import Schedule
from watchkeeper.modules.oncall.escalation import Called, Planned, plan, policy_for
from watchkeeper.modules.oncall.model import Roster, Span, current_and_next, spans
from watchkeeper.modules.oncall.policy import Policy, targets_of
from watchkeeper.modules.oncall.service import staff_of
from watchkeeper.modules.oncall.words import Severity

# Long enough to find the next hand-over of rotations of some weeks.
LOOK_AHEAD = timedelta(days=70)
PREVIEW = timedelta(days=14)
LONGEST_PREVIEW = timedelta(days=100)


@dataclass(frozen=True)
class OnCallNow:
    """One schedule at an instant. `until` is None when nothing changes for as long as was looked ahead."""

    schedule: Schedule
    span: Span
    until: datetime | None
    next: Span | None


def now(session: Session, at: datetime, *, service: str | None = None, schedule: str | None = None) -> list[OnCallNow]:
    """Every schedule at an instant by name; only those that a service's policy calls, or only one."""
    rosters = store.rosters(session, since=at, until=at + LOOK_AHEAD, only=schedule)
    if service is not None:
        found = policy_of(session, service=service)
        called = {target.schedule for _, target in targets_of(found)} if found is not None else set()
        rosters = {name: roster for name, roster in rosters.items() if name in called}
    return [now_of(roster, at) for roster in rosters.values()]


def now_of(roster: Roster, at: datetime) -> OnCallNow:
    """One schedule at an instant."""
    current, following = current_and_next(roster, at, within=LOOK_AHEAD)
    until = None if following is None and current.until >= at + LOOK_AHEAD else current.until
    return OnCallNow(roster.schedule, current, until, following)


def preview(session: Session, name: str, since: datetime, until: datetime) -> list[Span]:
    """The spans of a schedule; nothing for one that is not there."""
    found = store.rosters(session, since=since, until=until, only=name).get(name)
    return spans(found, since, until) if found is not None else []


def policy_of(session: Session, *, named: str | None = None, service: str | None = None) -> Policy | None:
    """The policy that an alert of this service goes by; `named` is one that the alert's source names."""
    policies = [one.content for one in store.all_of(session, Policy)]
    return policy_for(policies, named=named, service=service)


def plan_of(session: Session, policy: Policy | None, severity: Severity, at: datetime) -> list[Planned]:
    """Who would be called if an alert came at this instant and nobody did anything."""
    longest = policy.longest if policy is not None else timedelta(0)
    rosters = store.rosters(session, since=at, until=at + longest + timedelta(days=8))
    return plan(policy, Called(severity, at), rosters, staff_of(session), at)
