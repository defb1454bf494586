"""JSON of recovery."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from watchkeeper.kernel.web.wire import StrictModel
from watchkeeper.modules.recovery.model import Attempt
from watchkeeper.modules.recovery.store import Held


class AttemptView(BaseModel):
    """One time that a rule acted, or would have."""

    id: str
    rule: str
    service: str
    alert: str
    state: str
    mode: str
    run: str | None
    started_at: datetime
    acted_at: datetime | None = Field(description="When its steps were done.")
    due_at: datetime | None = Field(description="Until when it waits, for an approval or for the symptom to go.")
    finished_at: datetime | None
    detail: str
    approved_by: str | None

    @classmethod
    def of(cls, one: Attempt) -> AttemptView:
        return cls(
            id=one.id,
            rule=one.rule,
            service=one.service,
            alert=one.group,
            state=one.state.value,
            mode=one.mode.value,
            run=one.run,
            started_at=one.started_at,
            acted_at=one.acted_at,
            due_at=one.due_at,
            finished_at=one.finished_at,
            detail=one.detail,
            approved_by=one.approved_by,
        )


class RuleView(BaseModel):
    """A rule, whether it may act, and how it went."""

    name: str
    armed: bool
    mode: str = Field(description="`dry_run`, `approval` or `automatic`.")
    armed_by: str | None = Field(description="Who let it act, by name; null while it may not.")
    breaker_open: bool
    breaker_reason: str
    rehearsed_at: datetime | None
    rehearsed_state: str
    rehearsed_detail: str = Field(description="Why its last rehearsal ended so, such as a refusal.")
    said: dict[str, Any] = Field(description="What its file says.")
    fights: dict[str, str] = Field(description="Rules that it would work against, and why; they never run together.")
    attempts: list[AttemptView]

    @classmethod
    def of(
        cls,
        held: Held,
        fights: dict[str, str],
        attempts: list[Attempt],
        *,
        armed_by: str | None,
        rehearsed_detail: str,
    ) -> RuleView:
        return cls(
            name=held.rule.name,
            armed=held.armed,
            mode=held.rule.mode.value,
            armed_by=armed_by,
            breaker_open=held.breaker.is_open,
            breaker_reason=held.breaker.reason,
            rehearsed_at=held.rehearsed_at,
            rehearsed_state=held.rehearsed_state,
            rehearsed_detail=rehearsed_detail,
            said=dict(held.content),
            fights=fights,
            attempts=[AttemptView.of(one) for one in attempts],
        )


class RuleList(BaseModel):
    """Every rule by name."""

    items: list[RuleView]


class AttemptList(BaseModel):
    """Attempts, the newest first."""

    items: list[AttemptView]


class RehearsalView(BaseModel):
    """A rehearsal that was begun."""

    rule: str
    run: str
    dry_run: bool = Field(description="Nothing is carried out: its steps take no environment.")


class ArmOrder(StrictModel):
    """Let a rule act."""

    mode: Literal["dry_run", "approval", "automatic"]
    reason: str = Field(min_length=1, max_length=400)


class ReasonOrder(StrictModel):
    """Why."""

    reason: str = Field(min_length=1, max_length=400)
