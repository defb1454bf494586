"""The facts that subjects and segments publish. Members of a segment are counted in them, never listed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from watchkeeper.kernel.journal import Event, Subject


@dataclass(frozen=True, kw_only=True)
class SubjectsTaken(Event):
    """A batch changed something; what a single subject says is no fact."""

    kind: ClassVar[str] = "subjects.taken"

    added: int
    changed: int
    unchanged: int

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{data['added']} subjects were added and {data['changed']} changed."


@dataclass(frozen=True, kw_only=True)
class SubjectsLookedUp(Event):
    """Somebody looked at single subjects: at one by its id, or at a page of those that fit."""

    kind: ClassVar[str] = "subjects.looked_up"

    count: int
    subject_id: str | None = None
    country: str | None = None
    status: str | None = None

    def subject(self) -> Subject | None:
        return Subject("subject", self.subject_id) if self.subject_id else None

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        if data.get("subject_id"):
            return f"The subject {data['subject_id']} was looked up."
        return f"{data['count']} subjects were looked at."


@dataclass(frozen=True, kw_only=True)
class SubjectErased(Event):
    kind: ClassVar[str] = "subjects.erased"

    subject_id: str
    segments: int

    def subject(self) -> Subject:
        return Subject("subject", self.subject_id)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The subject {data['subject_id']} was erased."


@dataclass(frozen=True, kw_only=True)
class _OfSegment(Event):
    segment: str

    def subject(self) -> Subject:
        return Subject("segment", self.segment)


@dataclass(frozen=True, kw_only=True)
class SegmentCreated(_OfSegment):
    kind: ClassVar[str] = "subjects.segment_created"

    after: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The segment {data['segment']} was made."


@dataclass(frozen=True, kw_only=True)
class SegmentChanged(_OfSegment):
    kind: ClassVar[str] = "subjects.segment_changed"

    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        names = " and ".join(str(name).replace("_", " ") for name in sorted({*data["before"], *data["after"]}))
        return f"The {names} of the segment {data['segment']} changed."


@dataclass(frozen=True, kw_only=True)
class SegmentOpsCaughtUp(_OfSegment):
    """The files say now what had been changed elsewhere: it is no drift any more."""

    kind: ClassVar[str] = "subjects.segment_ops_caught_up"

    fields: tuple[str, ...] = ()

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"ops/ says the same of the segment {data['segment']} as Watchkeeper again."


@dataclass(frozen=True, kw_only=True)
class SegmentMembersChanged(_OfSegment):
    """Members were added or removed by hand."""

    kind: ClassVar[str] = "subjects.segment_members_changed"

    added: int
    removed: int
    before: Mapping[str, int] = field(default_factory=dict)
    after: Mapping[str, int] = field(default_factory=dict)
    reason: str = ""

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{data['added']} members joined the segment {data['segment']} and {data['removed']} left it."


@dataclass(frozen=True, kw_only=True)
class SegmentDeleted(_OfSegment):
    kind: ClassVar[str] = "subjects.segment_deleted"

    before: Mapping[str, Any] = field(default_factory=dict)
    members: int = 0
    reason: str = ""

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The segment {data['segment']} was deleted."
