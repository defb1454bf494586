"""What a fact is: something that happened, told once, in the past tense."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from typing import Any, ClassVar

from watchkeeper.kernel.clock import rfc3339

_EVENTS: dict[str, type[Event]] = {}


class Effect(StrEnum):
    """What an event changes of how a product runs.

    Nothing, only what is said of it, how the same code behaves, or which code it is.
    """

    NONE = "none"
    WORDS = "words"
    BEHAVIOUR = "behaviour"
    CODE = "code"


@dataclass(frozen=True)
class Subject:
    """What a fact is about: a type such as `person` and its public id."""

    type: str
    id: str


@dataclass(frozen=True, kw_only=True)
class Event:
    """Base of the facts that modules publish. The fields of a subclass are its data: ids, numbers, plain text.

    Personal data never goes into a field in clear: the journal is kept, copied and never edited.
    """

    kind: ClassVar[str] = ""
    version: ClassVar[int] = 1
    effect: ClassVar[Effect] = Effect.NONE

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.kind:
            other = _EVENTS.setdefault(cls.kind, cls)
            if other.__qualname__ != cls.__qualname__ or other.__module__ != cls.__module__:
                raise TypeError(f"{cls.kind} is published by {other.__module__} already")

    def subject(self) -> Subject | None:
        """What it is about."""
        return None

    def service(self) -> str | None:
        """Name of the service it belongs to, which puts it on that service's timeline."""
        return None

    def data(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(self)}

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:  # noqa: ARG003 (for subclasses)
        """One plain sentence for the timeline, made from stored data of this or an earlier version."""
        return cls.kind

    @classmethod
    def reach(cls, data: Mapping[str, Any]) -> float:  # noqa: ARG003 (for subclasses)
        """How much of what runs it touches, 0..1."""
        return 1.0

    @classmethod
    def undone_at(cls, data: Mapping[str, Any]) -> str | None:  # noqa: ARG003 (for subclasses)
        """The address of the page that can undo it; None where nothing can."""
        return None


@dataclass(frozen=True)
class Fact:
    """A row of the journal. `seq` has no gaps and follows the order of commits."""

    seq: int
    at: datetime
    actor: str
    source: str
    kind: str
    version: int
    service: str | None
    subject_type: str | None
    subject_id: str | None
    data: Mapping[str, Any]
    trace_id: str | None


def describe_fact(fact: Fact) -> str:
    """The sentence of a fact; its kind, where this version knows no such event or its data reads differently."""
    event = _EVENTS.get(fact.kind)
    if event is None:
        return fact.kind
    try:
        return event.describe(fact.data)
    except (KeyError, TypeError, ValueError):
        # Written by another version: the record is shown rather than hidden behind an error.
        return fact.kind


def undo_href(fact: Fact) -> str | None:
    """Where what a fact tells of can be undone, if it can."""
    event = _EVENTS.get(fact.kind)
    return event.undone_at(fact.data) if event is not None else None


def effect_of(fact: Fact) -> Effect:
    """What it changed of how a product runs; nothing, where this version knows no such event."""
    event = _EVENTS.get(fact.kind)
    return event.effect if event is not None else Effect.NONE


def reach_of(fact: Fact) -> float:
    """How much of what runs it touches, 0..1; all of it, where this version can't tell."""
    event = _EVENTS.get(fact.kind)
    try:
        return event.reach(fact.data) if event is not None else 1.0
    except (KeyError, TypeError, ValueError):
        return 1.0


def event_kinds() -> Mapping[str, type[Event]]:
    """Every event that the loaded modules publish, by kind."""
    return dict(_EVENTS)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, (set, frozenset)):
        return sorted(_plain(one) for one in value)
    return value
