"""Replays a draft policy over what is recorded: reads it, has the policy called about it, and compares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.journal import FactFilter, read_facts
from watchkeeper.modules.alerts import public as alerts
from watchkeeper.modules.alerts.public import GroupState
from watchkeeper.modules.oncall import checks, definition
from watchkeeper.modules.oncall import store as definitions
from watchkeeper.modules.oncall.checks import Known
from watchkeeper.modules.oncall.definition import Schedule
from watchkeeper.modules.oncall.errors import PolicyInvalid
from watchkeeper.modules.oncall.escalation import policy_for
from watchkeeper.modules.oncall.paging import store
from watchkeeper.modules.oncall.paging.calling import BY
from watchkeeper.modules.oncall.paging.errors import ReplayInvalid
from watchkeeper.modules.oncall.paging.events import Reassigned
from watchkeeper.modules.oncall.paging.measures import is_night
from watchkeeper.modules.oncall.paging.model import ADDED, Page
from watchkeeper.modules.oncall.paging.past import rosters_since
from watchkeeper.modules.oncall.paging.replay import Recorded, Replayed, replay
from watchkeeper.modules.oncall.policy import Policy
from watchkeeper.modules.oncall.service import staff_of

USUAL = timedelta(days=30)
LONGEST = timedelta(days=92)
MOST_GROUPS = 1_000
_AT_ONCE = 1_000
_FIRST = datetime(1970, 1, 31, tzinfo=UTC)


@dataclass(frozen=True)
class Compared:
    """What a policy would have done about a group, and the pages that were really sent about it."""

    replayed: Replayed
    sent: tuple[Page, ...]


@dataclass(frozen=True)
class Tally:
    """Pages of one person as they would have been and as they were; at night by the clocks of `time_zone`."""

    person: str
    pages: int
    at_night: int
    sent: int
    sent_at_night: int
    time_zone: str


@dataclass(frozen=True)
class Replay:
    """A replay of a stretch of time, groups newest first. `elsewhere`: how many groups go by another policy."""

    policy: Policy
    since: datetime
    until: datetime
    groups: tuple[Compared, ...]
    people: tuple[Tally, ...]
    elsewhere: int
    left_out: bool

    def outcomes(self) -> Counter[str]:
        """How many groups came to what."""
        return Counter(one.replayed.outcome for one in self.groups)


def stretch_of(since: datetime | None, until: datetime | None, clock: Clock) -> tuple[datetime, datetime]:
    """What is asked for; the last 30 days without. Raises ReplayInvalid."""
    now = clock.now()
    end = until or now
    start = since or max(end, _FIRST) - USUAL
    complaints = []
    if not _FIRST <= end <= now:
        complaints.append(Complaint("until", "now or earlier: what is to come can't be replayed"))
    if not timedelta(0) < end - start <= LONGEST:
        complaints.append(Complaint("since", f"an instant before `until`, at most {LONGEST.days} days earlier"))
    if complaints:
        raise ReplayInvalid("The stretch of time is not valid.", complaints=complaints)
    return start, end


def replay_policy(
    session: Session, draft: Policy, since: datetime, until: datetime, clock: Clock, *, every: bool = False
) -> Replay:
    """What a policy, saved or not, would have done about the alert groups that opened in a stretch of time.

    They are those that would go by it if it were saved in the place of any that is in its way; with `every`, all.
    Raises PolicyInvalid for one that could not be saved whatever the others say.
    """
    staff, rosters = staff_of(session), definitions.rosters(session)
    wrong = checks.wrong_with_policy(draft, Known(staff, rosters))
    if wrong:
        complaints = [one.complaint() for one in wrong]
        raise PolicyInvalid(f"The escalation policy {draft.name} is not valid.", complaints=complaints)
    found = alerts.opened_between(session, since, until, limit=MOST_GROUPS + 1)
    others = [one.content for one in definitions.all_of(session, Policy) if one.name != draft.name]
    mine = [one for one in found[:MOST_GROUPS] if every or _goes_by(draft, others, one)]
    recorded = _recorded(session, mine, since)
    past = rosters_since(session, since)
    replayed = replay(draft, recorded, past.at, staff, clock.now())
    sent = store.pages_of_all(session, [one.id for one in mine])
    groups = tuple(Compared(one, _sent(sent[one.recorded.id])) for one in replayed)
    return Replay(
        policy=draft,
        since=since,
        until=until,
        groups=groups,
        people=_tallies(groups, past.ever()),
        elsewhere=min(len(found), MOST_GROUPS) - len(mine),
        left_out=len(found) > MOST_GROUPS,
    )


def _goes_by(draft: Policy, others: list[Policy], group: GroupState) -> bool:
    # First: before any that says the same of a service, or is the default one.
    return policy_for([draft, *others], named=group.policy, service=group.service) is draft


def _recorded(session: Session, groups: list[GroupState], since: datetime) -> list[Recorded]:
    ids = [one.id for one in groups]
    moments, given = alerts.happened_to(session, ids, since=since), _given(session, ids, since)
    return [
        Recorded(
            id=one.id,
            title=one.title,
            service=one.service,
            opened_at=one.opened_at,
            moments=tuple(moments[one.id]),
            given=tuple(given[one.id]),
            by_policy=BY,
            escalated=alerts.escalated(session, one),
        )
        for one in groups
    ]


def _given(session: Session, ids: list[str], since: datetime) -> dict[str, list[datetime]]:
    found: dict[str, list[datetime]] = {one: [] for one in ids}
    after = 0
    while found:
        wanted = FactFilter(kinds=(Reassigned.kind,), since=since, after_seq=after)
        facts = read_facts(session, wanted, limit=_AT_ONCE, newest_first=False)
        for fact in facts:
            if fact.data["group"] in found:
                found[fact.data["group"]].append(fact.at)
        if len(facts) < _AT_ONCE:
            break
        after = facts[-1].seq
    return found


def _sent(pages: list[Page]) -> tuple[Page, ...]:
    """Those that a policy ordered and that went to a person by some way."""
    return tuple(one for one in pages if one.person_id is not None and one.messages and one.round != ADDED)


def _tallies(groups: Iterable[Compared], schedules: Iterable[Schedule]) -> tuple[Tally, ...]:
    """Whoever would have been paged most comes first."""
    zones = _zones(schedules)
    counted: dict[str, Counter[str]] = {}
    for group in groups:
        would = [("", at, who) for at, who in group.replayed.pages]
        for kind, at, who in [*would, *(("sent ", one.called_at, str(one.person_id)) for one in group.sent)]:
            tally = counted.setdefault(who, Counter())
            tally[f"{kind}pages"] += 1
            tally[f"{kind}at night"] += is_night(at, zones.get(who, UTC))
    found = [
        Tally(
            person=who,
            pages=one["pages"],
            at_night=one["at night"],
            sent=one["sent pages"],
            sent_at_night=one["sent at night"],
            time_zone=str(zones.get(who, "UTC")),
        )
        for who, one in counted.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.pages, -one.sent, one.person)))


def _zones(schedules: Iterable[Schedule]) -> dict[str, tzinfo]:
    """The zone of each person: that of the first schedule that has them."""
    zones: dict[str, tzinfo] = {}
    for schedule in schedules:
        for _, who in definition.people_of(schedule):
            zones.setdefault(who, ZoneInfo(schedule.time_zone))
    return zones
