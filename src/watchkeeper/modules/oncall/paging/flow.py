"""What follows for the calls for one alert group. Pure: the engine acts on it, and a replay says it of the past."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from watchkeeper.modules.oncall.escalation import Staff, reached
from watchkeeper.modules.oncall.model import Roster
from watchkeeper.modules.oncall.paging.model import (
    ADDED,
    LAST_RESORT,
    LATE,
    Call,
    Run,
    RunState,
    Turn,
    calls_anew,
    following,
)
from watchkeeper.modules.oncall.policy import Policy
from watchkeeper.modules.oncall.words import Severity, span_of

# Of a run whose every step was called.
PAST_ALL = 10**6
# Whether what kept it back is over; and how long somebody who was called by hand is waited for without a policy.
LOOK_AGAIN = timedelta(minutes=5)


class Move(StrEnum):
    """What a look at a group means for its run."""

    BEGIN = "begin"
    PAUSE = "pause"
    END = "end"
    NOTHING = "nothing"


def why_quiet(*, acknowledged: bool, suppressed: str | None, snoozed: bool) -> str | None:
    """Why nobody is to be called for an open group now; None when somebody is."""
    if acknowledged:
        return "somebody has it"
    if suppressed is not None:
        return f"kept quiet by {suppressed}"
    return "snoozed" if snoozed else None


def move(
    run: Run | None, *, is_open: bool, quiet: str | None, severity: Severity, policy: Callable[[], Policy | None]
) -> Move:
    """What has to become of a run, as its group is now."""
    if not is_open:
        return Move.END if run is not None and run.state is not RunState.OVER else Move.NOTHING
    calling = run is not None and run.state is RunState.CALLING
    if quiet is not None:
        return Move.PAUSE if calling else Move.NOTHING
    if run is None or not calling or calls_anew(policy(), run.severity, severity):
        return Move.BEGIN
    return Move.NOTHING


def begun(
    before: Run | None, group_id: str, *, policy: Policy | None, severity: Severity, opened_at: datetime, at: datetime
) -> Run:
    """The run that begins. What comes back after it was resolved is late by the time since then."""
    if before is not None:
        opened_at = at if before.state is RunState.OVER else before.opened_at
    return Run(
        group_id=group_id,
        generation=before.generation + 1 if before is not None else 1,
        state=RunState.CALLING,
        policy=policy.name if policy is not None else None,
        severity=severity,
        opened_at=opened_at,
        updated_at=at,
        next_at=at,
    )


def not_begun(group_id: str, *, severity: Severity, opened_at: datetime, at: datetime) -> Run:
    """The run of a group that was kept quiet since it opened: nobody was called yet."""
    return Run(
        group_id=group_id,
        generation=1,
        state=RunState.PAUSED,
        policy=None,
        severity=severity,
        opened_at=opened_at,
        updated_at=at,
    )


def stopped(run: Run, state: RunState, at: datetime) -> Run:
    """Paused or over: what was ordered for it does nothing any more."""
    return replace(run, generation=run.generation + 1, state=state, next_at=None, updated_at=at)


def handed(run: Run, at: datetime) -> Run:
    """Somebody was called by hand, in the place of whoever was called before."""
    return replace(run, generation=run.generation + 1, state=RunState.CALLING, round=ADDED, number=0, updated_at=at)


def is_due(run: Run, generation: int, turn: Turn) -> bool:
    """Whether a step that was ordered is still to be called: nothing went on from the one before it meanwhile."""
    current = run.generation == generation and run.state is RunState.CALLING
    return current and (turn.round, turn.number) > (run.round, run.number)


def first_turn(policy: Policy | None, severity: Severity, *, escalated: bool) -> Turn:
    """The step with which calls begin: the second one when whoever comes first was called already."""
    return Turn(0, 1) if escalated and policy is not None and len(policy.steps_for(severity)) > 1 else Turn()


@dataclass(frozen=True)
class Attempt:
    """A step that is called; if it reaches somebody, the next turn is due at `due_at`."""

    call: Call
    due_at: datetime
    then: Turn


def attempts(
    policy: Policy, severity: Severity, turn: Turn | None, rosters: Mapping[str, Roster], staff: Staff, at: datetime
) -> Iterator[Attempt]:
    """The steps from a turn on, as they are tried at one instant: the first that reaches somebody is waited for.

    They end after a round in which nobody was reached, or after all rounds: going on would change nothing.
    """
    steps = policy.steps_for(severity)
    for _ in steps:
        if turn is None or turn.round > policy.repeat:
            return
        after = following(policy, severity, turn)
        if turn.number < len(steps):
            step = steps[turn.number]
            people, channels, reasons = reached(step.notify, rosters, staff, at)
            call = Call(turn, "acknowledged", people, channels, reasons)
            yield Attempt(call, at + span_of(step.wait), after or Turn(policy.repeat + 1))
        turn = after


def last_resort(staff: Staff, people: tuple[str, ...], why: str) -> Iterator[Call]:
    """Who is called when no step is left: these people, and where they can't be reached, everybody who may respond."""
    turn = Turn(LAST_RESORT, 0)
    yield Call(turn, "acknowledged", people, (), dict.fromkeys(people, why))
    rest = tuple(one for one in staff.everyone() if one not in people)
    if rest:
        yield Call(turn, "acknowledged", rest, (), dict.fromkeys(rest, "nobody else can be reached"))


def late_dues(policy: Policy, run: Run) -> list[tuple[int, datetime]]:
    """The numbers of those who are called when it is not resolved, each with the instant."""
    late = policy.unresolved_for(run.severity)
    return [(number, run.opened_at + span_of(one.after)) for number, one in enumerate(late)]


def late_calls(
    policy: Policy | None,
    severity: Severity,
    number: int,
    rosters: Mapping[str, Roster],
    staff: Staff,
    at: datetime,
) -> Iterator[Call]:
    """Who is called because it is not resolved, and where they can't be reached, the last resort."""
    late = policy.unresolved_for(severity) if policy is not None else ()
    if number >= len(late):
        return
    people, channels, _ = reached(late[number].notify, rosters, staff, at)
    why = f"it is not resolved after {late[number].after}"
    turn = Turn(LATE, number)
    yield Call(turn, "resolved", people, channels, dict.fromkeys(people, why))
    resort = staff.last_resort()
    yield Call(turn, "resolved", resort, (), dict.fromkeys(resort, why))


def acknowledgement_ends(
    policy: Policy | None, acknowledged_at: datetime, acknowledged_until: datetime | None
) -> datetime | None:
    """When the policy takes an acknowledgement back; None where whoever has it said how long, or it is for good."""
    if policy is None or policy.acknowledged_for is None or acknowledged_until is not None:
        return None
    return acknowledged_at + span_of(policy.acknowledged_for)
