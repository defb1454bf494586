"""JSON shapes of integrations and heartbeats."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, Field

from watchkeeper.kernel.web.wire import StrictModel
from watchkeeper.modules.alerts.beats import BeatState, Heartbeat, PingKind, Plan
from watchkeeper.modules.alerts.heartbeats import Order
from watchkeeper.modules.alerts.keys import Key
from watchkeeper.modules.alerts.model import Grouping, Integration, Kind, Severity, Urgency
from watchkeeper.modules.alerts.store_heartbeats import Ping
from watchkeeper.modules.alerts.store_integrations import StoredIntegration, content_of

NAME = r"^[a-z0-9][a-z0-9._-]{0,62}$"
Format = Literal["pagerduty", "alertmanager", "grafana", "generic"]


class IntegrationBody(StrictModel):
    """A way in."""

    name: str = Field(pattern=NAME)
    kind: Format = Field(description="The format that is sent; it can't be changed later.")
    service: str | None = Field(None, max_length=200, description="Unset: what the alerts' labels say.")
    environment: str | None = Field(None, max_length=200, description="Unset: what the alerts' labels say.")
    policy: str | None = Field(None, max_length=63, description="The escalation policy. Unset: the service's.")
    default_severity: Severity = Field(Severity.ERROR, description="Of alerts that tell none.")
    severity_map: dict[str, Severity] = Field(default_factory=dict, description="Foreign words, in small letters.")
    urgency_map: dict[Severity, Urgency] = Field(
        default_factory=dict, description="Other than critical and error: high."
    )
    group_by: list[str] = Field(
        default_factory=lambda: ["service", "environment", "family"],
        min_length=1,
        max_length=10,
        description="service, environment, family, integration, severity, or labels.",
    )
    group_minutes: int = Field(60, ge=1, le=43_200, description="How long after the last an alert still joins.")
    mapping: dict[str, str] = Field(default_factory=dict, description="Of generic JSON: field to path or template.")
    rate_per_minute: int = Field(12_000, ge=1, le=1_000_000, description="Alerts a minute, on each replica.")
    auto_resolve_minutes: int | None = Field(None, ge=1, le=43_200, description="Over after so long without a word.")

    def parsed(self) -> Integration:
        """As the module knows it, without an id."""
        auto = self.auto_resolve_minutes
        return Integration(
            id="",
            name=self.name,
            kind=Kind(self.kind),
            service=self.service or None,
            environment=self.environment or None,
            policy=self.policy or None,
            default_severity=self.default_severity,
            severity_map={word.strip().casefold(): one for word, one in self.severity_map.items()},
            urgency_map=self.urgency_map,
            grouping=Grouping(tuple(self.group_by), timedelta(minutes=self.group_minutes)),
            mapping=self.mapping,
            rate_per_minute=self.rate_per_minute,
            auto_resolve=timedelta(minutes=auto) if auto else None,
        )


class KeyView(BaseModel):
    """What is known of a key; never the key itself."""

    id: str
    ends_with: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None

    @classmethod
    def of(cls, key: Key) -> KeyView:
        return cls(**{name: getattr(key, name) for name in cls.model_fields})


class IntegrationView(IntegrationBody):
    """A way in, as it is."""

    id: str
    version: int
    created_at: datetime
    created_by: str
    updated_at: datetime
    last_event_at: datetime | None
    keys: list[KeyView]

    @classmethod
    def of(cls, stored: StoredIntegration) -> IntegrationView:
        held = stored.integration
        return cls.model_validate(
            {
                **content_of(held),
                "id": held.id,
                "name": held.name,
                "kind": held.kind.value,
                "version": stored.version,
                "created_at": stored.created_at,
                "created_by": stored.created_by,
                "updated_at": stored.updated_at,
                "last_event_at": stored.last_event_at,
                "keys": [KeyView.of(one) for one in stored.keys],
            }
        )


class IntegrationWithKey(IntegrationView):
    """The same, with a key that was just made."""

    key: str | None = Field(description="Shown now and never again; null when this answer is a repetition.")

    @classmethod
    def with_key(cls, stored: StoredIntegration, key: str | None) -> IntegrationWithKey:
        return cls(**IntegrationView.of(stored).model_dump(), key=key)


class IntegrationList(BaseModel):
    """Ways in, by name."""

    items: list[IntegrationView]


class HeartbeatBody(StrictModel):
    """Something that has to be heard of regularly."""

    name: str = Field(pattern=NAME)
    description: str = Field("", max_length=500)
    period_seconds: int | None = Field(None, ge=60, le=31_536_000, description="Or `cron`.")
    cron: str | None = Field(None, max_length=100, description="Five fields, on a clock of the time zone.")
    time_zone: str = Field("UTC", max_length=64)
    grace_seconds: int = Field(3_600, ge=60, le=31_536_000, description="How late it may be, and how long it may run.")
    service: str | None = Field(None, max_length=200)
    environment: str | None = Field(None, max_length=200)
    policy: str | None = Field(None, max_length=63)
    severity: Severity = Severity.ERROR

    def parsed(self) -> Order:
        """As the module knows it."""
        period = timedelta(seconds=self.period_seconds) if self.period_seconds is not None else None
        return Order(
            name=self.name,
            plan=Plan(period, self.cron or None, self.time_zone, timedelta(seconds=self.grace_seconds)),
            description=self.description,
            service=self.service or None,
            environment=self.environment or None,
            policy=self.policy or None,
            severity=self.severity,
        )


class PingView(BaseModel):
    """One ping."""

    at: datetime
    kind: PingKind
    exit_status: int | None
    duration_ms: int | None
    body: str

    @classmethod
    def of(cls, ping: Ping) -> PingView:
        length = int(ping.duration.total_seconds() * 1000) if ping.duration is not None else None
        return cls(at=ping.at, kind=ping.kind, exit_status=ping.exit_status, duration_ms=length, body=ping.body)


class HeartbeatView(HeartbeatBody):
    """A heartbeat as it is."""

    id: str
    ping_path: str | None = Field(description="Where it pings; only for those who may change it, since it is a secret.")
    state: BeatState
    started_at: datetime | None
    last_ping_at: datetime | None
    last_duration_ms: int | None
    late_at: datetime | None = Field(description="When silence makes it late.")
    down_at: datetime | None = Field(description="When silence makes it down, which raises an alert.")
    ping_count: int
    version: int
    created_at: datetime
    created_by: str

    @classmethod
    def of(cls, one: Heartbeat, *, secret: bool) -> HeartbeatView:
        beat, plan = one.beat, one.plan
        length = int(beat.last_duration.total_seconds() * 1000) if beat.last_duration is not None else None
        return cls(
            name=one.name,
            description=one.description,
            period_seconds=int(plan.period.total_seconds()) if plan.period is not None else None,
            cron=plan.cron,
            time_zone=plan.zone,
            grace_seconds=int(plan.grace.total_seconds()),
            service=one.service,
            environment=one.environment,
            policy=one.policy,
            severity=one.severity,
            id=one.id,
            ping_path=f"/ping/{one.ping_key}" if secret else None,
            state=beat.state,
            started_at=beat.started_at,
            last_ping_at=beat.last_ping_at,
            last_duration_ms=length,
            late_at=beat.late_at,
            down_at=beat.down_at,
            ping_count=one.ping_count,
            version=one.version,
            created_at=one.created_at,
            created_by=one.created_by,
        )


class HeartbeatDetail(HeartbeatView):
    """A heartbeat with its newest pings."""

    pings: list[PingView]


class HeartbeatList(BaseModel):
    """Heartbeats, by name."""

    items: list[HeartbeatView]
