"""The parts of an OpenSLO document: indicators, windows, objectives, alert policies, each with where it stands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from watchkeeper.kernel.ops.documents import Document, Position
from watchkeeper.modules.slo.definition import NAME

Path = tuple[Any, ...]
Named = Mapping[tuple[str, str], Document]
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
CALENDARS = {"1d": "day", "1w": "week", "1M": "month", "1Q": "quarter", "1Y": "year", "3M": "quarter"}
METHODS = ("Occurrences", "Timeslices", "RatioTimeslices")
_THRESHOLDS = ("latency", "responses", "freshness")


class Faulty(Exception):
    """Something is wrong at a place; the text says what was expected."""

    def __init__(self, at: Position, expected: str) -> None:
        super().__init__(expected)
        self.at = at
        self.expected = expected


@dataclass
class Built:
    """A canonical value in the making, and where each part of it stands."""

    document: Document
    value: dict[str, Any] = field(default_factory=dict)
    places: dict[Path, tuple[Document, Path]] = field(default_factory=dict)

    def put(self, canonical: Path, said: Any, path: Path, document: Document | None = None) -> None:
        """Set a value of the canonical form, which stands at `path`."""
        into: Any = self.value
        for step in canonical[:-1]:
            into = into.setdefault(step, {})
        into[canonical[-1]] = said
        self.places[canonical] = (document or self.document, path)

    def place(self, canonical: Path) -> Position:
        """Where it stands, or the nearest thing around it."""
        for length in range(len(canonical), 0, -1):
            if canonical[:length] in self.places:
                document, path = self.places[canonical[:length]]
                return document.place((*path, *(camel(one) for one in canonical[length:])))
        return self.document.at


def camel(name: Any) -> Any:
    """`exclude_routes` as files write it."""
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), name) if isinstance(name, str) else name


def snake(value: Any) -> Any:
    """Fields of an indicator as the canonical form writes them; what people named (attributes) stays."""
    if not isinstance(value, dict):
        return [snake(one) for one in value] if isinstance(value, list) else value
    return {
        re.sub(r"(?<=[a-z0-9])([A-Z])", lambda found: f"_{found[1].lower()}", str(key)): one
        if key == "where"
        else snake(one)
        for key, one in value.items()
    }


def indicator_of(built: Built, spec: Mapping[str, Any], named: Named) -> None:
    """`indicator` (inline) or `indicatorRef`."""
    document = built.document
    path: Path = ("spec", "indicator")
    if ("indicator" in spec) == ("indicatorRef" in spec):
        raise Faulty(document.place(("spec",)), "either indicator or indicatorRef")
    said: Any = spec.get("indicator")
    if "indicatorRef" in spec:
        found = named.get(("SLI", str(spec["indicatorRef"])))
        if found is None:
            raise Faulty(
                document.place(("spec", "indicatorRef")),
                f"the name of an SLI in these files, found {spec['indicatorRef']!r}",
            )
        document, path, said = found, (), found.value
        built.put(("indicator_name",), spec["indicatorRef"], ("spec", "indicatorRef"))
    inner = said.get("spec") if isinstance(said, dict) else None
    if not isinstance(inner, dict):
        raise Faulty(document.place(path), "an indicator with a spec")
    at = (*path, "spec")
    if "thresholdMetric" in inner:
        _threshold(built, document, inner["thresholdMetric"], (*at, "thresholdMetric"))
    elif "ratioMetric" in inner:
        _ratio(built, document, inner["ratioMetric"], (*at, "ratioMetric"))
    else:
        raise Faulty(document.place(at), "ratioMetric or thresholdMetric")


def _threshold(built: Built, document: Document, metric: Any, path: Path) -> None:
    source, at = _source(document, metric, path)
    if source["type"] != "watchkeeper":
        raise Faulty(document.place(at), "type: watchkeeper; what Prometheus knows is counted in a ratioMetric")
    said = dict(source["spec"])
    unit = said.pop("unit", None)
    if unit not in UNITS:
        raise Faulty(document.place((*at, "spec", "unit")), f"unit: one of {', '.join(UNITS)}, of the values")
    if said.get("kind") not in _THRESHOLDS:
        raise Faulty(document.place((*at, "spec", "kind")), f"one of {', '.join(_THRESHOLDS)} for kind")
    built.put(("indicator",), snake(said), (*at, "spec"), document)
    built.places["unit",] = (document, (unit,))


def _ratio(built: Built, document: Document, metric: Any, path: Path) -> None:
    if not isinstance(metric, dict):
        raise Faulty(document.place(path), "ratioMetric with total and good or bad, or with raw")
    if "raw" in metric:
        source, at = _source(document, metric["raw"], (*path, "raw"))
        if source["type"] != "watchkeeper" or metric.get("rawType", "success") != "success":
            raise Faulty(document.place(at), "type: watchkeeper and rawType: success for a raw ratio")
        built.put(("indicator",), snake(source["spec"]), (*at, "spec"), document)
        return
    built.put(("indicator", "kind"), "ratio", path, document)
    if "about" in metric:
        built.put(("indicator", "about"), metric["about"], (*path, "about"), document)
    for name in ("good", "bad", "total"):
        if name in metric:
            source, at = _source(document, metric[name], (*path, name))
            said = snake(source["spec"])
            if source["type"] == "prometheus":
                said["data_source"] = source["ref"]
                if "{{" not in str(said.get("query", "")):
                    said["counter_value"] = metric.get("counter") is True
            built.put(("indicator", name), said, (*at, "spec"), document)
    if "total" not in metric or ("good" in metric) == ("bad" in metric):
        raise Faulty(document.place(path), "total, and either good or bad")


def _source(document: Document, metric: Any, path: Path) -> tuple[dict[str, Any], Path]:
    source = metric.get("metricSource") if isinstance(metric, dict) else None
    at = (*path, "metricSource")
    if not isinstance(source, dict) or not isinstance(source.get("spec"), dict):
        raise Faulty(document.place(at), "metricSource with type and spec")
    kind = str(source.get("type", "prometheus" if "metricSourceRef" in source else "watchkeeper")).lower()
    if kind not in ("watchkeeper", "prometheus"):
        raise Faulty(document.place((*at, "type")), f"watchkeeper or prometheus, found {source.get('type')!r}")
    if kind == "prometheus" and not source.get("metricSourceRef"):
        raise Faulty(document.place(at), "metricSourceRef: the name of a DataSource")
    return {"type": kind, "spec": source["spec"], "ref": source.get("metricSourceRef")}, at


def window_of(built: Built, spec: Mapping[str, Any]) -> None:
    """`timeWindow`: one, rolling or by calendar."""
    windows = spec.get("timeWindow")
    at = ("spec", "timeWindow")
    if not isinstance(windows, list) or len(windows) != 1 or not isinstance(windows[0], dict):
        raise Faulty(built.document.place(at), "one timeWindow, such as {duration: 30d, isRolling: true}")
    said, here = windows[0], (*at, 0)
    duration = str(said.get("duration"))
    if said.get("isRolling"):
        built.put(("window", "rolling"), weeks_as_days(duration), (*here, "duration"))
        return
    if duration not in CALENDARS:
        known = ", ".join(CALENDARS)
        raise Faulty(
            built.document.place((*here, "duration")), f"isRolling: true, or a calendar's {known}, found {duration!r}"
        )
    built.put(("window", "calendar"), CALENDARS[duration], (*here, "duration"))
    calendar = said.get("calendar")
    if isinstance(calendar, dict) and "timeZone" in calendar:
        built.put(("window", "time_zone"), calendar["timeZone"], (*here, "calendar", "timeZone"))


def weeks_as_days(text: str) -> str:
    """OpenSLO has weeks; a rolling month has 30 days."""
    found = re.fullmatch(r"(\d{1,3})(w|M)", text)
    return f"{int(found[1]) * {'w': 7, 'M': 30}[found[2]]}d" if found else text


def objectives_of(built: Built, spec: Mapping[str, Any], annotations: Mapping[str, Any]) -> None:
    """`objectives`, and the slices of a `budgetingMethod` that has them."""
    said = spec.get("objectives")
    at = ("spec", "objectives")
    if not isinstance(said, list) or not said or not all(isinstance(one, dict) for one in said):
        raise Faulty(built.document.place(at), "objectives, at least one with a target")
    names = [one.strip() for one in str(annotations.get("watchkeeper/objective-names", "")).split(",") if one.strip()]
    unit = built.places.pop(("unit",), (built.document, ("s",)))[1][0]
    found = []
    for number, one in enumerate(said):
        here = (*at, number)
        target = one.get("target")
        if target is None and "targetPercent" in one:
            target = _percent(built.document, one["targetPercent"], (*here, "targetPercent"))
        shown = one.get("displayName", "")
        name = names[number] if number < len(names) else name_for(shown, number, len(said))
        objective: dict[str, Any] = {"name": name, "target": target}
        if shown and shown != name:
            objective["display_name"] = shown
        if "value" in one:
            objective["threshold"] = _threshold_value(built.document, one, here, unit)
        found.append(objective)
        built.places["objectives", number] = (built.document, here)
        built.places["objectives", number, "threshold"] = (built.document, (*here, "value"))
    built.value["objectives"] = found
    built.places["objectives",] = (built.document, at)
    _slices(built, spec, said)


def _threshold_value(document: Document, one: Mapping[str, Any], here: Path, unit: str) -> timedelta:
    value = one["value"]
    if one.get("op", "lte") not in ("lte", "lt"):
        raise Faulty(document.place((*here, "op")), f"lte, found {one.get('op')!r}")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value * UNITS[unit] < 1e9:
        raise Faulty(document.place((*here, "value")), f"a number above 0, in {unit}, found {value!r}")
    return timedelta(seconds=value * UNITS[unit])


def _percent(document: Document, value: Any, path: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 100:
        raise Faulty(document.place(path), f"a percentage between 0 and 100, found {value!r}")
    return round(value / 100, 12)


def name_for(shown: Any, number: int, of: int) -> str:
    """The name of an objective that has a display name, or none."""
    slug = re.sub(r"[^a-z0-9]+", "-", str(shown).lower()).strip("-")[:63].strip("-")
    if re.fullmatch(NAME, slug):
        return slug
    return "main" if of == 1 else f"objective-{number + 1}"


def _slices(built: Built, spec: Mapping[str, Any], objectives: list[dict[str, Any]]) -> None:
    method = spec.get("budgetingMethod", "Occurrences")
    if method not in METHODS:
        raise Faulty(
            built.document.place(("spec", "budgetingMethod")), f"one of {', '.join(METHODS)}, found {method!r}"
        )
    if method == "Occurrences":
        return
    first, here = objectives[0], ("spec", "objectives", 0)
    built.put(("slices", "length"), first.get("timeSliceWindow", "1m"), (*here, "timeSliceWindow"))
    if "timeSliceTarget" in first:
        built.put(("slices", "target"), first["timeSliceTarget"], (*here, "timeSliceTarget"))


def alerting_of(built: Built, spec: Mapping[str, Any], named: Named) -> None:
    """`alertPolicies`: inline or by reference. Without any, the SRE Workbook's pairs alert."""
    policies = spec.get("alertPolicies")
    if not policies:
        return
    rules: list[dict[str, Any]] = []
    for number, one in enumerate(policies if isinstance(policies, list) else [policies]):
        document, path, said = _referred(
            built.document, one, ("spec", "alertPolicies", number), "alertPolicyRef", "AlertPolicy", named
        )
        conditions = (said.get("spec") or {}).get("conditions")
        if not isinstance(conditions, list) or not conditions:
            raise Faulty(document.place((*path, "spec")), "conditions, at least one")
        for place, condition in enumerate(conditions):
            of, here, found = _referred(
                document, condition, (*path, "spec", "conditions", place), "conditionRef", "AlertCondition", named
            )
            built.places["alerting", "rules", len(rules)] = (of, (*here, "spec"))
            rules.append(_rule(of, found, here))
        _require_targets(document, said, path, named)
    built.value.setdefault("alerting", {})["rules"] = rules
    built.places["alerting", "rules"] = (built.document, ("spec", "alertPolicies"))


def _referred(
    document: Document, one: Any, path: Path, reference: str, kind: str, named: Named
) -> tuple[Document, Path, dict[str, Any]]:
    if isinstance(one, str):
        one = {reference: one}
    if isinstance(one, dict) and reference in one:
        found = named.get((kind, str(one[reference])))
        if found is None:
            raise Faulty(document.place(path), f"the name of an {kind} in these files, found {one[reference]!r}")
        return found, (), found.value
    if not isinstance(one, dict) or not isinstance(one.get("spec"), dict):
        raise Faulty(document.place(path), f"an {kind} with a spec, or {reference}")
    return document, path, one


def _require_targets(document: Document, said: Mapping[str, Any], path: Path, named: Named) -> None:
    for number, one in enumerate((said.get("spec") or {}).get("notificationTargets") or ()):
        if isinstance(one, dict) and "targetRef" in one and ("AlertNotificationTarget", one["targetRef"]) not in named:
            at = document.place((*path, "spec", "notificationTargets", number))
            raise Faulty(at, f"the name of an AlertNotificationTarget in these files, found {one['targetRef']!r}")


def _rule(document: Document, said: Mapping[str, Any], path: Path) -> dict[str, Any]:
    spec = said["spec"]
    condition = spec.get("condition")
    if not isinstance(condition, dict) or condition.get("kind", "burnrate") != "burnrate":
        raise Faulty(document.place((*path, "spec", "condition")), "a condition of kind burnrate")
    if condition.get("op", "gte") not in ("gte", "gt"):
        raise Faulty(document.place((*path, "spec", "condition", "op")), f"gte, found {condition.get('op')!r}")
    metadata = said.get("metadata")
    annotations = (metadata.get("annotations") if isinstance(metadata, dict) else None) or {}
    rule: dict[str, Any] = {"long": weeks_as_days(str(condition.get("lookbackWindow", "1h")))}
    if "watchkeeper/misses" in annotations:
        rule["misses"] = annotations["watchkeeper/misses"]
    elif "watchkeeper/budget" in annotations:
        share, _, per = str(annotations["watchkeeper/budget"]).partition(" per ")
        rule |= {"budget": share, "per": per}
    else:
        rule["burn"] = condition.get("threshold")
    short = annotations.get("watchkeeper/short-window", condition.get("alertAfter"))
    if short not in (None, "0m", "0s", "0"):
        rule["short"] = short
    severity = str(spec.get("severity", "page")).lower()
    rule["action"] = "page" if severity in ("page", "critical", "high") else "ticket"
    return rule
