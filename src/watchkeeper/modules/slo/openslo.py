"""OpenSLO v1 documents, and the few of our own beside them, as definitions. https://github.com/OpenSLO/OpenSLO

What OpenSLO has no words for stands in annotations `watchkeeper/…`, and in documents of `apiVersion: watchkeeper/v1`:
ServiceLevelAgreement and ErrorBudgetPolicy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from watchkeeper.kernel.ops import Complaints
from watchkeeper.kernel.ops.documents import Document, Position
from watchkeeper.modules.slo.definition import DataSource, Definition, Policy
from watchkeeper.modules.slo.openslo_parts import Built, Faulty, alerting_of, indicator_of, objectives_of, window_of

OPENSLO, OURS = "openslo/v1", "watchkeeper/v1"
OPENSLO_KINDS = ("SLO", "SLI", "AlertPolicy", "AlertCondition", "AlertNotificationTarget", "Service", "DataSource")
OUR_KINDS = ("ServiceLevelAgreement", "ErrorBudgetPolicy")
_SLO_FIELDS = {"description", "service", "indicator", "indicatorRef", "timeWindow", "budgetingMethod", "objectives",
               "alertPolicies"}  # fmt: skip
_AGREEMENT_FIELDS = {"sloRef", "objective", "target", "period", "timeZone", "tiers", "excludes"}
_POLICY_FIELDS = {"services", "description", "burnWindow", "steps", "postmortemFrom"}
_ANNOTATION = "watchkeeper/"


@dataclass
class Compiled:
    """What documents say: each with the document that it is mainly in."""

    definitions: dict[str, tuple[Definition, Document, Built]] = field(default_factory=dict)
    data_sources: dict[str, tuple[DataSource, Document]] = field(default_factory=dict)
    policies: dict[str, tuple[Policy, Document]] = field(default_factory=dict)


def name_of(document: Document) -> str:
    """What a document is called among all: SLOs by their name, others with their kind."""
    kind, name = document.value.get("kind"), _metadata(document).get("name")
    return str(name) if kind == "SLO" else f"{kind}/{name}"


def compile_documents(documents: Sequence[Document], complaints: Complaints) -> Compiled:
    """Definitions, data sources and policies; references between documents resolved. What is wrong is added to
    `complaints`, where it stands."""
    fitting = [one for one in documents if _is_ours(one, complaints)]
    named = {(one.value["kind"], _metadata(one)["name"]): one for one in fitting}
    agreements = _agreements(fitting, complaints)
    found = Compiled()
    for one in fitting:
        kind, name = one.value["kind"], _metadata(one)["name"]
        if kind == "SLO":
            built = _slo(one, named, agreements.pop(name, None), complaints)
            definition = _validated(Definition, built, complaints) if built is not None else None
            if built is not None and definition is not None:
                found.definitions[name] = (definition, one, built)
        elif kind == "DataSource":
            source = _validated(DataSource, _data_source(one), complaints)
            if source is not None:
                found.data_sources[name] = (source, one)
        elif kind == "ErrorBudgetPolicy":
            policy = _validated(Policy, _policy(one, complaints), complaints)
            if policy is not None:
                found.policies[name] = (policy, one)
    for slo, (of, _) in agreements.items():
        complaints.add(of.place(("spec", "sloRef")), f"the name of an SLO in these files, found {slo!r}")
    return found


def _is_ours(document: Document, complaints: Complaints) -> bool:
    value = document.value
    kinds = {OPENSLO: OPENSLO_KINDS, OURS: OUR_KINDS}.get(str(value.get("apiVersion")))
    if kinds is None:
        complaints.add(document.place(("apiVersion",)), f"apiVersion: {OPENSLO} or {OURS}, or Sloth's version")
        return False
    if value.get("kind") not in kinds:
        complaints.add(document.place(("kind",)), f"one of {', '.join(kinds)} for kind, found {value.get('kind')!r}")
        return False
    for name in value:
        if name not in ("apiVersion", "kind", "metadata", "spec"):
            complaints.add(document.key((name,)), f"one of apiVersion, kind, metadata, spec, found {name!r}")
    metadata = value.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        complaints.add(document.place(("metadata",)), "metadata with a name")
        return False
    if not isinstance(value.get("spec", {}), dict):
        complaints.add(document.place(("spec",)), "spec with fields")
        return False
    return True


def _slo(
    document: Document,
    named: Mapping[tuple[str, str], Document],
    agreement: tuple[Document, dict[str, Any]] | None,
    complaints: Complaints,
) -> Built | None:
    built = Built(document)
    spec = document.value.get("spec") or {}
    _refuse_unknown(document, ("spec",), spec, _SLO_FIELDS, complaints)
    metadata = _metadata(document)
    built.put(("name",), metadata["name"], ("metadata", "name"))
    for canonical, said, path in (
        ("display_name", metadata.get("displayName"), ("metadata", "displayName")),
        ("description", spec.get("description"), ("spec", "description")),
        ("service", spec.get("service"), ("spec", "service")),
    ):
        if said is not None:
            built.put((canonical,), said, path)
    labels = metadata.get("labels")
    if isinstance(labels, dict) and "tags" in labels:
        built.put(("tags",), labels["tags"], ("metadata", "labels", "tags"))
    try:
        indicator_of(built, spec, named)
        window_of(built, spec)
        objectives_of(built, spec, _annotations(document))
        alerting_of(built, spec, named)
    except Faulty as faulty:
        complaints.add(faulty.at, faulty.expected)
        return None
    _take_annotations(built, document, complaints)
    if agreement is not None:
        of, said = agreement
        built.put(("agreement",), said, ("spec",), of)
    return built


def _take_annotations(built: Built, document: Document, complaints: Complaints) -> None:
    """`watchkeeper/…`: what OpenSLO has no field for."""
    alerting = built.value.setdefault("alerting", {})
    for name, text in _annotations(document).items():
        path = ("metadata", "annotations", name)
        short = name.removeprefix(_ANNOTATION)
        if not name.startswith(_ANNOTATION) or short == "objective-names":
            continue
        if short == "excludes":
            built.put(("excludes",), [one.strip() for one in str(text).split(",") if one.strip()], path)
        elif short == "critical":
            built.put(("critical",), _boolean(text), path)
        elif short == "alerting":
            built.put(("alerting", "enabled"), _boolean(text), path)
        elif short == "minimum-bad-events":
            built.put(("alerting", "minimum_bad_events"), text, path)
        elif short == "silent-after":
            built.put(("alerting", "silent_after"), text, path)
        else:
            known = "alerting, critical, excludes, minimum-bad-events, objective-names, silent-after"
            complaints.add(document.key(path), f"one of watchkeeper/{{{known}}}, found {name!r}")
    if not alerting:
        del built.value["alerting"]


def _boolean(text: Any) -> Any:
    return {"true": True, "on": True, "false": False, "off": False}.get(str(text).lower(), text)


def _agreements(documents: Sequence[Document], complaints: Complaints) -> dict[str, tuple[Document, dict[str, Any]]]:
    found: dict[str, tuple[Document, dict[str, Any]]] = {}
    for one in documents:
        if one.value["kind"] != "ServiceLevelAgreement":
            continue
        spec = one.value.get("spec") or {}
        _refuse_unknown(one, ("spec",), spec, _AGREEMENT_FIELDS, complaints)
        slo = str(spec.get("sloRef"))
        if slo in found:
            complaints.add(one.place(("spec", "sloRef")), f"one agreement for an SLO, found another for {slo!r}")
        found[slo] = (one, {_snake(name): said for name, said in spec.items() if name != "sloRef"})
    return found


def _data_source(document: Document) -> Built:
    built = Built(document)
    spec = document.value.get("spec") or {}
    metadata = _metadata(document)
    built.put(("name",), metadata["name"], ("metadata", "name"))
    details = spec.get("connectionDetails")
    at = ("spec", "connectionDetails")
    built.put(("url",), "" if not isinstance(details, dict) else details.get("url", ""), (*at, "url"))
    for name, said in details.items() if isinstance(details, dict) else ():
        built.put((_snake(str(name)),), said, (*at, name))
    if "displayName" in metadata:
        built.put(("display_name",), metadata["displayName"], ("metadata", "displayName"))
    if "description" in spec:
        built.put(("description",), spec["description"], ("spec", "description"))
    return built


def _policy(document: Document, complaints: Complaints) -> Built:
    built = Built(document)
    spec = document.value.get("spec") or {}
    _refuse_unknown(document, ("spec",), spec, _POLICY_FIELDS, complaints)
    built.put(("name",), _metadata(document)["name"], ("metadata", "name"))
    for name, said in spec.items():
        if name == "steps" and isinstance(said, list):
            steps = [{_snake(str(key)): one for key, one in step.items()} if isinstance(step, dict) else step
                     for step in said]  # fmt: skip
            built.put(("steps",), steps, ("spec", "steps"))
        elif name in _POLICY_FIELDS:
            built.put((_snake(name),), said, ("spec", name))
    return built


def _validated(model: Any, built: Built, complaints: Complaints) -> Any:
    try:
        return model.model_validate(built.value)
    except ValidationError as error:
        for problem in error.errors():
            path = tuple(one for one in problem["loc"] if one not in _TAGS)
            message = re.sub(r"^(Value error|Assertion failed), ", "", problem["msg"])
            text = message.removesuffix(" was expected").replace(" was expected;", ";").replace(" was expected,", ",")
            complaints.add(built.place(path), f"{text[0].lower()}{text[1:]} for {'.'.join(map(str, path)) or 'it'}")
        return None


# Pydantic names the member of a union that it tried among the steps of a path.
_TAGS = frozenset({"availability", "latency", "ratio", "responses", "freshness", "composite"})


def position_of(built: Built, canonical: str) -> Position:
    """Where what a complaint's path names (`objectives[0].target`) stands in the files."""
    return built.place(tuple(int(one) if one.isdigit() else one for one in re.findall(r"[^.\[\]]+", canonical)))


def _refuse_unknown(
    document: Document, path: tuple[Any, ...], value: Mapping[str, Any], known: set[str], complaints: Complaints
) -> None:
    for name in value:
        if name not in known:
            complaints.add(document.key((*path, name)), f"one of {', '.join(sorted(known))}, found {str(name)[:40]!r}")


def _metadata(document: Document) -> dict[str, Any]:
    found = document.value.get("metadata")
    return found if isinstance(found, dict) else {}


def _annotations(document: Document) -> dict[str, Any]:
    found = _metadata(document).get("annotations")
    return found if isinstance(found, dict) else {}


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda found: f"_{found[1].lower()}", name)
