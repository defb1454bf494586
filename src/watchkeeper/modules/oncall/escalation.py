"""Who is called when for one alert: a policy, the schedules and an instant decide. Pure, and never nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from watchkeeper.modules.oncall.model import Cover, Roster, on_call
from watchkeeper.modules.oncall.policy import Policy, Target
from watchkeeper.modules.oncall.words import Severity, span_of

Until = Literal["acknowledged", "resolved"]


@dataclass(frozen=True)
class Member:
    """Somebody who may be called. `reachable` says whether there is a verified way to them."""

    id: str
    name: str
    active: bool = True
    responds: bool = True
    admin: bool = False
    reachable: bool = True


@dataclass(frozen=True)
class Staff:
    """Everybody there is, and who is in which team."""

    people: Mapping[str, Member] = field(default_factory=dict)
    teams: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def active(self, ids: Iterable[str]) -> tuple[str, ...]:
        """Those of them who can be called, each once, in their order."""
        known = [self.people[one] for one in dict.fromkeys(ids) if one in self.people]
        return tuple(one.id for one in known if one.active)

    def everyone(self) -> tuple[str, ...]:
        """Everybody who may respond, by name."""
        return tuple(one.id for one in self._by_name() if one.active and one.responds)

    def last_resort(self) -> tuple[str, ...]:
        """Whom a step without anybody falls back to in the end: the admins, else anybody at all."""
        admins = tuple(one.id for one in self._by_name() if one.active and one.admin)
        return admins or tuple(one.id for one in self._by_name() if one.active)

    def _by_name(self) -> list[Member]:
        return sorted(self.people.values(), key=lambda one: (one.name, one.id))


@dataclass(frozen=True)
class Called:
    """What somebody is called for, as far as a policy looks at it."""

    severity: Severity
    opened_at: datetime


@dataclass(frozen=True)
class Planned:
    """One step that is due. `skipped` says why it calls nobody; such a step is not waited for.

    `until` is what ends it before it is due: an acknowledgement, or nothing less than that it is resolved.
    """

    due_at: datetime
    number: int
    round: int
    until: Until
    people: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)
    skipped: str | None = None
    last_resort: bool = False


def plan(
    policy: Policy | None,
    called: Called,
    rosters: Mapping[str, Roster],
    staff: Staff,
    at: datetime,
) -> list[Planned]:
    """Every step from `at` on, in the order in which they are due, if nobody does anything.

    A step without people is skipped at once. Where no step has any, the admins are called at once, for good measure in
    every round; without a policy, everybody who may respond.
    """
    if policy is None:
        return [_without_policy(staff, at)]
    found = _rounds(policy, called, rosters, staff, at)
    if not any(one.people for one in found):
        found = [*found, _last_resort(staff, at, "no step has anybody who can be called")]
    late = [_late(one.notify, number, called, span_of(one.after), rosters, staff, at)
            for number, one in enumerate(policy.unresolved_for(called.severity))]  # fmt: skip
    return sorted([*found, *late], key=lambda one: one.due_at)


def _rounds(policy: Policy, called: Called, rosters: Mapping[str, Roster], staff: Staff, at: datetime) -> list[Planned]:
    found, due = [], at
    for turn in range(policy.repeat + 1):
        for number, step in enumerate(policy.steps_for(called.severity)):
            people, channels, reasons = reached(step.notify, rosters, staff, due)
            skipped = None if people or channels else "it has nobody who can be called"
            found.append(Planned(due, number, turn, "acknowledged", people, channels, reasons, skipped))
            # Channels answer nobody's call: only people are waited for.
            due = due + span_of(step.wait) if people else due
        if due == at:
            break
    return found


def reached(
    targets: Sequence[Target], rosters: Mapping[str, Roster], staff: Staff, at: datetime
) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, str]]:
    """(people, channels, why each person) that these targets are at an instant."""
    reasons: dict[str, str] = {}
    for one in targets:
        for who, why in _people(one, rosters, staff, at):
            reasons.setdefault(who, why)
    people = staff.active(reasons)
    channels = tuple(dict.fromkeys(one.channel for one in targets if one.channel is not None))
    return people, channels, {who: reasons[who] for who in people}


def is_meant_to_rest(targets: Sequence[Target], rosters: Mapping[str, Roster], at: datetime) -> bool:
    """Whether these targets are schedules that all declare that nobody is on call at an instant."""
    named = [one.schedule for one in targets if one.channel is None]
    covers = [on_call(rosters[one], at).cover for one in named if one is not None and one in rosters]
    return len(covers) == len(named) > 0 and all(one is Cover.DECLARED_GAP for one in covers)


def _people(target: Target, rosters: Mapping[str, Roster], staff: Staff, at: datetime) -> list[tuple[str, str]]:
    if target.person is not None:
        return [(target.person, "named by the policy")]
    if target.team is not None:
        return [(one, f"in the team {target.team}") for one in staff.teams.get(target.team, ())]
    if target.everyone:
        return [(one, "everybody is called") for one in staff.everyone()]
    roster = rosters.get(target.schedule) if target.schedule is not None else None
    duty = on_call(roster, at) if roster is not None else None
    if duty is None or duty.who is None:
        return []
    instead = " by an override" if duty.override is not None else ""
    return [(duty.who, f"on call for {target.schedule}{instead}")]


def _late(
    targets: Sequence[Target],
    number: int,
    called: Called,
    after: timedelta,
    rosters: Mapping[str, Roster],
    staff: Staff,
    at: datetime,
) -> Planned:
    due = max(at, called.opened_at + after)
    people, channels, reasons = reached(targets, rosters, staff, due)
    skipped = None if people or channels else "it has nobody who can be called"
    return Planned(due, number, 0, "resolved", people, channels, reasons, skipped)


def _last_resort(staff: Staff, at: datetime, why: str) -> Planned:
    people = staff.last_resort()
    return Planned(at, 0, 0, "acknowledged", people, (), dict.fromkeys(people, why), last_resort=True)


def _without_policy(staff: Staff, at: datetime) -> Planned:
    people = staff.everyone()
    if not people:
        return _last_resort(staff, at, "there is no policy, and nobody who may respond")
    return Planned(at, 0, 0, "acknowledged", people, (), dict.fromkeys(people, "there is no policy for it"), None, True)


def policy_for(policies: Iterable[Policy], *, named: str | None, service: str | None) -> Policy | None:
    """The policy that an alert goes by: the one it names, else its service's, else the default one."""
    known = list(policies)
    for one in known:
        if named is not None and one.name == named:
            return one
    for one in known:
        if service is not None and service in one.services:
            return one
    return next((one for one in known if one.default), None)
