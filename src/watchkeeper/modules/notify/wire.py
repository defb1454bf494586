"""Our JSON of channels, contacts, rules and notifications. Secrets and addresses go in and never come out."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from watchkeeper.kernel.web.wire import StrictModel
from watchkeeper.kernel.zones import zone_named
from watchkeeper.modules.notify.model import (
    Attempt,
    Channel,
    ChannelKind,
    Contact,
    Kind,
    Notification,
    Outcome,
    Preferences,
    Rule,
    State,
    Urgency,
)

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
Value = Annotated[str, StringConstraints(max_length=2_000)]


def _zone(text: str) -> str:
    return zone_named(text).key


class ChannelBody(StrictModel):
    """A channel as it is to be. Secrets that are left out stay as they are."""

    kind: ChannelKind
    settings: dict[str, Value] = Field(default_factory=dict, max_length=10)
    secrets: dict[str, Value] = Field(default_factory=dict, max_length=10)


class ChannelView(BaseModel):
    """A channel, and how it does. Of its secrets only the names."""

    name: str
    kind: ChannelKind
    settings: dict[str, str]
    secrets_set: list[str]
    misses: int = Field(description="Messages in a row that it did not take.")
    degraded_since: datetime | None = Field(description="Since when it misses; null while it works.")
    last_sent_at: datetime | None
    last_answer: str
    version: int

    @classmethod
    def of(cls, one: Channel) -> ChannelView:
        return cls(
            name=one.name,
            kind=one.kind,
            settings=dict(one.settings),
            secrets_set=list(one.secrets_set),
            misses=one.misses,
            degraded_since=one.degraded_since,
            last_sent_at=one.last_sent_at,
            last_answer=one.last_answer,
            version=one.version,
        )


class ChannelList(BaseModel):
    """By name."""

    items: list[ChannelView]


class NewContact(StrictModel):
    """An address of one's own. A code is sent to it."""

    channel: Name
    address: Annotated[str, StringConstraints(max_length=250)] = ""
    label: Annotated[str, StringConstraints(max_length=100)] = ""


class Code(StrictModel):
    """What was sent to a contact."""

    code: Annotated[str, StringConstraints(min_length=1, max_length=20)]


class ContactView(BaseModel):
    """A contact; of its address only a hint."""

    id: str
    channel: str
    kind: ChannelKind
    label: str
    hint: str
    verified_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, one: Contact, channel: Channel) -> ContactView:
        return cls(
            id=one.id,
            channel=channel.name,
            kind=channel.kind,
            label=one.label,
            hint=one.hint,
            verified_at=one.verified_at,
            created_at=one.created_at,
        )


class ContactList(BaseModel):
    """In the order in which they were added."""

    items: list[ContactView]


class RuleBody(StrictModel):
    """Of what urgency, by which contact, and how many seconds after the call began."""

    urgency: Urgency
    contact: Annotated[str, StringConstraints(max_length=40)]
    after_seconds: int = Field(default=0, ge=0, le=43_200)

    @classmethod
    def of(cls, one: Rule) -> RuleBody:
        return cls(urgency=one.urgency, contact=one.contact_id, after_seconds=int(one.after.total_seconds()))

    def meant(self) -> Rule:
        """As a rule."""
        return Rule(urgency=self.urgency, contact_id=self.contact, after=timedelta(seconds=self.after_seconds))


class RulesBody(StrictModel):
    """How somebody is notified. Without a rule that holds: urgent messages by every verified contact at once."""

    rules: list[RuleBody] = Field(default_factory=list, max_length=20)
    time_zone: Annotated[str, StringConstraints(max_length=64), AfterValidator(_zone)] = "UTC"
    quiet_from: time | None = Field(None, description="From then on what is not urgent waits; local time.")
    quiet_until: time | None = None

    @classmethod
    def of(cls, rules: tuple[Rule, ...], preferences: Preferences) -> RulesBody:
        return cls(
            rules=[RuleBody.of(one) for one in rules],
            time_zone=preferences.time_zone,
            quiet_from=preferences.quiet_from,
            quiet_until=preferences.quiet_until,
        )


class Tested(BaseModel):
    """To how many contacts a test message goes."""

    contacts: int


class AttemptView(BaseModel):
    """One try."""

    number: int
    begun_at: datetime
    ended_at: datetime | None
    outcome: Outcome
    answer: str

    @classmethod
    def of(cls, one: Attempt) -> AttemptView:
        return cls(
            number=one.number,
            begun_at=one.begun_at,
            ended_at=one.ended_at,
            outcome=one.outcome,
            answer=one.answer,
        )


class NotificationView(BaseModel):
    """One message to one contact, with every try."""

    id: str
    person: str | None
    contact: str | None
    channel: str
    about_type: str
    about: str
    service: str | None
    urgency: Urgency
    kind: Kind
    title: str
    state: State
    reason: str
    created_at: datetime
    due_at: datetime
    settled_at: datetime | None
    attempts: list[AttemptView]

    @classmethod
    def of(cls, one: Notification, channel: str, attempts: list[Attempt]) -> NotificationView:
        return cls(
            id=one.id,
            person=one.person_id,
            contact=one.contact_id,
            channel=channel,
            about_type=one.about_type,
            about=one.about_id,
            service=one.service,
            urgency=one.urgency,
            kind=one.kind,
            title=str(one.message.get("title", "")),
            state=one.state,
            reason=one.reason,
            created_at=one.created_at,
            due_at=one.due_at,
            settled_at=one.settled_at,
            attempts=[AttemptView.of(each) for each in attempts],
        )
