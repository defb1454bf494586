"""The facts of paging. People are named by their ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from watchkeeper.kernel.journal import Event, Subject


@dataclass(frozen=True, kw_only=True)
class _OfGroup(Event):
    group: str
    service_name: str | None

    def subject(self) -> Subject:
        return Subject("alert_group", self.group)

    def service(self) -> str | None:
        return self.service_name


@dataclass(frozen=True, kw_only=True)
class PersonPaged(_OfGroup):
    """`messages`: how many ways they are told by. 0: there is none, and the next step begins."""

    kind: ClassVar[str] = "oncall.person_paged"

    page: str
    person: str
    why: str
    messages: int

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        ways = "nobody can reach them" if not data["messages"] else f"by {data['messages']} ways"
        return f"Somebody was paged, {ways}: {data['why']}."


@dataclass(frozen=True, kw_only=True)
class ChannelPaged(_OfGroup):
    kind: ClassVar[str] = "oncall.channel_paged"

    page: str
    channel: str
    found: bool

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The channel {data['channel']} was told{'' if data['found'] else ', but there is none of that name'}."


@dataclass(frozen=True, kw_only=True)
class StepSkipped(_OfGroup):
    """`step` counts from 1."""

    kind: ClassVar[str] = "oncall.step_skipped"

    policy: str
    step: int
    why: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"Step {data['step']} of {data['policy']} called nobody and was not waited for: {data['why']}."


@dataclass(frozen=True, kw_only=True)
class CallsBegun(_OfGroup):
    kind: ClassVar[str] = "oncall.calls_begun"

    policy: str | None
    generation: int

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        policy = data["policy"]
        return (
            f"Calling people {f'by the policy {policy}' if policy else 'without a policy: everybody who may respond'}."
        )


@dataclass(frozen=True, kw_only=True)
class CallsPaused(_OfGroup):
    kind: ClassVar[str] = "oncall.calls_paused"

    because: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"Nobody else is called: {data['because']}."


@dataclass(frozen=True, kw_only=True)
class CallsExhausted(_OfGroup):
    """Every step was called, and nobody has it."""

    kind: ClassVar[str] = "oncall.calls_exhausted"

    policy: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"Every step of {data['policy']} was called, and nobody has it: the last resort is called."


@dataclass(frozen=True, kw_only=True)
class PersonMissed(_OfGroup):
    kind: ClassVar[str] = "oncall.person_missed"

    page: str
    person: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return "Every way to somebody who was paged failed: the next step begins at once."


@dataclass(frozen=True, kw_only=True)
class Reassigned(_OfGroup):
    kind: ClassVar[str] = "oncall.reassigned"

    person: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return "It was given to somebody else, who is called now."


@dataclass(frozen=True, kw_only=True)
class ResponderAdded(_OfGroup):
    kind: ClassVar[str] = "oncall.responder_added"

    person: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return "Somebody was called in besides."


@dataclass(frozen=True, kw_only=True)
class ReplyTaken(_OfGroup):
    """Somebody answered a page over the way it came: `wanted` is `acknowledge` or `resolve`."""

    kind: ClassVar[str] = "oncall.reply_taken"

    page: str
    channel: str
    wanted: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"An answer over {data['channel']} asked to {data['wanted']} it."


@dataclass(frozen=True, kw_only=True)
class ReplyRefused(Event):
    """A wrong code, a number or member that nobody is known by, a page that is over. `contact`: whose, if known."""

    kind: ClassVar[str] = "oncall.reply_refused"

    channel: str
    contact: str | None

    def subject(self) -> Subject | None:
        return None if self.contact is None else Subject("contact", self.contact)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"An answer over {data['channel']} was refused."


@dataclass(frozen=True, kw_only=True)
class AuditFailed(Event):
    """Something that must be so of pages is not: the word to the outside stops until it is."""

    kind: ClassVar[str] = "oncall.audit_failed"

    findings: list[str]

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"Paging is not as it must be: {'; '.join(data['findings'])}."


@dataclass(frozen=True, kw_only=True)
class AuditPassed(Event):
    kind: ClassVar[str] = "oncall.audit_passed"

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return "Paging is as it must be again."
