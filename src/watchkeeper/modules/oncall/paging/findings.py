"""What breaks a promise of paging, in a few words each: of work, of groups, of channels, of people, of time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from watchkeeper.kernel.work import store as work_store
from watchkeeper.modules.alerts import public as alerts
from watchkeeper.modules.alerts.public import Severity
from watchkeeper.modules.notify import public as notify
from watchkeeper.modules.oncall import store as definitions
from watchkeeper.modules.oncall.escalation import Staff, is_meant_to_rest, reached
from watchkeeper.modules.oncall.paging import store, store_probes
from watchkeeper.modules.oncall.paging.probing import seen_of
from watchkeeper.modules.oncall.policy import Policy
from watchkeeper.modules.oncall.service import staff_of

LATE = timedelta(seconds=60)
_NAMED = 20
_OURS = ("oncall.", "notify.", "alerts.")


def findings(session: Session, now: datetime, database_now: datetime, late: timedelta = LATE) -> tuple[str, ...]:
    """What breaks a promise of paging. Database time for work, whose leases go by it."""
    return tuple(_all(session, now, database_now, late))


def _all(session: Session, now: datetime, database_now: datetime, late: timedelta) -> Iterator[str]:
    overdue = work_store.overdue_kinds(session, before=database_now - late)
    for kind, number in sorted(overdue.items()):
        if kind.startswith(_OURS) or kind.startswith(tuple(f"recurring.{one}" for one in _OURS)):
            yield f"{number} {kind} are due and were not begun within {_words(late)}"
    apart = abs(database_now - now)
    if apart > LATE:
        yield f"the clock is {apart.total_seconds():.0f} s apart from the database's"
    yield from _uncalled(session, now, late)
    yield from _not_through(session, now, late)
    yield from (f"the channel {one.name} misses" for one in notify.channels(session) if one.is_degraded)
    yield from _nobody(session, now)
    if (why := alerts.muted(session, now)) is not None:
        yield why


def _uncalled(session: Session, now: datetime, late: timedelta) -> Iterator[str]:
    """Groups that page and for which nobody is being called."""
    waiting = alerts.waiting(session, before=now - late, now=now)
    called = store.called(session) if waiting else frozenset()
    uncalled = [one for one in waiting if one not in called]
    yield from (f"nobody is called for {one}" for one in uncalled[:_NAMED])
    if len(uncalled) > _NAMED:
        yield f"nobody is called for {len(uncalled) - _NAMED} more"


def _not_through(session: Session, now: datetime, late: timedelta) -> Iterator[str]:
    """The last synthetic page that came through, or should have."""
    for one in store_probes.latest(session, limit=2):
        if one.sent_at is not None:
            return
        if one.failure or now - one.begun_at > late:
            why = one.failure or seen_of(session, one).stays_at
            yield f"the synthetic page of {one.begun_at:%H:%M:%S} UTC did not come through: {why}"
            return


def _nobody(session: Session, now: datetime) -> Iterator[str]:
    """Policies in use by which a critical alert would reach nobody now; without any, whether anybody can be reached."""
    staff = staff_of(session)
    reach = notify.reach(session, list(staff.people))
    reachable = {one for one, found in reach.items() if found.verified}
    responders = staff.everyone()
    if responders and not reachable.intersection(responders):
        yield "nobody who may respond has a verified contact"
        return
    named = alerts.named_policies(session)
    policies = [one.content for one in definitions.all_of(session, Policy)]
    in_use = [one for one in policies if one.default or one.services or one.name in named]
    if not in_use:
        return
    rosters = definitions.rosters(session, since=now, until=now)
    channels = {one.name for one in notify.channels(session) if not one.is_degraded}
    for policy in in_use:
        targets = [one for step in policy.steps_for(Severity.CRITICAL.value) for one in step.notify]
        people, told, _ = reached(targets, rosters, staff, now)
        if not people and is_meant_to_rest(targets, rosters, now):
            continue
        if not reachable.intersection(people) and not channels.intersection(told):
            yield f"the policy {policy.name} reaches nobody now: {_why(people, staff)}"


def _why(people: tuple[str, ...], staff: Staff) -> str:
    if not people:
        return "nobody is on call"
    return f"{', '.join(staff.people[one].name for one in people[:3])} has no verified contact"


class Pace:
    """Whether the clock goes: a wall clock that stands still makes all work due never, and every age nought."""

    def __init__(self) -> None:
        self._last: tuple[float, datetime] | None = None

    def look(self, monotonic: float, now: datetime) -> str | None:
        """What is wrong since the last look: it moved less than half as far as time went by, or back."""
        before, self._last = self._last, (monotonic, now)
        if before is None:
            return None
        elapsed, moved = monotonic - before[0], (now - before[1]).total_seconds()
        # Time servers correct by steps of a few seconds at most.
        if moved >= elapsed / 2 - 1:
            return None
        return f"the clock moved {moved:.0f} s in {elapsed:.0f} s"


def _words(length: timedelta) -> str:
    return "a minute" if length == LATE else f"{length.total_seconds():.0f} s"
