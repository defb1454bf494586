"""What a policy would have done about alert groups of the past. Pure, by the same flow that the engine follows.

What people and time did to a group stays as it was recorded; what a policy did (it took back an acknowledgement) is
said anew. Everybody who has a verified contact counts as reached: what providers missed is not repeated.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count, groupby
from typing import Literal

from watchkeeper.modules.alerts.public import Happened, Moment
from watchkeeper.modules.oncall.escalation import Staff
from watchkeeper.modules.oncall.model import Roster
from watchkeeper.modules.oncall.paging.flow import (
    LOOK_AGAIN,
    PAST_ALL,
    Move,
    acknowledgement_ends,
    attempts,
    begun,
    first_turn,
    handed,
    is_due,
    last_resort,
    late_calls,
    late_dues,
    move,
    not_begun,
    stopped,
    why_quiet,
)
from watchkeeper.modules.oncall.paging.model import Call, Run, RunState, Turn
from watchkeeper.modules.oncall.policy import Policy
from watchkeeper.modules.oncall.words import Severity, span_of

Past = Callable[[datetime], Mapping[str, Roster]]
Outcome = Literal["acknowledged", "resolved", "unanswered", "nobody"]


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """An alert group of the past, and what happened to it. `given`: when it was given to somebody by hand.

    `by_policy` is who takes back acknowledgements in the name of a policy: such moments are a policy's, no person's.
    """

    id: str
    title: str
    service: str | None
    opened_at: datetime
    moments: tuple[Moment, ...]
    given: tuple[datetime, ...] = ()
    by_policy: str = "system:oncall"
    # Whoever comes first was called already, by another group.
    escalated: bool = False


@dataclass(frozen=True)
class Fired:
    """A step that called: `reached` are those of its people to whom there is a way."""

    at: datetime
    call: Call
    reached: tuple[str, ...]


@dataclass(frozen=True)
class Stopped:
    """Something that ended the calls for a while or for good."""

    at: datetime
    because: str
    by: str | None = None


@dataclass(frozen=True)
class Replayed:
    """What would have come of one group. `is_open` and `is_answered` are as it is at the end of what is recorded."""

    recorded: Recorded
    severity: Severity
    fired: tuple[Fired, ...] = ()
    stops: tuple[Stopped, ...] = ()
    answer: Stopped | None = None
    exhausted_at: datetime | None = None
    quiet: str | None = None

    @property
    def pages(self) -> list[tuple[datetime, str]]:
        """When who would have been paged."""
        return [(one.at, who) for one in self.fired for who in one.reached]

    @property
    def outcome(self) -> Outcome:
        """`resolved`: nobody had it, and it ended by itself. `unanswered`: it goes on, and nobody has it."""
        if not self.pages:
            return "nobody"
        if self.answer is not None:
            return "acknowledged"
        ended = self.stops and self.stops[-1].because == RESOLVED
        return "resolved" if ended else "unanswered"

    @property
    def answered_by_somebody_else(self) -> bool:
        """Whether whoever acknowledged it would not have been called by then."""
        answer = self.answer
        return answer is not None and all(who != answer.by or at > answer.at for at, who in self.pages)


RESOLVED = "resolved"


def replay(policy: Policy, recorded: Iterable[Recorded], past: Past, staff: Staff, until: datetime) -> list[Replayed]:
    """What this policy would have done about each group, up to an instant."""
    return [_Replay(policy, one, past, staff).run(until) for one in recorded]


@dataclass
class _Replay:
    policy: Policy
    recorded: Recorded
    past: Past
    staff: Staff
    state: Run | None = None
    severity: Severity = "info"
    is_open: bool = False
    acknowledged_at: datetime | None = None
    acknowledged_until: datetime | None = None
    acknowledged_by: str | None = None
    snoozed_until: datetime | None = None
    suppressed: str | None = None
    fired: list[Fired] = field(default_factory=list)
    stops: list[Stopped] = field(default_factory=list)
    answer: Stopped | None = None
    exhausted_at: datetime | None = None
    quiet: str | None = None
    # (when, in which order, what)
    due: list[tuple[datetime, int, Callable[[datetime], None]]] = field(default_factory=list)
    watched: set[object] = field(default_factory=set)
    order: Iterator[int] = field(default_factory=count)

    def run(self, until: datetime) -> Replayed:
        for at, moments in _together(self.recorded):
            if at > until:
                break
            self._work_until(at)
            changed = [self._take(one) for one in moments if one is not None]
            if None in moments:
                self._hand_over(at)
            if any(changed):
                self._look(at)
        self._work_until(until)
        return Replayed(
            recorded=self.recorded,
            severity=self.severity,
            fired=tuple(self.fired),
            stops=tuple(self.stops),
            answer=self.answer,
            exhausted_at=self.exhausted_at,
            quiet=self.quiet,
        )

    def _work_until(self, at: datetime) -> None:
        while self.due and self.due[0][0] <= at:
            due_at, _, act = heapq.heappop(self.due)
            act(due_at)

    def _order(self, at: datetime, act: Callable[[datetime], None]) -> None:
        heapq.heappush(self.due, (at, next(self.order), act))

    def _take(self, one: Moment) -> bool:
        """Have the group be as it was from this moment on; answers whether the calls depend on it."""
        self.severity = one.severity.value
        match one.what:
            case Happened.OPENED | Happened.REOPENED:
                self.is_open, self.suppressed = True, one.suppressed
                self._free()
            case Happened.SUPPRESSED | Happened.UNSUPPRESSED:
                self.suppressed = one.suppressed
            case Happened.ACKNOWLEDGED:
                self.acknowledged_at, self.acknowledged_until, self.acknowledged_by = one.at, one.until, one.by
                self.snoozed_until = None
            case Happened.UNACKNOWLEDGED if one.by == self.recorded.by_policy:
                return False
            case Happened.UNACKNOWLEDGED:
                self._free()
            case Happened.SNOOZED:
                self.snoozed_until = one.until
            case Happened.SNOOZE_ENDED:
                self.snoozed_until = None
                self._free()
            case Happened.WORSE if one.wakes:
                self.snoozed_until = None
                self._free()
            case Happened.RESOLVED:
                self.is_open, self.suppressed, self.snoozed_until, self.acknowledged_until = False, None, None, None
        return True

    def _free(self) -> None:
        self.acknowledged_at = self.acknowledged_until = self.acknowledged_by = None

    def _why_quiet(self, at: datetime) -> str | None:
        snoozed = self.snoozed_until is not None and self.snoozed_until > at
        return why_quiet(acknowledged=self.acknowledged_at is not None, suppressed=self.suppressed, snoozed=snoozed)

    def _look(self, at: datetime) -> None:
        quiet, run = self._why_quiet(at), self.state
        wanted = move(run, is_open=self.is_open, quiet=quiet, severity=self.severity, policy=lambda: self.policy)
        if wanted is Move.BEGIN:
            self._begin(at)
        elif wanted is Move.PAUSE and run is not None and quiet is not None:
            self.state = stopped(run, RunState.PAUSED, at)
            self.stops.append(Stopped(at, quiet, self.acknowledged_by))
        elif wanted is Move.END and run is not None:
            self.state = stopped(run, RunState.OVER, at)
            self.stops.append(Stopped(at, RESOLVED))
        if self.is_open:
            self.quiet = quiet or self.quiet
            self._watch_acknowledgement()

    def _watch_acknowledgement(self) -> None:
        at = self.acknowledged_at
        if at is None:
            return
        if self.answer is None and self.fired:
            self.answer = Stopped(at, "acknowledged", self.acknowledged_by)
        ends = acknowledgement_ends(self.policy, at, self.acknowledged_until)
        if ends is not None and self._once("acknowledged", at):
            self._order(ends, lambda due_at: self._acknowledgement_over(at, due_at))

    def _acknowledgement_over(self, acknowledged_at: datetime, at: datetime) -> None:
        if self.is_open and self.acknowledged_at == acknowledged_at:
            self._free()
            self._look(at)

    def _begin(self, at: datetime) -> None:
        opened_at = self.recorded.opened_at
        run = begun(
            self.state, self.recorded.id, policy=self.policy, severity=self.severity, opened_at=opened_at, at=at
        )
        self.state = run
        first = first_turn(self.policy, run.severity, escalated=self.recorded.escalated)
        self._call(run, first, at)
        for number, due_at in late_dues(self.policy, run):
            if self._once("late", run.opened_at, number):
                self._order_late(run.opened_at, number, max(due_at, at))

    def _call(self, run: Run, turn: Turn, at: datetime) -> None:
        for one in attempts(self.policy, run.severity, turn, self.past(at), self.staff, at):
            if self._place(one.call, at):
                called = one.call.turn
                self.state = replace(run, round=called.round, number=called.number, next_at=one.due_at, updated_at=at)
                self._order_step(run.generation, one.then, one.due_at)
                return
        self.exhausted_at = self.exhausted_at or at
        for call in last_resort(self.staff, self.staff.last_resort(), "every step was called"):
            if self._place(call, at):
                break
        self.state = replace(run, round=PAST_ALL, number=0, next_at=None, updated_at=at)

    def _order_step(self, generation: int, turn: Turn, due_at: datetime) -> None:
        self._order(due_at, lambda at: self._step(generation, turn, at))

    def _step(self, generation: int, turn: Turn, at: datetime) -> None:
        run = self.state
        if run is None or not is_due(run, generation, turn):
            return
        if not self.is_open or self._why_quiet(at) is not None:
            self._look(at)
            return
        self._call(run, turn, at)

    def _order_late(self, opened_at: datetime, number: int, due_at: datetime) -> None:
        self._order(due_at, lambda at: self._late(opened_at, number, at))

    def _late(self, opened_at: datetime, number: int, at: datetime) -> None:
        if self.state is None or not self.is_open or self.state.opened_at != opened_at:
            return
        if self.suppressed is not None:
            self._order_late(opened_at, number, at + LOOK_AGAIN)
            return
        for call in late_calls(self.policy, self.severity, number, self.past(at), self.staff, at):
            if self._place(call, at):
                break

    def _hand_over(self, at: datetime) -> None:
        """Given to somebody by hand: unless they take it in time, the policy begins anew."""
        if self.state is None:
            self._look(at)
        before = self.state or not_begun(
            self.recorded.id, severity=self.severity, opened_at=self.recorded.opened_at, at=at
        )
        run = handed(before, at)
        steps = self.policy.steps_for(run.severity)
        self.state = run
        self._order_step(run.generation, Turn(), at + (span_of(steps[0].wait) if steps else LOOK_AGAIN))

    def _place(self, call: Call, at: datetime) -> bool:
        reached = tuple(one for one in call.people if self.staff.people[one].reachable)
        if reached or call.channels:
            self.fired.append(Fired(at, call, reached))
        return bool(reached)

    def _once(self, *what: object) -> bool:
        if what in self.watched:
            return False
        self.watched.add(what)
        return True


def _together(recorded: Recorded) -> list[tuple[datetime, Sequence[Moment | None]]]:
    """What happened at each instant; None stands for giving it to somebody by hand."""
    found: list[tuple[datetime, Moment | None]] = [(one.at, one) for one in recorded.moments]
    found += [(at, None) for at in recorded.given]
    ordered = sorted(found, key=lambda one: one[0])
    return [(at, [one for _, one in together]) for at, together in groupby(ordered, key=lambda one: one[0])]
