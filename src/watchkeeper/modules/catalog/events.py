"""The facts that the catalog publishes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from watchkeeper.kernel.journal import Effect, Event, Subject

_MOST_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class _OfService(Event):
    service_name: str

    def subject(self) -> Subject:
        return Subject("service", self.service_name)

    def service(self) -> str:
        return self.service_name


@dataclass(frozen=True, kw_only=True)
class ServiceDiscovered(_OfService):
    kind: ClassVar[str] = "catalog.service_discovered"

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{data['service_name']} sent telemetry for the first time."


@dataclass(frozen=True, kw_only=True)
class EnvironmentDiscovered(_OfService):
    kind: ClassVar[str] = "catalog.environment_discovered"

    environment: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        where = data["environment"] or "an environment without a name"
        return f"{data['service_name']} was seen in {where} for the first time."


@dataclass(frozen=True, kw_only=True)
class VersionSeen(_OfService):
    """Another version of a service runs, as its telemetry says: somebody deployed it, whoever told of it or not."""

    kind: ClassVar[str] = "catalog.version_seen"
    effect: ClassVar[Effect] = Effect.CODE

    environment: str
    release: str
    replaced: str

    def data(self) -> dict[str, Any]:
        """With what was before and what came after, as all changes tell it."""
        changed = {"before": {"version": self.replaced}, "after": {"version": self.release}}
        return {**super().data(), **changed}

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        where = f" in {data['environment']}" if data["environment"] else ""
        return f"{data['service_name']} runs version {data['release']}{where}, after {data['replaced']}."


@dataclass(frozen=True, kw_only=True)
class ServiceReturned(_OfService):
    """An archived service sends telemetry again: what runs is shown, whatever was said of it."""

    kind: ClassVar[str] = "catalog.service_returned"

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{data['service_name']} was archived but sends telemetry again; it is back in the catalog."


@dataclass(frozen=True, kw_only=True)
class ServiceDeclared(_OfService):
    kind: ClassVar[str] = "catalog.service_declared"
    effect: ClassVar[Effect] = Effect.WORDS

    after: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{data['service_name']} was added to the catalog."


@dataclass(frozen=True, kw_only=True)
class ServiceChanged(_OfService):
    kind: ClassVar[str] = "catalog.service_changed"
    effect: ClassVar[Effect] = Effect.WORDS

    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        names = [str(name).replace("_", " ") for name in data["after"]]
        if "managed by" in names:
            return f"{data['service_name']} is described in ops/ from now on."
        if len(names) > _MOST_NAMED:
            return f"{len(names)} fields of {data['service_name']} changed."
        listed = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names) or "nothing"
        return f"The {listed} of {data['service_name']} changed."


@dataclass(frozen=True, kw_only=True)
class OpsCaughtUp(_OfService):
    """The files say now what had been changed elsewhere: it is no drift any more."""

    kind: ClassVar[str] = "catalog.ops_caught_up"
    effect: ClassVar[Effect] = Effect.WORDS

    fields: tuple[str, ...] = ()

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"ops/ says the same of {data['service_name']} as Watchkeeper again."


@dataclass(frozen=True, kw_only=True)
class ServiceArchived(_OfService):
    kind: ClassVar[str] = "catalog.service_archived"
    effect: ClassVar[Effect] = Effect.WORDS

    before: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{data['service_name']} was archived."
