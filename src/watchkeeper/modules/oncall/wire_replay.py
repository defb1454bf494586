"""Our JSON of a replayed policy."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from watchkeeper.kernel.web.wire import StrictModel
from watchkeeper.modules.oncall.paging.model import LAST_RESORT, LATE
from watchkeeper.modules.oncall.paging.replay import Fired, Outcome, Stopped
from watchkeeper.modules.oncall.paging.replaying import Compared, Replay, Tally
from watchkeeper.modules.oncall.policy import Policy
from watchkeeper.modules.oncall.wire import PersonView
from watchkeeper.modules.oncall.words import Instant

Names = Mapping[str, str]


class ReplayOrder(StrictModel):
    """A policy, saved or not, and the stretch of time whose alerts it is tried on."""

    policy: Policy
    since: Instant | None = Field(default=None, description="Unset: 30 days before `until`.")
    until: Instant | None = Field(default=None, description="Unset: now. At most 92 days after `since`.")
    every: bool = Field(
        default=False, description="Try it on every alert group, not only on those that would go by it."
    )


class CalledView(BaseModel):
    """Somebody whom a step would have called. `reached`: they have a verified contact."""

    id: str
    name: str
    why: str
    reached: bool


class FiredView(BaseModel):
    """A step that would have called."""

    at: datetime
    kind: Literal["step", "unresolved", "last_resort"]
    step: int = Field(description="Its number in its way, from 1.")
    round: int = Field(description="Of the repetitions, from 1.")
    people: list[CalledView]
    channels: list[str]

    @classmethod
    def of(cls, one: Fired, names: Names) -> FiredView:
        turn = one.call.turn
        return cls(
            at=one.at,
            kind="unresolved" if turn.round == LATE else "last_resort" if turn.round == LAST_RESORT else "step",
            step=turn.number + 1,
            round=max(turn.round, 0) + 1,
            people=[
                CalledView(id=who, name=names[who], why=one.call.reasons.get(who, ""), reached=who in one.reached)
                for who in one.call.people
            ],
            channels=list(one.call.channels),
        )


class StoppedView(BaseModel):
    """What ended the calls, for a while or for good, and who did it."""

    at: datetime
    because: str
    by: PersonView | None

    @classmethod
    def of(cls, one: Stopped, names: Names) -> StoppedView:
        return cls(at=one.at, because=one.because, by=PersonView.of(one.by, names))


class SentView(BaseModel):
    """A page that was really sent."""

    at: datetime
    person: PersonView


class GroupReplayView(BaseModel):
    """What would have come of one alert group, beside the record of what did."""

    id: str
    title: str
    service: str | None
    severity: str
    opened_at: datetime
    outcome: Outcome = Field(
        description="`resolved`: it ended before anybody had it. `unanswered`: it goes on and nobody has it. "
        "`nobody`: nobody would have been paged."
    )
    calls: list[FiredView]
    stops: list[StoppedView]
    answered: StoppedView | None
    answered_by_somebody_else: bool = Field(
        description="Whoever acknowledged it would not have been called by then: it might have been answered later."
    )
    all_called_at: datetime | None = Field(description="When every step had been called and nobody had it.")
    quiet: str | None = Field(description="What kept calls back, of whatever did so last.")
    sent: list[SentView]

    @classmethod
    def of(cls, one: Compared, names: Names) -> GroupReplayView:
        replayed, recorded = one.replayed, one.replayed.recorded
        answer = replayed.answer
        return cls(
            id=recorded.id,
            title=recorded.title,
            service=recorded.service,
            severity=replayed.severity,
            opened_at=recorded.opened_at,
            outcome=replayed.outcome,
            calls=[FiredView.of(each, names) for each in replayed.fired],
            stops=[StoppedView.of(each, names) for each in replayed.stops],
            answered=StoppedView.of(answer, names) if answer is not None else None,
            answered_by_somebody_else=replayed.answered_by_somebody_else,
            all_called_at=replayed.exhausted_at,
            quiet=replayed.quiet,
            sent=[
                SentView(at=page.called_at, person=PersonView(id=page.person_id, name=names[page.person_id]))
                for page in one.sent
                if page.person_id is not None
            ],
        )


class TallyView(BaseModel):
    """Pages of one person as they would have been, and as they were sent."""

    person: PersonView
    pages: int
    at_night: int = Field(description="Between 22:00 and 07:00 in `time_zone`.")
    sent: int
    sent_at_night: int
    time_zone: str = Field(description="Of the first schedule that has them; UTC without.")

    @classmethod
    def of(cls, one: Tally, names: Names) -> TallyView:
        return cls(
            person=PersonView(id=one.person, name=names[one.person]),
            pages=one.pages,
            at_night=one.at_night,
            sent=one.sent,
            sent_at_night=one.sent_at_night,
            time_zone=one.time_zone,
        )


class ReplayView(BaseModel):
    """Who would have been paged when, had this policy been in force."""

    policy: str
    since: datetime
    until: datetime
    pages: int
    sent: int
    outcomes: dict[str, int] = Field(description="How many groups came to what.")
    elsewhere: int = Field(description="How many other groups opened that go by another policy.")
    left_out: bool = Field(description="Whether more than 1,000 groups opened: the newest were looked at.")
    people: list[TallyView]
    groups: list[GroupReplayView] = Field(description="The newest first.")

    @classmethod
    def of(cls, one: Replay, names: Names) -> ReplayView:
        return cls(
            policy=one.policy.name,
            since=one.since,
            until=one.until,
            pages=sum(tally.pages for tally in one.people),
            sent=sum(tally.sent for tally in one.people),
            outcomes=dict(one.outcomes()),
            elsewhere=one.elsewhere,
            left_out=one.left_out,
            people=[TallyView.of(tally, names) for tally in one.people],
            groups=[GroupReplayView.of(group, names) for group in one.groups],
        )


def ids_in(one: Replay) -> set[str]:
    """Everybody whom a replay names."""
    found = {tally.person for tally in one.people}
    for group in one.groups:
        replayed = group.replayed
        found |= {who for fired in replayed.fired for who in fired.call.people}
        found |= {stop.by for stop in (*replayed.stops, replayed.answer) if stop is not None and stop.by is not None}
    return found
