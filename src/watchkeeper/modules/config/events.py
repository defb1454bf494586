"""The facts of runtime configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import quote

from watchkeeper.kernel.journal import Effect, Event, Subject


@dataclass(frozen=True, kw_only=True)
class _OfParameter(Event):
    key: str
    service_name: str | None = None

    def subject(self) -> Subject:
        return Subject("parameter", self.key)

    def service(self) -> str | None:
        return self.service_name


@dataclass(frozen=True, kw_only=True)
class ParameterChanged(_OfParameter):
    """One slot of one key; a change set of several has one fact each, with one `change_id`."""

    kind: ClassVar[str] = "config.changed"
    effect: ClassVar[Effect] = Effect.BEHAVIOUR

    environment: str
    slot: str
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    summary: str
    reason: str
    change_id: str
    reverts: str | None = None
    services: tuple[str, ...] = ()
    # What holds where the slot holds nothing; how much a value changed can't be told without it.
    default: Any = None

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        whom = _whom(data["slot"])
        undone = " (a change was undone)" if data.get("reverts") else ""
        return f"{data['key']}{whom} in {data['environment']}: {data['summary']}{undone}."

    @classmethod
    def reach(cls, data: Mapping[str, Any]) -> float:
        return _REACHES.get(str(data["slot"]).partition(":")[0], 1.0)

    @classmethod
    def undone_at(cls, data: Mapping[str, Any]) -> str | None:
        change = data.get("change_id")
        return f"/config/changes/{quote(str(change))}#undo" if change else None


@dataclass(frozen=True, kw_only=True)
class OfChange(Event):
    """Base of what becomes of a change."""

    change_id: str
    environment: str
    keys: tuple[str, ...] = ()
    reason: str = ""
    service_name: str | None = None

    def subject(self) -> Subject:
        return Subject("config_change", self.change_id)

    def service(self) -> str | None:
        return self.service_name


@dataclass(frozen=True, kw_only=True)
class ChangeProposed(OfChange):
    kind: ClassVar[str] = "config.change_proposed"

    content_hash: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"A change of {_keys(data)} in {data['environment']} waits for somebody else's approval."


@dataclass(frozen=True, kw_only=True)
class ChangeScheduled(OfChange):
    kind: ClassVar[str] = "config.change_scheduled"

    due_at: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"A change of {_keys(data)} in {data['environment']} will be made at {data['due_at'][:16]}Z."


@dataclass(frozen=True, kw_only=True)
class ChangeApproved(OfChange):
    kind: ClassVar[str] = "config.change_approved"

    content_hash: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The change of {_keys(data)} in {data['environment']} was approved."


@dataclass(frozen=True, kw_only=True)
class ChangeRejected(OfChange):
    kind: ClassVar[str] = "config.change_rejected"

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The change of {_keys(data)} in {data['environment']} was rejected."


@dataclass(frozen=True, kw_only=True)
class ChangeCancelled(OfChange):
    kind: ClassVar[str] = "config.change_cancelled"

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The change of {_keys(data)} in {data['environment']} was cancelled."


@dataclass(frozen=True, kw_only=True)
class ScheduledChangeFailed(OfChange):
    kind: ClassVar[str] = "config.scheduled_change_failed"

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The scheduled change of {_keys(data)} in {data['environment']} was not made: {data['reason']}"


@dataclass(frozen=True, kw_only=True)
class ParameterDefined(_OfParameter):
    kind: ClassVar[str] = "config.parameter_defined"
    effect: ClassVar[Effect] = Effect.WORDS

    after: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The parameter {data['key']} was added."


@dataclass(frozen=True, kw_only=True)
class ParameterRedefined(_OfParameter):
    kind: ClassVar[str] = "config.parameter_redefined"
    effect: ClassVar[Effect] = Effect.WORDS

    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        names = ", ".join(str(name).replace("_", " ") for name in data["after"]) or "definition"
        return f"The {names} of the parameter {data['key']} changed."


@dataclass(frozen=True, kw_only=True)
class ParameterRemoved(_OfParameter):
    kind: ClassVar[str] = "config.parameter_removed"
    effect: ClassVar[Effect] = Effect.WORDS

    before: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The parameter {data['key']} was removed."


@dataclass(frozen=True, kw_only=True)
class EnvironmentAdded(Event):
    kind: ClassVar[str] = "config.environment_added"

    environment: str
    copied_from: str | None = None
    needs_approval: bool = False
    reason: str = ""

    def subject(self) -> Subject:
        return Subject("environment", self.environment)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        copied = f" with the values of {data['copied_from']}" if data.get("copied_from") else ""
        return f"The environment {data['environment']} was added{copied}."


@dataclass(frozen=True, kw_only=True)
class EnvironmentChanged(Event):
    kind: ClassVar[str] = "config.environment_changed"

    environment: str
    needs_approval: bool
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""

    def subject(self) -> Subject:
        return Subject("environment", self.environment)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        what = "need" if data["needs_approval"] else "do not need"
        return f"Changes in {data['environment']} {what} a second person's approval from now on."


# Of one user's value nobody else notices anything; a segment may be anything between a few people and all.
_REACHES = {"user": 0.02, "segment": 0.6}


def _keys(data: Mapping[str, Any]) -> str:
    keys = list(data.get("keys", ()))
    more = f" and {len(keys) - 2} more" if len(keys) > 3 else ""
    return ", ".join(keys[:2] if more else keys) + more


def _whom(slot: str) -> str:
    kind, _, target = slot.partition(":")
    return {"user": f" for the user {target}", "segment": f" for the segment {target}"}.get(kind, "")
