"""Definitions as documents of OpenSLO v1 (and our own beside it): reading them back gives the same definitions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from watchkeeper.kernel.ops import write_documents
from watchkeeper.modules.slo.definition import (
    AlertRule,
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
from watchkeeper.modules.slo.files.openslo_indicator import ABOUT, UNITS, has_window
from watchkeeper.modules.slo.files.openslo_slo import (
    ALERTING,
    CRITICAL,
    EXCLUDES,
    MINIMUM,
    OBJECTIVES,
    PERIODS,
    SILENT,
    TIME_ZONE,
    beginning_of,
    derived_names,
)
from watchkeeper.modules.slo.files.openslo_wire import OPENSLO, OURS
from watchkeeper_client.rules import duration_text

_NAMES = {period: duration for duration, period in reversed(list(PERIODS.items()))}


def text_of(
    definitions: Iterable[Definition], data_sources: Iterable[DataSource] = (), policies: Iterable[Policy] = ()
) -> str:
    """All of them as one file."""
    documents = [
        *(data_source_document(one) for one in data_sources),
        *(document for one in definitions for document in slo_documents(one)),
        *(policy_document(one) for one in policies),
    ]
    return write_documents(documents)


def slo_documents(definition: Definition) -> list[dict[str, Any]]:
    """The SLO, and the agreement beside it."""
    documents = [_slo(definition)]
    if definition.agreement is not None:
        said = {"sloRef": definition.name, **_said(definition.agreement)}
        documents.append(_document(OURS, "ServiceLevelAgreement", {"name": definition.name}, said))
    return documents


def data_source_document(source: DataSource) -> dict[str, Any]:
    """How a server is reached."""
    details = {name: one for name, one in _said(source).items() if name in ("url", "scrapeInterval", "tokenEnv")}
    spec = {"type": "Prometheus", "connectionDetails": [{name: one} for name, one in details.items()]}
    if source.description:
        spec = {"description": source.description, **spec}
    return _document(OPENSLO, "DataSource", _metadata(source.name, source.display_name), spec)


def policy_document(policy: Policy) -> dict[str, Any]:
    """What a spent budget means."""
    spec = {name: one for name, one in _said(policy).items() if name != "name"}
    return _document(OURS, "ErrorBudgetPolicy", {"name": policy.name}, {**spec, "steps": spec.get("steps", [])})


def _document(version: str, kind: str, metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": dict(metadata), "spec": dict(spec)}


def _metadata(name: str, display_name: str) -> dict[str, Any]:
    return {"name": name, **({"displayName": display_name} if display_name else {})}


def _slo(definition: Definition) -> dict[str, Any]:
    unit = _unit(definition)
    spec: dict[str, Any] = {"description": definition.description} if definition.description else {}
    spec |= {
        "service": definition.service,
        "indicator": _indicator(definition, unit),
        "timeWindow": [_window(definition.window)],
        "budgetingMethod": "Occurrences" if definition.slices is None else "Timeslices",
        "objectives": [_objective(definition, one, unit) for one in definition.objectives],
    }
    rules = definition.alerting.rules
    if rules is not None:
        spec["alertPolicies"] = [_policy(definition.name, number, rule) for number, rule in enumerate(rules, start=1)]
    metadata = _metadata(definition.name, definition.display_name)
    if definition.tags:
        metadata["labels"] = {"tags": list(definition.tags)}
    annotations = _annotations(definition)
    if annotations:
        metadata["annotations"] = annotations
    return _document(OPENSLO, "SLO", metadata, spec)


def _annotations(definition: Definition) -> dict[str, str]:
    alerting, fields = definition.alerting, type(definition.alerting).model_fields
    found = {}
    if alerting.minimum_bad_events != fields["minimum_bad_events"].default:
        found[MINIMUM] = str(alerting.minimum_bad_events)
    if alerting.silent_after != fields["silent_after"].default:
        found[SILENT] = duration_text(alerting.silent_after)
    if not alerting.enabled:
        found[ALERTING] = "off"
    if definition.excludes != Definition.model_fields["excludes"].default:
        found[EXCLUDES] = ", ".join(definition.excludes) or "none"
    if not definition.critical:
        found[CRITICAL] = "false"
    if definition.window.rolling is not None and definition.window.time_zone != "UTC":
        found[TIME_ZONE] = definition.window.time_zone
    said = [(one.name, one.display_name) for one in definition.objectives]
    if derived_names([("", _shown(one)) for one in definition.objectives]) != said:
        found[OBJECTIVES] = ", ".join(name for name, _ in said)
    return found


def _shown(objective: Objective) -> str:
    """What names an objective where no annotation does."""
    return objective.display_name or ("" if objective.name == "main" else objective.name)


def _objective(definition: Definition, objective: Objective, unit: str | None) -> dict[str, Any]:
    by_annotation = OBJECTIVES in _annotations(definition)
    shown = objective.display_name if by_annotation else _shown(objective)
    found: dict[str, Any] = {"displayName": shown} if shown else {}
    if objective.threshold is not None and unit is not None:
        found |= {"op": "lte", "value": objective.threshold // timedelta(milliseconds=UNITS[unit])}
    found["target"] = objective.target
    if definition.slices is not None:
        found |= {
            "timeSliceTarget": definition.slices.target,
            "timeSliceWindow": duration_text(definition.slices.length),
        }
    return found


def _window(window: Window) -> dict[str, Any]:
    if window.rolling is not None:
        return {"duration": duration_text(window.rolling), "isRolling": True}
    period = window.calendar or "month"
    calendar = {"startTime": beginning_of(period), "timeZone": window.time_zone}
    return {"duration": _NAMES[period], "isRolling": False, "calendar": calendar}


def _unit(definition: Definition) -> str | None:
    """The largest unit in which every threshold is a whole number."""
    if not isinstance(definition.indicator, (Latency, Responses, Freshness)):
        return None
    spans = [one.threshold for one in definition.objectives if one.threshold is not None]
    return next(
        (unit for unit in ("h", "m", "s") if all(not one % timedelta(milliseconds=UNITS[unit]) for one in spans)), "ms"
    )


def _indicator(definition: Definition, unit: str | None) -> dict[str, Any]:
    indicator = definition.indicator
    metadata: dict[str, Any] = {"name": definition.indicator_name or definition.name}
    annotations = {"watchkeeper/named": "true"} if definition.indicator_name == definition.name else {}
    if isinstance(indicator, Ratio):
        if indicator.about != "custom":
            annotations[ABOUT] = indicator.about
        spec: dict[str, Any] = {"ratioMetric": _ratio(indicator)}
    else:
        said = {"kind": indicator.kind, **_said(indicator)}
        source = {"metricSource": {"type": "watchkeeper", "spec": {**said, **({"unit": unit} if unit else {})}}}
        spec = {"thresholdMetric": source} if unit else {"ratioMetric": {"rawType": "success", "raw": source}}
    if annotations:
        metadata["annotations"] = annotations
    return {"metadata": metadata, "spec": spec}


def _ratio(ratio: Ratio) -> dict[str, Any]:
    counts = [one for one in (ratio.good, ratio.bad, ratio.total) if one is not None]
    counter = any(one.counter_value or one.query is None for one in counts)
    found: dict[str, Any] = {"counter": counter}
    for name, one in (("good", ratio.good), ("bad", ratio.bad), ("total", ratio.total)):
        if one is not None:
            found[name] = {"metricSource": _counted(one, counter=counter)}
    return found


def _counted(counted: Counted, *, counter: bool) -> dict[str, Any]:
    said = _said(counted)
    said.pop("counterValue", None)
    if counted.query is None:
        if counted.counter_value:
            said["counterValue"] = True
        return {"type": "watchkeeper", "spec": said}
    windowed = has_window(counted.query)
    if counted.counter_value != (counter and not windowed) or (not counter and not windowed):
        said["counterValue"] = counted.counter_value
    source = said.pop("dataSource")
    return {"type": "Prometheus", "metricSourceRef": source, "spec": said}


def _policy(slo: str, number: int, rule: AlertRule) -> dict[str, Any]:
    name = f"{slo[:50].rstrip('-')}-{rule.action}-{number}"
    condition: dict[str, Any] = {"kind": "burnrate", "op": "gte", "threshold": rule.burn}
    if rule.misses is not None:
        condition |= {"kind": "misses", "threshold": rule.misses}
    elif rule.budget is not None and rule.per is not None:
        condition |= {"kind": "budget", "threshold": rule.budget, "per": duration_text(rule.per)}
    condition["lookbackWindow"] = duration_text(rule.long)
    if rule.short is not None:
        condition["alertAfter"] = duration_text(rule.short)
    return {
        "kind": "AlertPolicy",
        "metadata": {"name": name},
        "spec": {
            "alertWhenNoData": True,
            "alertWhenResolved": True,
            "alertWhenBreaching": True,
            "conditions": [
                {
                    "kind": "AlertCondition",
                    "metadata": {"name": name},
                    "spec": {"severity": rule.action, "condition": condition},
                }
            ],
        },
    }


def _said(model: BaseModel) -> dict[str, Any]:
    """What is not as if never said, with the names of files."""
    plain: dict[str, Any] = _camel(model.model_dump(mode="json", exclude_defaults=True))
    return plain


def _camel(value: Any) -> Any:
    if isinstance(value, dict):
        return {to_camel(name): one if name == "where" else _camel(one) for name, one in value.items()}
    return [_camel(one) for one in value] if isinstance(value, list) else value
