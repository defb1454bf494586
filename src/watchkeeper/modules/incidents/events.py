"""The facts that incidents publish. What people write (notes, updates) is not in them, only its id: the journal is kept
for good, and texts may have to be forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from watchkeeper.kernel.journal import Event, Subject


@dataclass(frozen=True, kw_only=True)
class OfIncident(Event):
    """Base of what happens to an incident."""

    incident: str
    title: str
    severity: str
    services: tuple[str, ...]
    drill: bool

    def subject(self) -> Subject:
        return Subject("incident", self.incident)

    def service(self) -> str | None:
        return self.services[0] if self.services else None


def _named(data: Mapping[str, Any]) -> str:
    title = str(data["title"])
    return f"Drill: {title}" if data.get("drill") and not title.startswith("Drill: ") else title


@dataclass(frozen=True, kw_only=True)
class Opened(OfIncident):
    """`groups`: the alert groups that it was opened for."""

    kind: ClassVar[str] = "incidents.opened"

    name: str
    groups: tuple[str, ...] = ()
    rule: str | None = None

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{data['severity']} opened: {_named(data)}."


@dataclass(frozen=True, kw_only=True)
class Described(OfIncident):
    """Title, summary, impact, services or users affected were changed; which, but not the texts."""

    kind: ClassVar[str] = "incidents.described"

    fields: tuple[str, ...]

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{_named(data)}: {', '.join(data['fields'])} changed."


@dataclass(frozen=True, kw_only=True)
class Acknowledged(OfIncident):
    kind: ClassVar[str] = "incidents.acknowledged"

    person: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{_named(data)}: somebody has it."


@dataclass(frozen=True, kw_only=True)
class SeverityChanged(OfIncident):
    kind: ClassVar[str] = "incidents.severity_changed"

    before: str
    after: str
    reason: str = ""

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{_named(data)} is {data['after']} now; it was {data['before']}."


@dataclass(frozen=True, kw_only=True)
class StatusChanged(OfIncident):
    kind: ClassVar[str] = "incidents.status_changed"

    before: str
    after: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{_named(data)}: {data['after']}."


@dataclass(frozen=True, kw_only=True)
class RoleAssigned(OfIncident):
    """`person` None: nobody has it any more."""

    kind: ClassVar[str] = "incidents.role_assigned"

    role: str
    person: str | None
    before: str | None = None

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        if data["person"] is None:
            return f"{_named(data)} has no {data['role']} any more."
        return f"{_named(data)}: the {data['role']} {'is another one now' if data['before'] else 'is there'}."


@dataclass(frozen=True, kw_only=True)
class ClockWarned(OfIncident):
    kind: ClassVar[str] = "incidents.clock_warned"

    clock: str
    share: int
    due_at: datetime

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{_named(data)}: {data['share']} % of the time to {data['clock']} are over."


@dataclass(frozen=True, kw_only=True)
class ClockBreached(OfIncident):
    kind: ClassVar[str] = "incidents.clock_breached"

    clock: str
    due_at: datetime

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{_named(data)}: nobody managed to {data['clock']} in time."


@dataclass(frozen=True, kw_only=True)
class UpdateDue(OfIncident):
    kind: ClassVar[str] = "incidents.update_due"

    since: datetime

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{_named(data)}: an update is due."


@dataclass(frozen=True, kw_only=True)
class UpdatePosted(OfIncident):
    kind: ClassVar[str] = "incidents.update_posted"

    update: str
    public: bool
    status: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{_named(data)}: {'a public' if data['public'] else 'an'} update was posted ({data['status']})."


@dataclass(frozen=True, kw_only=True)
class EntryAdded(OfIncident):
    """`entry_kind`: note, decision, link, attachment or system. `about`: what a line of Watchkeeper's own says."""

    kind: ClassVar[str] = "incidents.entry_added"

    entry: str
    entry_kind: str
    about: str = ""

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        word = {"decision": "a decision was written down", "attachment": "a file was added"}
        said = data.get("about") or word.get(data["entry_kind"], f"a {data['entry_kind']} was added")
        return f"{_named(data)}: {said}."


@dataclass(frozen=True, kw_only=True)
class EntryPinned(OfIncident):
    kind: ClassVar[str] = "incidents.entry_pinned"

    entry: str
    pinned: bool

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{_named(data)}: an entry was {'pinned' if data['pinned'] else 'unpinned'}."


@dataclass(frozen=True, kw_only=True)
class Linked(OfIncident):
    """`target` is an id; of a url only that it is one."""

    kind: ClassVar[str] = "incidents.linked"

    link_kind: str
    target: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        words = str(data["link_kind"]).replace("_", " ")
        return f"{_named(data)}: {'an' if words[0] in 'aiu' and words != 'url' else 'a'} {words} belongs to it."


@dataclass(frozen=True, kw_only=True)
class Merged(OfIncident):
    """About the one that is no incident of its own any more."""

    kind: ClassVar[str] = "incidents.merged"

    into: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{_named(data)} was merged into another incident."


@dataclass(frozen=True, kw_only=True)
class Split(OfIncident):
    """About the one that something was taken from."""

    kind: ClassVar[str] = "incidents.split"

    made: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"Of {_named(data)} a part became an incident of its own."


@dataclass(frozen=True, kw_only=True)
class Reopened(OfIncident):
    kind: ClassVar[str] = "incidents.reopened"

    times: int

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{_named(data)} was opened again."


@dataclass(frozen=True, kw_only=True)
class Resolved(OfIncident):
    kind: ClassVar[str] = "incidents.resolved"

    opened_at: datetime
    lasted_seconds: int
    alerts_open: int = 0

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{_named(data)} is resolved."


@dataclass(frozen=True, kw_only=True)
class RuleChanged(Event):
    """A rule by which alerts open incidents, as files say it now. `opens`: the severity, `nothing`, or None when no
    file says the rule any more."""

    kind: ClassVar[str] = "incidents.rule_changed"

    name: str
    opens: str | None
    before: Mapping[str, Any]
    after: Mapping[str, Any]

    def subject(self) -> Subject:
        return Subject("incident_rule", self.name)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        if data["opens"] is None:
            return f"The rule {data['name']} opens no incidents any more."
        return f"The rule {data['name']} opens {data['opens']} now."


@dataclass(frozen=True, kw_only=True)
class ChannelOpened(OfIncident):
    kind: ClassVar[str] = "incidents.channel_opened"

    channel: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{_named(data)} has a channel in Slack."
