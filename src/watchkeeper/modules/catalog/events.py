"""The facts that the catalog publishes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from watchkeeper.kernel.journal import Event, Subject


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
        return f"{data['service_name']} sent telemetry for the first time"


@dataclass(frozen=True, kw_only=True)
class EnvironmentDiscovered(_OfService):
    kind: ClassVar[str] = "catalog.environment_discovered"

    environment: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{data['service_name']} was first seen in {data['environment'] or 'an unnamed environment'}"


@dataclass(frozen=True, kw_only=True)
class ServiceDeclared(_OfService):
    kind: ClassVar[str] = "catalog.service_declared"

    after: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{data['service_name']} was added to the catalog"


@dataclass(frozen=True, kw_only=True)
class ServiceChanged(_OfService):
    kind: ClassVar[str] = "catalog.service_changed"

    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        names = ", ".join(sorted(data["after"])) or "nothing"
        return f"{data['service_name']}: {names} changed"


@dataclass(frozen=True, kw_only=True)
class ServiceArchived(_OfService):
    kind: ClassVar[str] = "catalog.service_archived"

    reason: str = ""

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{data['service_name']} was archived"
