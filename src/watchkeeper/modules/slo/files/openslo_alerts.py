"""Alert policies and conditions of OpenSLO as alert rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from watchkeeper.kernel.ops import Complaints, Document, Located, Position
from watchkeeper.modules.slo.definition import AlertRule
from watchkeeper.modules.slo.files.openslo_wire import Condition, ConditionSpec, PolicyItem, PolicySpec

Path = tuple[Any, ...]
_PAGES = ("page", "critical", "high", "sev1", "p1")
_TICKETS = ("ticket", "warning", "medium", "low", "info", "notify")


@dataclass
class Rules:
    """Finds the rules of policies; `documents` are those of all files, by kind and name."""

    documents: Mapping[str, Located[Any]]
    complaints: Complaints
    _known: dict[str, list[tuple[AlertRule, Position]]] = field(default_factory=dict)

    def of(self, items: list[PolicyItem], document: Document, path: Path) -> list[tuple[AlertRule, Position]]:
        """The rules of an SLO's alert policies, with where they stand."""
        found = []
        for number, item in enumerate(items):
            here = (*path, number)
            if item.spec is not None and item.alert_policy_ref is None:
                found += self._policy(item.spec, document, (*here, "spec"))
            elif item.alert_policy_ref is not None and item.spec is None:
                found += self.named(item.alert_policy_ref, document.place((*here, "alertPolicyRef")))
            else:
                self.complaints.add(document.place(here), "alertPolicyRef, or a policy with its spec")
        return found

    def named(self, name: str, at: Position) -> list[tuple[AlertRule, Position]]:
        """The rules of a policy that stands by itself."""
        if name in self._known:
            return self._known[name]
        found = self.documents.get(f"AlertPolicy {name}")
        if found is None:
            self.complaints.add(at, f"an AlertPolicy that is in these files; {name} is none")
            return []
        self._known[name] = self._policy(found.value.value.spec, found.document, ("spec",))
        return self._known[name]

    def _policy(self, spec: PolicySpec, document: Document, path: Path) -> list[tuple[AlertRule, Position]]:
        found = []
        for number, target in enumerate(spec.notification_targets):
            here = (*path, "notificationTargets", number)
            if (target.target_ref is None) == (target.spec is None):
                self.complaints.add(document.place(here), "targetRef, or a target with its spec")
            elif target.target_ref and f"AlertNotificationTarget {target.target_ref}" not in self.documents:
                self.complaints.add(
                    document.place((*here, "targetRef")),
                    f"an AlertNotificationTarget that is in these files; {target.target_ref} is none",
                )
        for number, item in enumerate(spec.conditions):
            here = (*path, "conditions", number)
            if item.spec is not None and item.condition_ref is None:
                rule = self._rule(item.spec, document, (*here, "spec"))
            elif item.condition_ref is not None and item.spec is None:
                rule = self._condition(item.condition_ref, document.place((*here, "conditionRef")))
            else:
                self.complaints.add(document.place(here), "conditionRef, or a condition with its spec")
                continue
            if rule is not None and spec.alert_when_breaching:
                found.append(rule)
        return found

    def _condition(self, name: str, at: Position) -> tuple[AlertRule, Position] | None:
        found = self.documents.get(f"AlertCondition {name}")
        if found is None:
            self.complaints.add(at, f"an AlertCondition that is in these files; {name} is none")
            return None
        return self._rule(found.value.value.spec, found.document, ("spec",))

    def _rule(self, spec: ConditionSpec, document: Document, path: Path) -> tuple[AlertRule, Position] | None:
        at = document.place((*path, "condition"))
        severity = spec.severity.lower()
        if severity not in (*_PAGES, *_TICKETS):
            self.complaints.add(document.place((*path, "severity")), f"page or ticket, found {spec.severity!r}")
            return None
        said = _said(spec.condition)
        try:
            return AlertRule(**said, action="page" if severity in _PAGES else "ticket"), at
        except ValidationError as error:
            for problem in error.errors():
                text = problem["msg"].removeprefix("Value error, ")
                self.complaints.add(at, _in_words(text, spec.condition))
            return None


def _said(condition: Condition) -> dict[str, Any]:
    window = {"long": condition.lookback_window, "short": condition.alert_after or None}
    if condition.kind == "misses":
        # A broken number is none of misses; AlertRule says so.
        return {**window, "misses": condition.threshold}
    if condition.kind == "budget":
        return {**window, "budget": condition.threshold, "per": condition.per}
    return {**window, "burn": condition.threshold, "per": condition.per}


def _in_words(text: str, condition: Condition) -> str:
    if condition.kind == "budget" and condition.per is None:
        return "per beside kind: budget, such as per: 1d"
    if condition.kind != "budget" and condition.per is not None:
        return "per only beside kind: budget"
    return (
        text.removesuffix(" was expected")
        .replace("short window", "alertAfter")
        .replace("long window", "lookbackWindow")
        .replace("the long one", "lookbackWindow")
    )
