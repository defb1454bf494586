"""JSON shapes of incidents."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, Field

from watchkeeper.kernel.web.wire import StrictModel
from watchkeeper.modules.incidents.clocks import ClockKind, ClockState, IncidentClock
from watchkeeper.modules.incidents.model import (
    Entry,
    EntryKind,
    Incident,
    Link,
    LinkKind,
    Responder,
    Role,
    Severity,
    Status,
    Update,
)
from watchkeeper.modules.oncall.public import Page

Id = Annotated[str, Field(min_length=1, max_length=80)]
Title = Annotated[str, Field(min_length=1, max_length=200)]
Long = Annotated[str, Field(max_length=20_000)]
Reason = Annotated[str, Field(max_length=2_000)]
Services = Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=50)]
Users = Annotated[int, Field(ge=0, le=10**12)]


class ClockView(BaseModel):
    """Until when something has to be done, and how that goes."""

    kind: ClockKind
    state: ClockState
    target: str = Field(description="What is promised, such as `5m` or `the same working day`.")
    starts_at: datetime
    due_at: datetime
    ended_at: datetime | None
    warns_at: list[datetime] = Field(description="When it warns: after 50 and 80 percent of its time.")

    @classmethod
    def of(cls, one: IncidentClock, now: datetime) -> ClockView:
        warns = [mark.at for mark in one.marks if mark.share < 100]
        values = {name: getattr(one, name) for name in ("kind", "target", "starts_at", "due_at", "ended_at")}
        return cls(**values, state=one.state(now), warns_at=warns)


class IncidentView(BaseModel):
    """An incident."""

    id: str
    name: str = Field(description="Unique, and the name of its channel in Slack.")
    version: int = Field(description="Grows with each change.")
    title: str
    severity: Severity
    status: Status
    services: list[str]
    environment: str | None
    started_at: datetime = Field(description="The first symptom.")
    detected_at: datetime = Field(description="When an alert or a person noticed it.")
    opened_at: datetime
    opened_by: str
    acknowledged_at: datetime | None
    responded_at: datetime | None
    identified_at: datetime | None
    monitoring_at: datetime | None
    resolved_at: datetime | None
    resolved_reason: str
    summary: str
    impact: str
    users_affected: int | None
    roles: dict[Role, str] = Field(description="Ids of people; one for each role.")
    merged_into: str | None
    reopened: int
    drill: bool
    settled_at: datetime | None = Field(description="Since when none of its alerts is open; it is not over by that.")
    clocks: list[ClockView]
    href: str

    @classmethod
    def of(cls, one: Incident, clocks: tuple[IncidentClock, ...], now: datetime) -> IncidentView:
        return cls(**values_of(one), clocks=[ClockView.of(clock, now) for clock in clocks])


def values_of(one: Incident) -> dict[str, Any]:
    """The fields of a view, but for its clocks."""
    left_out = ("roles", "services", "clocks", "href")
    values = {name: getattr(one, name) for name in IncidentView.model_fields if name not in left_out}
    roles = {Role(role): who for role, who in one.roles.items()}
    return {**values, "services": list(one.services), "roles": roles, "href": f"/incidents/{one.id}"}


class EntryView(BaseModel):
    """A line of the record."""

    id: str
    kind: EntryKind
    text: str
    at: datetime
    by: str
    pinned: bool
    url: str | None
    file_name: str | None
    media_type: str | None
    size: int | None

    @classmethod
    def of(cls, one: Entry) -> EntryView:
        return cls(**{name: getattr(one, name) for name in cls.model_fields})


class UpdateView(BaseModel):
    """What was told about it."""

    id: str
    text: str
    status: Status
    severity: Severity
    public: bool
    at: datetime
    by: str

    @classmethod
    def of(cls, one: Update) -> UpdateView:
        return cls(**{name: getattr(one, name) for name in cls.model_fields})


class LinkView(BaseModel):
    """Something that it has to do with."""

    id: str
    kind: LinkKind
    target: str
    label: str
    at: datetime
    by: str

    @classmethod
    def of(cls, one: Link) -> LinkView:
        return cls(**{name: getattr(one, name) for name in cls.model_fields})


class ResponderView(BaseModel):
    """Somebody who worked on it."""

    person_id: str
    joined_at: datetime
    how: str

    @classmethod
    def of(cls, one: Responder) -> ResponderView:
        return cls(person_id=one.person_id, joined_at=one.joined_at, how=one.how)


class PageView(BaseModel):
    """Somebody, or a channel, who was called for one of its alerts."""

    at: datetime
    alert_group: str
    person: str | None = Field(description="Id of the person; null for a channel.")
    channel: str | None
    why: str
    messages: int = Field(description="How many messages that were; 0: there was no way to them.")
    ended_at: datetime | None = Field(description="Since when nobody has to answer it.")
    ended_because: str
    missed_at: datetime | None = Field(description="When every way to the person had failed.")

    @classmethod
    def of(cls, one: Page) -> PageView:
        return cls(
            at=one.called_at,
            alert_group=one.group_id,
            person=one.person_id,
            channel=one.channel,
            why=one.why,
            messages=one.messages,
            ended_at=one.ended_at,
            ended_because=one.ended_because,
            missed_at=one.missed_at,
        )


class IncidentDetailView(IncidentView):
    """An incident with its record."""

    entries: list[EntryView]
    updates: list[UpdateView]
    links: list[LinkView]
    responders: list[ResponderView]
    pages: list[PageView] = Field(description="Who was called for its alerts, in the order of the calls.")


class OpenOrder(StrictModel):
    """Declare one. What is not said comes from the alert groups."""

    title: Title
    severity: Severity | None = Field(None, description="Unset: by the worst alert group, or SEV-3 without one.")
    services: Services = Field(default_factory=list)
    environment: Annotated[str, Field(max_length=200)] | None = None
    alert_groups: Annotated[list[Id], Field(max_length=50)] = Field(
        default_factory=list, description="If one of them has an open incident, that is answered."
    )
    summary: Long = ""
    impact: Long = ""
    users_affected: Users | None = None
    started_at: AwareDatetime | None = Field(None, description="The first symptom. Unset: that of its alerts, or now.")


class DescribeOrder(StrictModel):
    """What is not said stays."""

    title: Title | None = None
    services: Services | None = None
    environment: Annotated[str, Field(max_length=200)] | None = None
    summary: Long | None = None
    impact: Long | None = None
    users_affected: Users | None = None

    def changes(self) -> dict[str, Any]:
        """Only what is said; null for what may be nothing."""
        may_be_none = ("environment", "users_affected")
        said = {name: getattr(self, name) for name in self.model_fields_set}
        return {name: value for name, value in said.items() if value is not None or name in may_be_none}


class SeverityOrder(StrictModel):
    """How bad it is."""

    severity: Severity
    reason: Annotated[str, Field(max_length=500)] = ""


class StatusOrder(StrictModel):
    """How far it is."""

    status: Status
    reason: Reason = Field("", description="Needed to resolve it while critical alerts are open.")


class RoleOrder(StrictModel):
    """Give a role to somebody."""

    person: Id | None = Field(description="The id of a person; `me`; null: nobody has it any more.")
    hand_over: bool = Field(False, description="Take it from whoever has it.")


class UpdateOrder(StrictModel):
    """Tell how it is."""

    text: Annotated[str, Field(min_length=1, max_length=20_000)]
    public: bool = Field(False, description="Also for the status page.")
    status: Status | None = Field(None, description="How far it is from now on.")
    key: Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        None, description="A text of yours: an update with the same key is published once."
    )
    reason: Reason = ""


class NoteOrder(StrictModel):
    """Write a line."""

    text: Annotated[str, Field(min_length=1, max_length=20_000)]
    kind: Literal["note", "decision"] = "note"
    pinned: bool = False


class PinOrder(StrictModel):
    """Have it at the top, or not."""

    pinned: bool


class LinkOrder(StrictModel):
    """Tie something to it."""

    kind: LinkKind
    target: Annotated[str, Field(min_length=1, max_length=700)]
    label: Annotated[str, Field(max_length=300)] = ""


class MergeOrder(StrictModel):
    """Have it go on in another one."""

    into: Id


class SplitOrder(StrictModel):
    """Have a part of it go on as an incident of its own."""

    title: Title
    links: Annotated[list[Id], Field(max_length=200)] = Field(default_factory=list, description="Ids of links that go.")
    severity: Severity | None = None
    services: Services = Field(default_factory=list)


class ReasonOrder(StrictModel):
    """Why."""

    reason: Reason = ""


class AcknowledgeOrder(StrictModel):
    """Take it."""

    alerts_too: bool = Field(True, description="Its open alert groups as well: nobody else is paged.")
