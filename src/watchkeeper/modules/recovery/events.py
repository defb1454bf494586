"""The facts of recovery."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from watchkeeper.kernel.journal import Event, Subject


@dataclass(frozen=True, kw_only=True)
class _OfRule(Event):
    rule: str

    def subject(self) -> Subject:
        return Subject("recovery_rule", self.rule)


@dataclass(frozen=True, kw_only=True)
class RulePut(_OfRule):
    """What files say of a rule; it begins in dry run, whatever it was before."""

    kind: ClassVar[str] = "recovery.rule_put"

    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The recovery rule {data['rule']} was {'changed' if data['before'] else 'added'}: it begins in dry run."


@dataclass(frozen=True, kw_only=True)
class RuleRemoved(_OfRule):
    kind: ClassVar[str] = "recovery.rule_removed"

    before: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The recovery rule {data['rule']} was removed."


@dataclass(frozen=True, kw_only=True)
class RuleArmed(_OfRule):
    kind: ClassVar[str] = "recovery.armed"

    mode: str
    reason: str = ""

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        how = {"automatic": "acts by itself", "approval": "asks before it acts"}.get(
            data["mode"], "only says what it would do"
        )
        return f"The recovery rule {data['rule']} was armed: it {how}."


@dataclass(frozen=True, kw_only=True)
class RuleDisarmed(_OfRule):
    kind: ClassVar[str] = "recovery.disarmed"

    reason: str = ""

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The recovery rule {data['rule']} was disarmed."


@dataclass(frozen=True, kw_only=True)
class BreakerOpened(_OfRule):
    kind: ClassVar[str] = "recovery.breaker_opened"

    attempt: str
    reason: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The recovery rule {data['rule']} failed and does nothing more until it is reset: {data['reason']}."


@dataclass(frozen=True, kw_only=True)
class BreakerReset(_OfRule):
    kind: ClassVar[str] = "recovery.breaker_reset"

    reason: str = ""

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The circuit breaker of the recovery rule {data['rule']} was reset."


@dataclass(frozen=True, kw_only=True)
class Rehearsed(_OfRule):
    kind: ClassVar[str] = "recovery.rehearsed"

    run: str
    state: str
    detail: str = ""

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        why = f" ({data['detail']})" if data.get("detail") else ""
        return f"The recovery rule {data['rule']} was rehearsed: {str(data['state']).replace('_', ' ')}{why}."


@dataclass(frozen=True, kw_only=True)
class _OfAttempt(Event):
    attempt: str
    rule: str
    service_name: str
    group: str

    def subject(self) -> Subject:
        return Subject("recovery_attempt", self.attempt)

    def service(self) -> str:
        return self.service_name


@dataclass(frozen=True, kw_only=True)
class AttemptBegun(_OfAttempt):
    """`mode`: dry_run says what would be done, approval waits for somebody, automatic acts. `run`: of the runbook."""

    kind: ClassVar[str] = "recovery.attempt_begun"

    mode: str
    runbook: str
    steps: tuple[str, ...]
    run: str | None = None
    approved_by: str | None = None

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        words = {"dry_run": "would run", "approval": "wants to run"}.get(data["mode"], "runs")
        words = "runs" if data.get("approved_by") else words
        what = f"{', '.join(data['steps'])} of {data['runbook']}"
        return f"The recovery rule {data['rule']} {words} {what} for {data['service_name']}."


@dataclass(frozen=True, kw_only=True)
class AttemptEnded(_OfAttempt):
    kind: ClassVar[str] = "recovery.attempt_ended"

    state: str
    detail: str
    lasted_seconds: int = 0

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        word = str(data["state"]).replace("_", " ")
        return f"Recovery of {data['service_name']} by the rule {data['rule']}: {word} ({data['detail']})."


@dataclass(frozen=True, kw_only=True)
class HeldBack(_OfAttempt):
    """A rule was for this alert and did not act; told once for each reason of an alert. `attempt` is the alert's id."""

    kind: ClassVar[str] = "recovery.held_back"

    why: str

    def subject(self) -> Subject:
        return Subject("recovery_rule", self.rule)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The recovery rule {data['rule']} did nothing for {data['service_name']}: {data['why']}."
