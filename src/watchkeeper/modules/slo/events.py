"""The facts that objectives publish."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from watchkeeper.kernel.journal import Effect, Event, Subject


@dataclass(frozen=True, kw_only=True)
class _OfSlo(Event):
    slo: str
    service_name: str

    def subject(self) -> Subject:
        return Subject("slo", self.slo)

    def service(self) -> str | None:
        return self.service_name or None


@dataclass(frozen=True, kw_only=True)
class SloDefined(_OfSlo):
    kind: ClassVar[str] = "slo.defined"

    after: Mapping[str, Any]

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The SLO {data['slo']} was defined."


@dataclass(frozen=True, kw_only=True)
class SloChanged(_OfSlo):
    kind: ClassVar[str] = "slo.changed"
    effect: ClassVar[Effect] = Effect.WORDS

    before: Mapping[str, Any]
    after: Mapping[str, Any]
    counted_anew: bool = False

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        anew = "; what it measures is another, and its counts begin anew" if data["counted_anew"] else ""
        return f"The SLO {data['slo']} was changed{anew}."


@dataclass(frozen=True, kw_only=True)
class SloRemoved(_OfSlo):
    kind: ClassVar[str] = "slo.removed"

    before: Mapping[str, Any]
    reason: str = ""

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The SLO {data['slo']} was removed."


@dataclass(frozen=True, kw_only=True)
class _OfRecord(Event):
    name: str
    type: str

    def subject(self) -> Subject:
        return Subject(f"slo_{self.type}", self.name)


@dataclass(frozen=True, kw_only=True)
class RecordPut(_OfRecord):
    """A data source or an error-budget policy was said or changed."""

    kind: ClassVar[str] = "slo.record_put"

    before: Mapping[str, Any] | None
    after: Mapping[str, Any]

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        what = "error-budget policy" if data["type"] == "policy" else "data source"
        return f"The {what} {data['name']} was {'changed' if data['before'] else 'added'}."


@dataclass(frozen=True, kw_only=True)
class RecordRemoved(_OfRecord):
    kind: ClassVar[str] = "slo.record_removed"

    before: Mapping[str, Any]
    reason: str = ""

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        what = "error-budget policy" if data["type"] == "policy" else "data source"
        return f"The {what} {data['name']} was removed."


@dataclass(frozen=True, kw_only=True)
class _OfAlert(_OfSlo):
    """`alert` is the id of the episode; `dedup_key` is the same for each episode of it."""

    alert: str
    objective: str
    alert_kind: str
    action: str
    dedup_key: str
    detail: str

    def subject(self) -> Subject:
        return Subject("slo", self.slo) if self.slo else Subject("slo_source", self.dedup_key)


@dataclass(frozen=True, kw_only=True)
class AlertFired(_OfAlert):
    """`repeated`: it came back within an episode that somebody was called for already."""

    kind: ClassVar[str] = "slo.alert_fired"

    rules: list[str] = field(default_factory=list)
    burn: float = 0.0
    budget_spent: float = 0.0
    repeated: bool = False

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        again = " again" if data["repeated"] else ""
        if data["alert_kind"] == "source_silent":
            return f"Nothing is measured{again}: {data['detail']}"
        return f"{data['slo']} is burning its error budget{again}: {data['detail']}"


@dataclass(frozen=True, kw_only=True)
class AlertResolved(_OfAlert):
    kind: ClassVar[str] = "slo.alert_resolved"

    lasted_seconds: int = 0

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        if data["alert_kind"] == "source_silent":
            return f"It is measured again: {data['detail']}"
        return f"{data['slo']} no longer burns its error budget too fast."


@dataclass(frozen=True, kw_only=True)
class HoursRevised(_OfSlo):
    """Late data changed hours that had been told already."""

    kind: ClassVar[str] = "slo.hours_revised"

    objective: str
    hours: int
    first_hour: str
    last_hour: str
    before: Mapping[str, float]
    after: Mapping[str, float]

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"Late data changed {data['hours']} hours of {data['slo']} that had been told already."


@dataclass(frozen=True, kw_only=True)
class _OfExclusion(Event):
    exclusion: str
    exclusion_kind: str
    service_name: str | None
    slos: list[str]

    def subject(self) -> Subject:
        return Subject("slo_exclusion", self.exclusion)

    def service(self) -> str | None:
        return self.service_name


@dataclass(frozen=True, kw_only=True)
class ExclusionRecorded(_OfExclusion):
    kind: ClassVar[str] = "slo.exclusion_recorded"

    since: str
    until: str | None
    reason: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        what = str(data["exclusion_kind"]).replace("_", " ")
        return f"A stretch of {what} was recorded: its events do not count."


@dataclass(frozen=True, kw_only=True)
class ExclusionEnded(_OfExclusion):
    kind: ClassVar[str] = "slo.exclusion_ended"

    until: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The {str(data['exclusion_kind']).replace('_', ' ')} ended: events count again."


@dataclass(frozen=True, kw_only=True)
class ExclusionWithdrawn(_OfExclusion):
    kind: ClassVar[str] = "slo.exclusion_withdrawn"

    reason: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return "An exclusion was withdrawn: its events count after all."


@dataclass(frozen=True, kw_only=True)
class _OfAdjustment(_OfSlo):
    adjustment: str
    objective: str
    events: float


@dataclass(frozen=True, kw_only=True)
class AdjustmentProposed(_OfAdjustment):
    kind: ClassVar[str] = "slo.adjustment_proposed"

    reason: str
    incident: str | None

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"Giving {data['events']} bad events back to the budget of {data['slo']} was proposed."


@dataclass(frozen=True, kw_only=True)
class AdjustmentDecided(_OfAdjustment):
    kind: ClassVar[str] = "slo.adjustment_decided"

    decision: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"Giving {data['events']} bad events back to the budget of {data['slo']} was {data['decision']}."
