"""Facts of what alerts come through, and of what keeps them quiet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from watchkeeper.kernel.journal import Event, Subject


@dataclass(frozen=True, kw_only=True)
class _OfIntegration(Event):
    integration: str
    name: str
    service_name: str | None = None

    def subject(self) -> Subject:
        return Subject("alert_integration", self.integration)

    def service(self) -> str | None:
        return self.service_name


@dataclass(frozen=True, kw_only=True)
class IntegrationPut(_OfIntegration):
    kind: ClassVar[str] = "alerts.integration_put"

    before: Mapping[str, Any] | None
    after: Mapping[str, Any]

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The integration {data['name']} was {'changed' if data['before'] else 'added'}."


@dataclass(frozen=True, kw_only=True)
class IntegrationRemoved(_OfIntegration):
    kind: ClassVar[str] = "alerts.integration_removed"

    reason: str = ""

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The integration {data['name']} was removed: its keys open nothing any more."


@dataclass(frozen=True, kw_only=True)
class IntegrationKeyMade(_OfIntegration):
    kind: ClassVar[str] = "alerts.integration_key_made"

    key_id: str
    old_keys_until: datetime | None = None

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The integration {data['name']} got a key."


@dataclass(frozen=True, kw_only=True)
class IntegrationKeyRevoked(_OfIntegration):
    kind: ClassVar[str] = "alerts.integration_key_revoked"

    key_id: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"A key of the integration {data['name']} was revoked."


@dataclass(frozen=True, kw_only=True)
class _OfSilence(Event):
    silence: str
    service_name: str | None = None

    def subject(self) -> Subject:
        return Subject("alert_silence", self.silence)

    def service(self) -> str | None:
        return self.service_name


@dataclass(frozen=True, kw_only=True)
class SilenceMade(_OfSilence):
    kind: ClassVar[str] = "alerts.silence_made"

    matchers: list[str]
    starts_at: datetime
    ends_at: datetime
    reason: str
    matched: int = 0

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"Alerts with {' and '.join(data['matchers'])} were silenced."


@dataclass(frozen=True, kw_only=True)
class SilenceEnded(_OfSilence):
    kind: ClassVar[str] = "alerts.silence_ended"

    matchers: list[str]
    reason: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The silence of {' and '.join(data['matchers'])} was ended."


@dataclass(frozen=True, kw_only=True)
class _OfMaintenance(Event):
    maintenance: str
    services: list[str]
    environments: list[str] = field(default_factory=list)

    def subject(self) -> Subject:
        return Subject("alert_maintenance", self.maintenance)

    def service(self) -> str | None:
        return self.services[0] if len(self.services) == 1 else None


@dataclass(frozen=True, kw_only=True)
class MaintenancePlanned(_OfMaintenance):
    kind: ClassVar[str] = "alerts.maintenance_planned"

    when: str
    reason: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"Maintenance of {', '.join(data['services']) or 'everything'} was planned: {data['when']}."


@dataclass(frozen=True, kw_only=True)
class MaintenanceEnded(_OfMaintenance):
    kind: ClassVar[str] = "alerts.maintenance_ended"

    reason: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The maintenance of {', '.join(data['services']) or 'everything'} was ended."


@dataclass(frozen=True, kw_only=True)
class _OfHeartbeat(Event):
    heartbeat: str
    name: str
    service_name: str | None = None

    def subject(self) -> Subject:
        return Subject("alert_heartbeat", self.heartbeat)

    def service(self) -> str | None:
        return self.service_name


@dataclass(frozen=True, kw_only=True)
class HeartbeatPut(_OfHeartbeat):
    kind: ClassVar[str] = "alerts.heartbeat_put"

    before: Mapping[str, Any] | None
    after: Mapping[str, Any]

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The heartbeat {data['name']} was {'changed' if data['before'] else 'added'}."


@dataclass(frozen=True, kw_only=True)
class HeartbeatRemoved(_OfHeartbeat):
    kind: ClassVar[str] = "alerts.heartbeat_removed"

    reason: str = ""

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The heartbeat {data['name']} was removed."


@dataclass(frozen=True, kw_only=True)
class HeartbeatStateChanged(_OfHeartbeat):
    """From up to down and back, or paused by somebody. Each ping is counted, and no fact."""

    kind: ClassVar[str] = "alerts.heartbeat_state_changed"

    before: str
    after: str
    detail: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The heartbeat {data['name']} is {data['after']}: {data['detail']}"
