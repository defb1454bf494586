"""JSON of schedules, policies, overrides, swaps and who is on call. People are ids, with their names beside."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from watchkeeper.kernel.web.wire import StrictModel
from watchkeeper.modules.oncall.definition import Schedule
from watchkeeper.modules.oncall.escalation import Planned
from watchkeeper.modules.oncall.model import Span
from watchkeeper.modules.oncall.policy import Policy
from watchkeeper.modules.oncall.reading import OnCallNow
from watchkeeper.modules.oncall.store import CalendarLink, KeptOverride, Stored, Swap
from watchkeeper.modules.oncall.words import Instant, Name, Reason, Who

Names = Mapping[str, str]


class PersonView(BaseModel):
    """A person by id, and what they are called."""

    id: str
    name: str

    @classmethod
    def of(cls, who: str | None, names: Names) -> PersonView | None:
        return None if who is None else cls(id=who, name=names.get(who, who))


class StoredView(BaseModel):
    """What is around a definition."""

    id: str
    version: int
    managed_by: str = Field(description="`ops` when files describe it.")
    differs_since: datetime | None = Field(description="Since when it differs from what the files said.")
    created_at: datetime
    updated_at: datetime
    people: list[PersonView] = Field(description="Everybody whom the definition names.")
    advice: list[str] = Field(description="What its author should know, as it is now.")


class ScheduleView(StoredView):
    """A schedule as it is kept."""

    definition: Schedule

    @classmethod
    def of(cls, stored: Stored[Schedule], people: list[str], names: Names, advice: list[str]) -> ScheduleView:
        return cls(definition=stored.content, **_around(stored, people, names, advice))


class PolicyView(StoredView):
    """An escalation policy as it is kept."""

    definition: Policy

    @classmethod
    def of(cls, stored: Stored[Policy], people: list[str], names: Names, advice: list[str]) -> PolicyView:
        return cls(definition=stored.content, **_around(stored, people, names, advice))


def _around(stored: Stored[Any], people: list[str], names: Names, advice: list[str]) -> dict[str, Any]:
    return {
        "id": stored.id,
        "version": stored.version,
        "managed_by": stored.managed_by,
        "differs_since": stored.differs_since,
        "created_at": stored.created_at,
        "updated_at": stored.updated_at,
        "people": [PersonView(id=one, name=names.get(one, one)) for one in people],
        "advice": advice,
    }


class ScheduleList(BaseModel):
    """Every schedule."""

    items: list[ScheduleView]


class PolicyList(BaseModel):
    """Every escalation policy."""

    items: list[PolicyView]


class CheckView(BaseModel):
    """What its author should know of something that could be saved."""

    advice: list[str]


class SpanView(BaseModel):
    """Who is on call from `since` to `until`, and why."""

    since: datetime
    until: datetime
    who: PersonView | None
    cover: str = Field(description="`one`, `declared_gap` or `gap`.")
    layer: str | None
    temporary: str | None
    override: str | None
    instead_of: PersonView | None
    also: list[PersonView] = Field(description="Others whom the schedule has then too: double cover.")

    @classmethod
    def of(cls, span: Span, names: Names) -> SpanView:
        duty = span.duty
        return cls(
            since=span.since,
            until=span.until,
            who=PersonView.of(duty.who, names),
            cover=duty.cover.value,
            layer=duty.layer,
            temporary=duty.temporary,
            override=duty.override,
            instead_of=PersonView.of(duty.instead_of, names),
            also=[PersonView(id=one, name=names.get(one, one)) for one in duty.also],
        )


class PreviewView(BaseModel):
    """The spans of a stretch of time, without holes or overlaps."""

    schedule: str
    time_zone: str
    items: list[SpanView]


class OnCallNowView(BaseModel):
    """One schedule now. `until` is null when nothing changes in the next ten weeks."""

    schedule: str
    title: str
    time_zone: str
    who: PersonView | None
    cover: str
    until: datetime | None
    why: SpanView
    next: SpanView | None

    @classmethod
    def of(cls, one: OnCallNow, names: Names) -> OnCallNowView:
        return cls(
            schedule=one.schedule.name,
            title=one.schedule.title or one.schedule.name,
            time_zone=one.schedule.time_zone,
            who=PersonView.of(one.span.who, names),
            cover=one.span.duty.cover.value,
            until=one.until,
            why=SpanView.of(one.span, names),
            next=SpanView.of(one.next, names) if one.next is not None else None,
        )


class NowView(BaseModel):
    """Who is on call; of a service, by the schedules that its policy calls."""

    at: datetime
    policy: str | None = Field(description="Of the service that was asked for.")
    items: list[OnCallNowView]


class PlannedView(BaseModel):
    """A step of an escalation, when it would be due and whom it would call."""

    due_at: datetime
    step: int
    round: int
    until: str = Field(description="What ends it: `acknowledged`, or nothing less than `resolved`.")
    people: list[PersonView]
    reasons: dict[str, str] = Field(description="Why each of them, by id.")
    channels: list[str]
    skipped: str | None
    last_resort: bool

    @classmethod
    def of(cls, one: Planned, names: Names) -> PlannedView:
        return cls(
            due_at=one.due_at,
            step=one.number + 1,
            round=one.round + 1,
            until=one.until,
            people=[PersonView(id=who, name=names.get(who, who)) for who in one.people],
            reasons=dict(one.reasons),
            channels=list(one.channels),
            skipped=one.skipped,
            last_resort=one.last_resort,
        )


class PlanView(BaseModel):
    """Who would be called if an alert came then and nobody did anything."""

    policy: str | None
    severity: str
    at: datetime
    items: list[PlannedView]


class OverrideOrder(StrictModel):
    """Somebody stands in."""

    who: Who | None = Field(default=None, description="E-mail address or id; unset: yourself.")
    instead_of: Who | None = Field(default=None, description="Only where this person would be on call.")
    since: Instant
    until: Instant
    reason: Reason = ""


class OverrideView(BaseModel):
    """An override that holds or will."""

    id: str
    schedule: str
    who: PersonView
    instead_of: PersonView | None
    since: datetime
    until: datetime
    reason: str
    swap: str | None
    created_at: datetime

    @classmethod
    def of(cls, one: KeptOverride, schedule: str, names: Names) -> OverrideView:
        return cls(
            id=one.id,
            schedule=schedule,
            who=PersonView(id=one.who, name=names.get(one.who, one.who)),
            instead_of=PersonView.of(one.instead_of, names),
            since=one.since,
            until=one.until,
            reason=one.reason,
            swap=one.swap_id,
            created_at=one.created_at,
        )


class OverrideList(BaseModel):
    """Overrides that are not over, in the order in which they were made."""

    items: list[OverrideView]


class StretchOrder(StrictModel):
    """From an instant to another."""

    since: Instant
    until: Instant


class SwapOrder(StrictModel):
    """Asks somebody to take a stretch of yours, and offers to take one of theirs."""

    other: Who = Field(description="Who is asked; e-mail address or id.")
    gives: StretchOrder
    takes: StretchOrder | None = Field(default=None, description="Unset: nothing in return.")
    reason: Reason = ""


class SwapView(BaseModel):
    """A question between two people, and what came of it."""

    id: str
    schedule: str
    state: str = Field(description="`asked`, `accepted`, `declined` or `withdrawn`.")
    asker: PersonView
    other: PersonView
    gives_since: datetime
    gives_until: datetime
    takes_since: datetime | None
    takes_until: datetime | None
    reason: str
    asked_at: datetime
    decided_at: datetime | None

    @classmethod
    def of(cls, one: Swap, schedule: str, names: Names) -> SwapView:
        said = {name: value for name, value in vars(one).items() if name not in ("schedule_id", "asker", "other")}
        asker = PersonView(id=one.asker, name=names.get(one.asker, one.asker))
        other = PersonView(id=one.other, name=names.get(one.other, one.other))
        return cls(schedule=schedule, asker=asker, other=other, **said)


class SwapList(BaseModel):
    """Swaps, the newest first."""

    items: list[SwapView]


class CalendarLinkOrder(StrictModel):
    """A link by which a calendar program reads schedules in your name."""

    name: Annotated[str, Field(min_length=1, max_length=100)] = Field(description="Where it is used: phone, laptop.")


class CalendarLinkView(BaseModel):
    """A link by which a calendar program reads schedules."""

    id: str
    name: str
    created_at: datetime

    @classmethod
    def of(cls, one: CalendarLink) -> CalendarLinkView:
        return cls(id=one.id, name=one.name, created_at=one.created_at)


class CalendarLinkMade(CalendarLinkView):
    """A new link with its secret, which is shown this once."""

    secret: str | None = Field(description="Goes into `?token=`; null when the answer is a repetition.")
    address: str | None = Field(description="Of everything that you are on call for, as a calendar.")


class CalendarLinkList(BaseModel):
    """Your links that work."""

    items: list[CalendarLinkView]


class CalendarImportOrder(StrictModel):
    """A calendar whose events say who is on call."""

    calendar: Annotated[str, Field(min_length=1, max_length=1_000_000)] = Field(description="The text of an .ics file.")
    since: Instant | None = Field(default=None, description="Unset: now.")
    until: Instant | None = Field(default=None, description="Unset: 90 days later.")
    as_temporary: Name | None = Field(
        default=None, description="Make one temporary schedule of this name of it instead of overrides."
    )
    dry_run: bool = Field(default=False, description="Only say what would be made.")


class ImportedShiftView(BaseModel):
    """An event of the calendar as a shift."""

    who: PersonView
    since: datetime
    until: datetime


class CalendarImportView(BaseModel):
    """What was made of a calendar, and what could not be."""

    made: int
    shifts: list[ImportedShiftView]
    not_read: list[str] = Field(description="Events that say nobody who is known, and why.")
