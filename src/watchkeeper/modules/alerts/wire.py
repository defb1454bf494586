"""JSON shapes of alerts: groups, their alerts, and what is done with them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, Field

from watchkeeper.kernel.web.wire import StrictModel
from watchkeeper.modules.alerts.model import AlertState, GroupState, Severity, Status, Suppression, Urgency
from watchkeeper.modules.alerts.store_details import Detail


class LinkView(BaseModel):
    """Somewhere to look."""

    text: str
    url: str


class GroupView(BaseModel):
    """A group of alerts: what people are paged about."""

    id: str
    version: int = Field(description="Grows with each change that a responder may have to hear of.")
    title: str
    status: Status
    severity: Severity
    urgency: Urgency
    service: str | None
    environment: str | None
    family: str = Field(description="What its alerts have in common, such as the name of a rule.")
    suppressed: Suppression | None = Field(description="Why nobody is paged for it; null when it pages.")
    suppressed_by: str | None = Field(description="The silence, maintenance window or other group that keeps it quiet.")
    flapping: bool = Field(description="It comes and goes: it stays open until it was calm for a while.")
    alert_count: int
    firing_count: int
    event_count: int = Field(description="Words of its alerts that came, repeats included.")
    policy: str | None
    slo: str | None
    integration: str
    opened_at: datetime
    updated_at: datetime
    last_event_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    acknowledged_until: datetime | None
    snoozed_until: datetime | None
    resolved_at: datetime | None
    resolved_by: str | None
    href: str

    @classmethod
    def of(cls, group: GroupState) -> GroupView:
        values = {name: getattr(group, name) for name in cls.model_fields if name not in ("family", "href")}
        return cls(**values, family=group.key, href=f"/alerts/{group.id}")


class DetailView(BaseModel):
    """What an alert said."""

    title: str
    severity: Severity
    details: dict[str, Any]
    first_at: datetime
    last_at: datetime
    count: int = Field(description="How often it said just this.")

    @classmethod
    def of(cls, detail: Detail) -> DetailView:
        return cls(
            title=detail.title,
            severity=detail.severity,
            details=dict(detail.content),
            first_at=detail.first_at,
            last_at=detail.last_at,
            count=detail.count,
        )


class AlertView(BaseModel):
    """One alert of a group."""

    id: str
    title: str
    firing: bool
    severity: Severity
    dedup_key: str
    labels: dict[str, str]
    links: list[LinkView]
    starts_at: datetime
    ends_at: datetime | None
    first_at: datetime
    last_at: datetime
    event_count: int
    silence: str | None
    said: list[DetailView] = Field(description="Its newest distinct details, newest first; at most 20.")

    @classmethod
    def of(cls, alert: AlertState, said: list[Detail]) -> AlertView:
        values = {name: getattr(alert, name) for name in cls.model_fields if name not in ("labels", "links", "said")}
        return cls(
            **values,
            labels=dict(alert.labels),
            links=[LinkView(text=one.text, url=one.url) for one in alert.links],
            said=[DetailView.of(one) for one in said],
        )


class GroupDetailView(GroupView):
    """A group with its alerts."""

    alerts: list[AlertView] = Field(description="At most 100: those that fire first, then the newest.")


class AcknowledgeOrder(StrictModel):
    """Take it."""

    until: AwareDatetime | None = Field(None, description="After it, nobody has it any more. Unset: until it is over.")


class UnacknowledgeOrder(StrictModel):
    """Give it back."""

    reason: str = Field("", max_length=500)


class SnoozeOrder(StrictModel):
    """Page nobody for a while."""

    until: AwareDatetime = Field(description="At most seven days from now; then it pages again if it is open.")
    reason: str = Field("", max_length=500)


class ResolveOrder(StrictModel):
    """Call it over."""

    reason: str = Field(min_length=1, max_length=500)
