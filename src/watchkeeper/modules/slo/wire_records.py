"""Our JSON of what is around objectives: exclusions, adjustments, policies, data sources, verdicts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from watchkeeper.kernel.web.wire import StrictModel
from watchkeeper.modules.slo.definition import DataSource, ExclusionKind, Name, Policy, PolicyAction
from watchkeeper.modules.slo.model import Adjustment, Exclusion

Reason = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class Why(StrictModel):
    """A reason."""

    reason: Reason


class NewExclusion(StrictModel):
    """A stretch whose events do not count: of a service, or of the SLOs that are listed."""

    kind: ExclusionKind
    service: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    slos: list[Name] = Field(default_factory=list, max_length=200)
    since: AwareDatetime
    until: AwareDatetime | None = Field(None, description="Unset: until it is ended.")
    reason: Reason


class ExclusionView(BaseModel):
    """A recorded exclusion."""

    id: str
    kind: ExclusionKind
    service: str | None
    slos: list[str]
    since: datetime
    until: datetime | None
    reason: str
    created_by: str
    created_at: datetime
    withdrawn_at: datetime | None

    @classmethod
    def of(cls, one: Exclusion) -> ExclusionView:
        return cls(**{**vars(one), "slos": list(one.slos)})


class ExclusionList(BaseModel):
    """Newest first."""

    items: list[ExclusionView]


class NewAdjustment(StrictModel):
    """Bad events that are to be given back to the budget of the window that holds `at`."""

    slo: Name
    objective: Name = "main"
    events: float = Field(gt=0, le=1e12)
    at: AwareDatetime | None = Field(None, description="Unset: now.")
    incident: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    reason: Reason


class AdjustmentView(BaseModel):
    """An adjustment and what became of it."""

    id: str
    slo: str
    objective: str
    events: float
    at: datetime
    reason: str
    incident: str | None
    state: Literal["waiting", "approved", "rejected"]
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None

    @classmethod
    def of(cls, one: Adjustment) -> AdjustmentView:
        return cls(**vars(one))


class AdjustmentList(BaseModel):
    """Newest first."""

    items: list[AdjustmentView]


class PolicyList(BaseModel):
    """By name."""

    items: list[Policy]


class DataSourceList(BaseModel):
    """By name."""

    items: list[DataSource]


class VerdictView(BaseModel):
    """What the error-budget policy says of a service now: the strictest action of its SLOs, and why."""

    service: str
    policy: str | None
    action: PolicyAction | None
    may_deploy: bool = Field(description="Whether a deployment that is not critical may go out.")
    may_deploy_critical: bool = Field(description="Whether one that mends something may go out.")
    reasons: list[str]
    postmortems_due: list[str] = Field(description="Alerts of which one took more of a budget than the policy lets go.")
