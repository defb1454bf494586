"""What a run of an escalation policy and a page are, and what follows for a run. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from watchkeeper.modules.oncall.policy import Policy
from watchkeeper.modules.oncall.words import Severity

Until = Literal["acknowledged", "resolved"]
# Of pages that no step of a policy ordered.
ADDED, LATE, LAST_RESORT = -1, -2, -3


class RunState(StrEnum):
    """`calling`: steps are due. `paused`: somebody has it, or it is kept quiet. `over`: resolved."""

    CALLING = "calling"
    PAUSED = "paused"
    OVER = "over"


@dataclass(frozen=True, kw_only=True)
class Run:
    """How far the calls for a group have come. Work of an older `generation` does nothing any more."""

    group_id: str
    generation: int
    state: RunState
    policy: str | None
    severity: Severity
    opened_at: datetime
    updated_at: datetime
    # Of the last step that was called.
    round: int = 0
    number: int = 0
    # When the next step is due; None when all were called.
    next_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Page:
    """One person, or one channel, called about one group, by one step."""

    id: str
    group_id: str
    generation: int
    round: int
    number: int
    until: Until
    person_id: str | None
    channel: str | None
    why: str
    called_at: datetime
    messages: int = 0
    ended_at: datetime | None = None
    ended_because: str = ""
    # Every way to the person failed.
    missed_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.ended_at is None


@dataclass(frozen=True)
class Watch:
    """What the last audit of paging found, when, and when the outside was told last that all is well."""

    findings: tuple[str, ...]
    looked_at: datetime
    heartbeat_at: datetime | None
    # Why the last word to the outside was not taken.
    heartbeat_failure: str = ""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A synthetic page: when it came through each stage, or why it did not."""

    id: str
    begun_at: datetime
    accepted_at: datetime | None = None
    called_at: datetime | None = None
    leased_at: datetime | None = None
    sent_at: datetime | None = None
    failure: str = ""

    @property
    def stages(self) -> tuple[tuple[str, timedelta], ...]:
        """How long each took, of one that came through."""
        names = ("accept", "call", "lease", "send")
        instants = (self.begun_at, self.accepted_at, self.called_at, self.leased_at, self.sent_at)
        known = [one for one in instants if one is not None]
        return tuple(
            (name, max(later - sooner, timedelta()))
            for name, sooner, later in zip(names, known, known[1:], strict=False)
        )

    @property
    def stays_at(self) -> str:
        """Where it stays, while it has not come through."""
        if self.accepted_at is None:
            return "the intake has not taken it"
        if self.called_at is None:
            return "the lane that pages has not called"
        return "the lane of messages has not sent it"


@dataclass(frozen=True)
class Turn:
    """A step of a round, both from 0."""

    round: int = 0
    number: int = 0


@dataclass(frozen=True)
class Call:
    """Whom one step calls, and why each."""

    turn: Turn
    until: Until
    people: Sequence[str]
    channels: Sequence[str]
    reasons: Mapping[str, str]


def following(policy: Policy, severity: Severity, turn: Turn) -> Turn | None:
    """The step after this one; None after the last of the last round. A policy that became shorter goes on with the
    next round."""
    if turn.number + 1 < len(policy.steps_for(severity)):
        return Turn(turn.round, turn.number + 1)
    return Turn(turn.round + 1, 0) if turn.round < policy.repeat else None


def calls_anew(policy: Policy | None, before: Severity, now: Severity) -> bool:
    """Whether a severity that changed has steps of its own, which then begin."""
    return policy is not None and before != now and policy.steps_for(before) != policy.steps_for(now)
