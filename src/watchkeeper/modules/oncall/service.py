"""The verbs of schedules and policies, each with its fact. None commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.journal import Event
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.notify import public as notify
from watchkeeper.modules.oncall import checks, policy, store
from watchkeeper.modules.oncall.checks import Known
from watchkeeper.modules.oncall.definition import Schedule
from watchkeeper.modules.oncall.errors import (
    ChangedMeanwhile,
    NameTaken,
    PolicyInvalid,
    PolicyNotFound,
    ScheduleInUse,
    ScheduleInvalid,
    ScheduleNotFound,
)
from watchkeeper.modules.oncall.escalation import Member, Staff
from watchkeeper.modules.oncall.events import (
    PolicyChanged,
    PolicyDefined,
    PolicyRemoved,
    ScheduleChanged,
    ScheduleDefined,
    ScheduleRemoved,
)
from watchkeeper.modules.oncall.model import Roster
from watchkeeper.modules.oncall.policy import Policy
from watchkeeper.modules.oncall.store import ContentT, ManagedBy, Stored


def staff_of(session: Session) -> Staff:
    """Everybody who may be called, and the teams. Whoever has a verified contact can be reached."""
    staff = identity.staff(session)
    reach = notify.reach(session, [one.id for one in staff])
    members = [
        Member(one.id, one.name, one.active, one.responds, one.admin, reachable=reach[one.id].verified > 0)
        for one in staff
    ]
    return Staff({one.id: one for one in members}, identity.team_members(session))


def known(session: Session, *, instead: Sequence[Schedule | Policy] = ()) -> Known:
    """What schedules and policies may name; `instead` are some that are about to be there."""
    rosters = store.rosters(session)
    stored = store.all_of(session, Policy)
    policies = {one.name: one.content for one in stored}
    of_files = frozenset(one.name for one in stored if one.managed_by == "ops")
    for one in instead:
        if isinstance(one, Schedule):
            before = rosters.get(one.name)
            rosters[one.name] = Roster(one, before.overrides if before is not None else ())
        else:
            policies[one.name] = one
    return Known(staff_of(session), rosters, tuple(policies.values()), of_files=of_files)


def advice(session: Session, content: Schedule | Policy, clock: Clock) -> list[str]:
    """What the author of a schedule or policy should know, saved or not."""
    found = known(session, instead=[content])
    if isinstance(content, Schedule):
        return checks.advice_on_schedule(found.rosters[content.name], found, clock.now())
    return checks.advice_on_policy(content, found, clock.now())


@dataclass(frozen=True)
class Definitions:
    """Schedules and policies, on one session."""

    session: Session
    clock: Clock

    def schedule(self, name: str, *, lock: bool = False) -> Stored[Schedule]:
        """Raises ScheduleNotFound."""
        found = store.by_name(self.session, Schedule, name, lock=lock)
        if found is None:
            raise ScheduleNotFound(f"There is no schedule {name[:63]!r}.")
        return found

    def policy(self, name: str, *, lock: bool = False) -> Stored[Policy]:
        """Raises PolicyNotFound."""
        found = store.by_name(self.session, Policy, name, lock=lock)
        if found is None:
            raise PolicyNotFound(f"There is no escalation policy {name[:63]!r}.")
        return found

    def put(
        self,
        content: ContentT,
        *,
        by: str,
        source: str,
        managed_by: ManagedBy = "console",
        only_new: bool = False,
        if_version: int | None = None,
        applied: Mapping[str, Any] | None = None,
        checked: bool = False,
    ) -> Stored[ContentT]:
        """Make a schedule or policy, or change one; the same again changes nothing. `checked`: the caller found it
        sound together with all that comes with it. Raises ScheduleInvalid or PolicyInvalid; NameTaken with `only_new`;
        ChangedMeanwhile when it is not of `if_version`."""
        before = store.by_name(self.session, type(content), content.name, lock=True)
        if before is not None and only_new:
            raise NameTaken(f"There is one of the name {content.name} already.")
        if if_version is not None and (before is None or before.version != if_version):
            raise ChangedMeanwhile(f"{content.name} is not as it was when you looked. Look again.")
        if not checked:
            require_sound(self.session, content)
        kept = self._kept(before, content, managed_by, applied, by)
        if before is None:
            if not store.add(self.session, kept):
                raise NameTaken(f"There is one of the name {content.name} already.")
        elif _same(before, kept):
            return before
        else:
            store.change(self.session, kept)
        if before is None or before.content != content:
            self._tell(_fact(before, kept), by=by, source=source)
        return kept

    def remove_schedule(self, name: str, *, by: str, source: str) -> None:
        """Delete a schedule with its overrides. Raises ScheduleNotFound, or ScheduleInUse with the policies that call
        it."""
        before = self.schedule(name, lock=True)
        users = [
            one.name
            for one in store.all_of(self.session, Policy)
            if any(target.schedule == name for _, target in policy.targets_of(one.content))
        ]
        if users:
            raise ScheduleInUse(f"{name} is called by {', '.join(users)}; change or remove that first.")
        store.remove(self.session, before.id)
        said = before.content.model_dump(mode="json")
        self._tell(ScheduleRemoved(schedule=name, before=said), by=by, source=source)

    def remove_policy(self, name: str, *, by: str, source: str) -> None:
        """Delete a policy; what it was for goes by the default one. Raises PolicyNotFound."""
        before = self.policy(name, lock=True)
        store.remove(self.session, before.id)
        said = before.content.model_dump(mode="json")
        self._tell(PolicyRemoved(policy=name, before=said), by=by, source=source)

    def _kept(
        self,
        before: Stored[ContentT] | None,
        content: ContentT,
        managed_by: ManagedBy,
        applied: Mapping[str, Any] | None,
        by: str,
    ) -> Stored[ContentT]:
        """What came from files stays theirs; what is changed elsewhere differs from them since then."""
        now = self.clock.now()
        of_files = managed_by == "ops" or (before is not None and before.managed_by == "ops")
        applied = applied if managed_by == "ops" else before.applied if before is not None else None
        differs = of_files and managed_by != "ops" and applied != content.model_dump(mode="json")
        return Stored(
            id=before.id if before else new_id("sch" if isinstance(content, Schedule) else "pol"),
            content=content,
            version=before.version + 1 if before else 1,
            managed_by="ops" if of_files else managed_by,
            created_at=before.created_at if before else now,
            updated_at=now,
            updated_by=by,
            applied=applied,
            differs_since=(before.differs_since if before and before.differs_since else now) if differs else None,
        )

    def _tell(self, event: Event, *, by: str, source: str) -> None:
        journal.append(self.session, event, by=by, source=source, at=self.clock.now())


def require_sound(session: Session, content: Schedule | Policy) -> None:
    """Raises ScheduleInvalid or PolicyInvalid with everything that is wrong."""
    found = known(session, instead=[content])
    if isinstance(content, Schedule):
        wrong = checks.wrong_with_schedule(content, found)
        if wrong:
            complaints = [one.complaint() for one in wrong]
            raise ScheduleInvalid(f"The schedule {content.name} is not valid.", complaints=complaints)
        return
    wrong = checks.wrong_with_policy(content, found)
    if wrong:
        complaints = [one.complaint() for one in wrong]
        raise PolicyInvalid(f"The escalation policy {content.name} is not valid.", complaints=complaints)


def _same(before: Stored[Any], kept: Stored[Any]) -> bool:
    return (before.content, before.managed_by, before.applied) == (kept.content, kept.managed_by, kept.applied)


def _fact(before: Stored[Any] | None, kept: Stored[Any]) -> Event:
    said = kept.content.model_dump(mode="json")
    of_schedule = isinstance(kept.content, Schedule)
    if before is None:
        if of_schedule:
            return ScheduleDefined(schedule=kept.name, after=said)
        return PolicyDefined(policy=kept.name, after=said)
    earlier = before.content.model_dump(mode="json")
    changed = [name for name in said if said[name] != earlier[name]]
    was, now = {name: earlier[name] for name in changed}, {name: said[name] for name in changed}
    if of_schedule:
        return ScheduleChanged(schedule=kept.name, before=was, after=now)
    return PolicyChanged(policy=kept.name, before=was, after=now)
