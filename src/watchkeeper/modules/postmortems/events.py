"""The facts of postmortems. People are named by their ids; texts stay in tables, where they can be forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar

from watchkeeper.kernel.journal import Event, Subject

_STATES = {"draft": "a draft", "in_review": "in review", "reviewed": "reviewed", "published": "published"}


@dataclass(frozen=True, kw_only=True)
class _OfPostmortem(Event):
    postmortem: str
    incident: str
    service_name: str | None

    def subject(self) -> Subject:
        return Subject("postmortem", self.postmortem)

    def service(self) -> str | None:
        return self.service_name


@dataclass(frozen=True, kw_only=True)
class PostmortemDrafted(_OfPostmortem):
    kind: ClassVar[str] = "postmortems.drafted"

    severity: str
    due_at: datetime | None
    drill: bool
    moments: int

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        of = "a drill" if data["drill"] else f"a {data['severity']} incident"
        return f"The postmortem of {of} was drafted, with {data['moments']} lines of its timeline."


@dataclass(frozen=True, kw_only=True)
class PostmortemRefreshed(_OfPostmortem):
    """Read again from the record. What people had edited stays; `sections` were nobody's yet and are new."""

    kind: ClassVar[str] = "postmortems.refreshed"

    due_at: datetime | None
    sections: tuple[str, ...]
    moments: int

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The postmortem was read again from the record: {data['moments']} new lines of its timeline."


@dataclass(frozen=True, kw_only=True)
class SectionEdited(_OfPostmortem):
    kind: ClassVar[str] = "postmortems.section_edited"

    section: str
    revision: int
    characters: int

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The section “{data['section']}” of the postmortem was edited (revision {data['revision']})."


@dataclass(frozen=True, kw_only=True)
class TimelineEdited(_OfPostmortem):
    kind: ClassVar[str] = "postmortems.timeline_edited"

    moment: str
    what: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"A line of the postmortem's timeline was {data['what']}."


@dataclass(frozen=True, kw_only=True)
class AboutChanged(_OfPostmortem):
    """Its lead or its themes."""

    kind: ClassVar[str] = "postmortems.about_changed"

    before: Mapping[str, Any]
    after: Mapping[str, Any]

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The {' and '.join(data['after'])} of the postmortem changed."


@dataclass(frozen=True, kw_only=True)
class StateChanged(_OfPostmortem):
    kind: ClassVar[str] = "postmortems.state_changed"

    before: str
    after: str
    reason: str = ""

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        why = f": {data['reason']}" if data.get("reason") else ""
        return f"The postmortem is {_STATES.get(data['after'], data['after'])} now{why}."


@dataclass(frozen=True, kw_only=True)
class PostmortemReviewed(_OfPostmortem):
    kind: ClassVar[str] = "postmortems.reviewed"

    content_version: int

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return "Somebody read the postmortem and agrees with it."


@dataclass(frozen=True, kw_only=True)
class PostmortemOverdue(_OfPostmortem):
    kind: ClassVar[str] = "postmortems.overdue"

    due_at: datetime

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The postmortem was due at {data['due_at']} and is still a draft."


@dataclass(frozen=True, kw_only=True)
class PostmortemShared(_OfPostmortem):
    kind: ClassVar[str] = "postmortems.shared"

    share: str
    removed: int

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"A public version of the postmortem was shared; {data['removed']} internals were taken out."


@dataclass(frozen=True, kw_only=True)
class ShareRevoked(_OfPostmortem):
    kind: ClassVar[str] = "postmortems.share_revoked"

    share: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return "A link to the public version of the postmortem opens nothing any more."


@dataclass(frozen=True, kw_only=True)
class _OfAction(Event):
    action: str
    postmortem: str
    service_name: str | None

    def subject(self) -> Subject:
        return Subject("action_item", self.action)

    def service(self) -> str | None:
        return self.service_name


@dataclass(frozen=True, kw_only=True)
class ActionAdded(_OfAction):
    kind: ClassVar[str] = "postmortems.action_added"

    title: str
    owner: str | None
    due_on: date | None
    priority: str

    def data(self) -> dict[str, Any]:
        return {**super().data(), "due_on": None if self.due_on is None else self.due_on.isoformat()}

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        day = f" by {data['due_on']}" if data["due_on"] else ""
        return f"“{data['title']}” is to be done{day}."


@dataclass(frozen=True, kw_only=True)
class ActionChanged(_OfAction):
    kind: ClassVar[str] = "postmortems.action_changed"

    title: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        after = data["after"]
        if "state" in after:
            return f"“{data['title']}” is {str(after['state']).replace('_', ' ')} now."
        return f"The {' and '.join(name.replace('_', ' ') for name in data['after'])} of “{data['title']}” changed."


@dataclass(frozen=True, kw_only=True)
class ActionReminded(_OfAction):
    """`told`: by how many ways; 0 means that nobody could be told."""

    kind: ClassVar[str] = "postmortems.action_reminded"

    title: str
    person: str | None
    why: str
    told: int

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        if not data["told"]:
            return f"Nobody can be reminded of “{data['title']}”: {data['why']}."
        return f"Somebody was reminded of “{data['title']}”: {data['why']}."


@dataclass(frozen=True, kw_only=True)
class IssueWanted(_OfAction):
    kind: ClassVar[str] = "postmortems.issue_wanted"

    repository: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"An issue in {data['repository']} was asked for."


@dataclass(frozen=True, kw_only=True)
class IssueCreated(_OfAction):
    kind: ClassVar[str] = "postmortems.issue_created"

    repository: str
    number: int
    found: bool

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        how = "was there already" if data["found"] else "was opened"
        return f"The issue {data['repository']}#{data['number']} {how}."


@dataclass(frozen=True, kw_only=True)
class IssueRefused(_OfAction):
    kind: ClassVar[str] = "postmortems.issue_refused"

    repository: str
    problem: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"No issue could be opened in {data['repository']}: {data['problem']}."


@dataclass(frozen=True, kw_only=True)
class IssueStateRead(_OfAction):
    kind: ClassVar[str] = "postmortems.issue_state_read"

    repository: str
    number: int
    state: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The issue {data['repository']}#{data['number']} is {data['state']}."


@dataclass(frozen=True, kw_only=True)
class IssueStateTold(_OfAction):
    kind: ClassVar[str] = "postmortems.issue_state_told"

    repository: str
    number: int
    state: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        what = "closed" if data["state"] == "closed" else "opened again"
        return f"The issue {data['repository']}#{data['number']} was {what}, as its action item was."


@dataclass(frozen=True, kw_only=True)
class IssueStateRefused(_OfAction):
    kind: ClassVar[str] = "postmortems.issue_state_refused"

    repository: str
    number: int
    problem: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The issue {data['repository']}#{data['number']} could not be changed: {data['problem']}."


@dataclass(frozen=True, kw_only=True)
class TrackerChanged(Event):
    kind: ClassVar[str] = "postmortems.tracker_changed"

    before: Mapping[str, Any]
    after: Mapping[str, Any]
    token_changed: bool

    def subject(self) -> Subject:
        return Subject("tracker", "github")

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        after = data["after"]
        where = after["repository"] if isinstance(after, Mapping) and after else None
        return f"Action items go to issues of {where} now." if where else "Action items go to no issues any more."
