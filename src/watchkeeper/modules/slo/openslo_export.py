"""Definitions as OpenSLO v1 documents: what reads back as the same."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from watchkeeper.modules.slo.definition import (
    AlertRule,
    Composite,
    Counted,
    DataSource,
    Definition,
    Freshness,
    Latency,
    Objective,
    Policy,
    Ratio,
    Responses,
    Window,
)
from watchkeeper.modules.slo.openslo import OPENSLO, OURS
from watchkeeper.modules.slo.openslo_parts import CALENDARS, camel, name_for
from watchkeeper_client.rules import duration_text

_CALENDAR_TEXT = {unit: text for text, unit in reversed(CALENDARS.items())}


def documents_of(definition: Definition) -> list[dict[str, Any]]:
    """The SLO, and its agreement where it has one."""
    found = [_slo(definition)]
    agreement = definition.agreement
    if agreement is not None:
        said = agreement.model_dump(mode="json", exclude_defaults=True)
        spec = {"sloRef": definition.name, **{camel(name): value for name, value in said.items()}}
        found.append(
            {
                "apiVersion": OURS,
                "kind": "ServiceLevelAgreement",
                "metadata": {"name": definition.name},
                "spec": spec,
            }
        )
    return found


def document_of_source(source: DataSource) -> dict[str, Any]:
    """A DataSource."""
    said = source.model_dump(mode="json", exclude_defaults=True)
    details = {camel(name): said[name] for name in ("url", "token_env", "scrape_interval") if name in said}
    spec = {"type": "prometheus", "connectionDetails": details}
    if source.description:
        spec = {"description": source.description, **spec}
    return {"apiVersion": OPENSLO, "kind": "DataSource", "metadata": _metadata(source), "spec": spec}


def document_of_policy(policy: Policy) -> dict[str, Any]:
    """An ErrorBudgetPolicy."""
    said = policy.model_dump(mode="json", exclude_defaults=True)
    said["steps"] = [
        {camel(name): value for name, value in step.model_dump(mode="json", exclude_none=True).items()}
        for step in policy.steps
    ]
    spec = {camel(name): value for name, value in said.items() if name != "name"}
    return {"apiVersion": OURS, "kind": "ErrorBudgetPolicy", "metadata": {"name": policy.name}, "spec": spec}


def _slo(definition: Definition) -> dict[str, Any]:
    metadata = _metadata(definition)
    annotations = _annotations(definition)
    if annotations:
        metadata["annotations"] = annotations
    if definition.tags:
        metadata["labels"] = {"tags": list(definition.tags)}
    spec: dict[str, Any] = {}
    if definition.description:
        spec["description"] = definition.description
    spec["service"] = definition.service
    spec["indicator"] = {
        "metadata": {"name": definition.indicator_name or definition.name},
        "spec": _indicator(definition),
    }
    spec["timeWindow"] = [_window(definition.window)]
    spec["budgetingMethod"] = "Occurrences" if definition.slices is None else "Timeslices"
    spec["objectives"] = [_objective(definition, one) for one in definition.objectives]
    if definition.alerting.rules is not None:
        spec["alertPolicies"] = [_policy(definition)]
    return {"apiVersion": OPENSLO, "kind": "SLO", "metadata": metadata, "spec": spec}


def _metadata(named: Definition | DataSource) -> dict[str, Any]:
    found: dict[str, Any] = {"name": named.name}
    if named.display_name:
        found["displayName"] = named.display_name
    return found


def _annotations(definition: Definition) -> dict[str, str]:
    fields, alerting = Definition.model_fields, definition.alerting
    found = {}
    if definition.excludes != fields["excludes"].default:
        found["excludes"] = ", ".join(definition.excludes)
    if not definition.critical:
        found["critical"] = "false"
    if not alerting.enabled:
        found["alerting"] = "off"
    if alerting.minimum_bad_events != type(alerting).model_fields["minimum_bad_events"].default:
        found["minimum-bad-events"] = str(alerting.minimum_bad_events)
    if alerting.silent_after != type(alerting).model_fields["silent_after"].default:
        found["silent-after"] = duration_text(alerting.silent_after)
    count = len(definition.objectives)
    read_back = [
        name_for(one.display_name or _shown(one, count), n, count) for n, one in enumerate(definition.objectives)
    ]
    if read_back != [one.name for one in definition.objectives]:
        found["objective-names"] = ", ".join(one.name for one in definition.objectives)
    return {f"watchkeeper/{name}": text for name, text in found.items()}


def _shown(one: Objective, count: int) -> str:
    return "" if count == 1 and one.name == "main" else one.name


def _objective(definition: Definition, one: Objective) -> dict[str, Any]:
    found: dict[str, Any] = {}
    shown = one.display_name or _shown(one, len(definition.objectives))
    if shown:
        found["displayName"] = shown
    if one.threshold is not None:
        found |= {"op": "lte", "value": _number(one.threshold / timedelta(milliseconds=1))}
    found["target"] = one.target
    if definition.slices is not None:
        found["timeSliceTarget"] = definition.slices.target
        found["timeSliceWindow"] = duration_text(definition.slices.length)
    return found


def _number(value: float) -> float | int:
    return int(value) if value == int(value) else value


def _indicator(definition: Definition) -> dict[str, Any]:
    indicator = definition.indicator
    if isinstance(indicator, Ratio):
        metric: dict[str, Any] = {} if indicator.about == "custom" else {"about": indicator.about}
        if indicator.total.counter_value or (indicator.total.query is not None and "{{" in indicator.total.query):
            metric["counter"] = True
        for name in ("good", "bad", "total"):
            counted: Counted | None = getattr(indicator, name)
            if counted is not None:
                metric[name] = {"metricSource": _source(counted)}
        return {"ratioMetric": metric}
    said = {camel(name): one for name, one in indicator.model_dump(mode="json", exclude_defaults=True).items()}
    spec = {"kind": indicator.kind, **said}
    if isinstance(indicator, Composite):
        spec["parts"] = [one.model_dump(mode="json", exclude_defaults=True) for one in indicator.parts]
    if isinstance(indicator, (Latency, Responses, Freshness)):
        return {"thresholdMetric": {"metricSource": {"type": "watchkeeper", "spec": {**spec, "unit": "ms"}}}}
    return {"ratioMetric": {"rawType": "success", "raw": {"metricSource": {"type": "watchkeeper", "spec": spec}}}}


def _source(counted: Counted) -> dict[str, Any]:
    if counted.query is not None:
        return {
            "metricSourceRef": counted.data_source,
            "type": "prometheus",
            "spec": {
                "query": counted.query,
                **({"service": counted.service} if counted.service else {}),
                **({"where": dict(counted.where)} if counted.where else {}),
                **({"counterValue": counted.counter_value} if "{{" in counted.query and counted.counter_value else {}),
            },
        }
    said = counted.model_dump(mode="json", exclude_defaults=True)
    return {"type": "watchkeeper", "spec": {camel(name): one for name, one in said.items()}}


def _window(window: Window) -> dict[str, Any]:
    if window.rolling is not None:
        return {"duration": duration_text(window.rolling), "isRolling": True}
    return {
        "duration": _CALENDAR_TEXT[window.calendar or "month"],
        "isRolling": False,
        "calendar": {"startTime": "2026-01-01 00:00:00", "timeZone": window.time_zone},
    }


def _policy(definition: Definition) -> dict[str, Any]:
    rules = definition.alerting.rules or ()
    return {
        "kind": "AlertPolicy",
        "metadata": {"name": definition.name},
        "spec": {"conditions": [_condition(definition, number, one) for number, one in enumerate(rules, start=1)]},
    }


def _condition(definition: Definition, number: int, rule: AlertRule) -> dict[str, Any]:
    annotations = {}
    if rule.short is not None:
        annotations["watchkeeper/short-window"] = duration_text(rule.short)
    if rule.misses is not None:
        annotations["watchkeeper/misses"] = str(rule.misses)
    if rule.budget is not None and rule.per is not None:
        annotations["watchkeeper/budget"] = f"{rule.budget!r} per {duration_text(rule.per)}"
    metadata: dict[str, Any] = {"name": f"{definition.name}-{number}"}
    if annotations:
        metadata["annotations"] = annotations
    burn = rule.burn_rate(definition.window.length)
    return {
        "kind": "AlertCondition",
        "metadata": metadata,
        "spec": {
            "severity": rule.action,
            "condition": {
                "kind": "burnrate",
                "op": "gte",
                "threshold": _number(burn),
                "lookbackWindow": duration_text(rule.long),
            },
        },
    }
