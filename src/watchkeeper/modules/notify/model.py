"""What a notification is, and what is decided about it: by which ways, when, what follows a miss. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Literal
from zoneinfo import ZoneInfo

Urgency = Literal["high", "low"]
Kind = Literal["page", "update", "test", "code"]
MISSES_UNTIL_DEGRADED = 3
# A way that has not answered for so long is not waited for any more: the next one begins.
PATIENCE = timedelta(seconds=30)
# How exact it is known when a channel took its last message.
_NOTED_EVERY = timedelta(seconds=10)
_PAUSES = tuple(timedelta(seconds=seconds) for seconds in (15, 30, 60, 120, 300))


class ChannelKind(StrEnum):
    """How a message leaves the machine."""

    EMAIL = "email"
    SLACK = "slack"
    SLACK_WEBHOOK = "slack_webhook"
    WEBHOOK = "webhook"
    NTFY = "ntfy"
    TELEGRAM = "telegram"
    SMS = "sms"
    VOICE = "voice"
    PAGERDUTY = "pagerduty"
    APPRISE = "apprise"
    # Built in, for synthetic pages: nobody makes one, and it is in no list.
    LOOPBACK = "loopback"


class State(StrEnum):
    """`waiting` covers retries too: it is settled by `sent`, `failed` or `dropped`."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"
    DROPPED = "dropped"


class Outcome(StrEnum):
    """`begun` stays where a process died: whether the provider took it is not known."""

    BEGUN = "begun"
    ACCEPTED = "accepted"
    MISSED = "missed"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True)
class Channel:
    """A configured way out. Its secrets are elsewhere."""

    id: str
    name: str
    kind: ChannelKind
    settings: Mapping[str, str]
    secrets_set: tuple[str, ...] = ()
    misses: int = 0
    degraded_since: datetime | None = None
    last_sent_at: datetime | None = None
    last_answer: str = ""
    version: int = 1
    updated_at: datetime
    updated_by: str

    @property
    def is_degraded(self) -> bool:
        """Whether others are tried beside it at once."""
        return self.degraded_since is not None

    def is_well(self, at: datetime) -> bool:
        """Whether it took a message a moment ago and missed none since: another that it takes need not be noted, so
        that messages over one channel don't wait for each other on its row."""
        sent = self.last_sent_at
        return not self.misses and not self.is_degraded and sent is not None and abs(at - sent) < _NOTED_EVERY


# No name that people may give has brackets.
LOOPBACK = Channel(
    id="chn_loopback",
    name="(loopback)",
    kind=ChannelKind.LOOPBACK,
    settings={},
    updated_at=datetime(2026, 1, 1, tzinfo=UTC),
    updated_by="system:notify",
)


@dataclass(frozen=True, kw_only=True)
class Contact:
    """A person's address on a channel. The address itself is sealed; `hint` is what may be shown of it."""

    id: str
    person_id: str
    channel_id: str
    label: str
    hint: str
    created_at: datetime
    verified_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Of what urgency, by which contact, and how long after the call began."""

    urgency: Urgency
    contact_id: str
    after: timedelta = timedelta(0)


@dataclass(frozen=True, kw_only=True)
class Preferences:
    """When a person wants to be left alone by what is not urgent, in their own zone."""

    person_id: str
    time_zone: str = "UTC"
    quiet_from: time | None = None
    quiet_until: time | None = None


@dataclass(frozen=True)
class Planned:
    """One message that is to be sent to a contact."""

    contact_id: str
    due_at: datetime


@dataclass(frozen=True, kw_only=True)
class Notification:
    """One message to one contact. `call` is the same for all that reach for one person about one thing."""

    id: str
    call: str
    person_id: str | None
    contact_id: str | None
    channel_id: str
    about_type: str
    about_id: str
    service: str | None
    urgency: Urgency
    kind: Kind
    message: Mapping[str, Any]
    state: State
    due_at: datetime
    created_at: datetime
    settled_at: datetime | None = None
    reason: str = ""
    attempts: int = 0


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One try. Written before anything leaves the machine."""

    id: str
    notification_id: str
    work_id: str
    number: int
    begun_at: datetime
    ended_at: datetime | None = None
    outcome: Outcome = Outcome.BEGUN
    answer: str = ""


@dataclass(frozen=True)
class Reach:
    """Whether a person can be reached: how many of their contacts are verified, and of which kinds."""

    verified: int = 0
    unverified: int = 0
    kinds: tuple[str, ...] = field(default=())


def plan(
    urgency: Urgency,
    rules: Sequence[Rule],
    contacts: Sequence[Contact],
    *,
    at: datetime,
    degraded: Collection[str] = (),
) -> tuple[Planned, ...]:
    """By which contacts a person is told, and when: their rules, of verified contacts only.

    Without a rule that holds: of high urgency every verified contact at once, of low the first one. A way over a
    degraded channel is joined at once by the next one: nobody waits for a provider that is known to miss.
    """
    verified = {one.id: one for one in contacts if one.verified_at is not None}
    mine = sorted(
        (one for one in rules if one.urgency == urgency and one.contact_id in verified), key=lambda one: one.after
    )
    if not mine:
        chosen = list(verified) if urgency == "high" else list(verified)[:1]
        return tuple(Planned(contact_id, at) for contact_id in chosen)
    found = []
    hurried = False
    for rule in mine:
        found.append(Planned(rule.contact_id, at if hurried else at + rule.after))
        hurried = verified[rule.contact_id].channel_id in degraded
    return tuple(found)


def next_way(contacts: Sequence[Contact], tried: Collection[str], degraded: Collection[str] = ()) -> Contact | None:
    """A verified contact that nothing of the call was sent to yet; one on a channel that works before others."""
    left = [one for one in contacts if one.verified_at is not None and one.id not in tried]
    left.sort(key=lambda one: one.channel_id in degraded)
    return left[0] if left else None


def pause_after(attempts: int, not_before: int = 0) -> timedelta | None:
    """How long a contact waits after its so-many-th miss; None when it is not tried again.

    Longer when the provider says in how many seconds it takes something again, but never than the longest pause.
    """
    if attempts > len(_PAUSES):
        return None
    return max(_PAUSES[attempts - 1], min(timedelta(seconds=not_before), _PAUSES[-1]))


def quiet_end(preferences: Preferences, at: datetime) -> datetime | None:
    """When the quiet hours that hold `at` end; None outside of them.

    Times are those of the person's zone. An end that does not exist on a day (DST) is the first instant after the gap.
    """
    begin, end = preferences.quiet_from, preferences.quiet_until
    if begin is None or end is None or begin == end:
        return None
    zone = ZoneInfo(preferences.time_zone)
    local = at.astimezone(zone)
    clock = local.time().replace(tzinfo=None)
    over_midnight = begin > end
    if not (clock >= begin or clock < end if over_midnight else begin <= clock < end):
        return None
    day = local.date() + timedelta(days=1 if over_midnight and clock >= begin else 0)
    wall = datetime.combine(day, end, zone)
    # A wall time in a gap maps to the instant that the clocks skip to, by going there and back through UTC.
    ended = wall.astimezone(ZoneInfo("UTC"))
    return ended if ended > at else at + timedelta(seconds=1)


def hint_of(kind: ChannelKind, address: str) -> str:
    """What may be shown of an address: enough to know it again, not enough to use it."""
    if not address:
        return ""
    if kind is ChannelKind.EMAIL and "@" in address:
        name, _, domain = address.rpartition("@")
        return f"{name[:1]}…@{domain}"
    return f"…{address[-4:]}" if len(address) > 6 else "…"
