"""The snapshot as a document: scheduled changes that fell due, and deltas from one version to the next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from watchkeeper_client.rules.values import instant_of

FORMAT = 1
Document = Mapping[str, Any]


class DocumentInvalid(ValueError):
    """This is no snapshot that this version can read."""


def parse_snapshot(document: Any) -> Document:
    """The document, if it has the shape of a snapshot of this format. Raises DocumentInvalid."""
    if not isinstance(document, Mapping) or document.get("format") != FORMAT:
        raise DocumentInvalid(f"expected a snapshot of format {FORMAT}")
    for name, kind in (("environment", str), ("version", int), ("etag", str), ("parameters", Mapping)):
        if not isinstance(document.get(name), kind):
            raise DocumentInvalid(f"{name}: expected {kind.__name__}")
    if not all(isinstance(one, Mapping) and "type" in one for one in document["parameters"].values()):
        raise DocumentInvalid("parameters: expected objects with a type")
    return document


def apply_delta(document: Document, delta: Mapping[str, Any]) -> Document | None:
    """The next document; None when the delta does not start from this one."""
    if delta.get("from") != document.get("etag"):
        return None
    return {
        **document,
        "etag": delta["to"],
        "version": delta["version"],
        "made_at": delta["made_at"],
        "parameters": _merged(document["parameters"], delta.get("parameters", {}), delta.get("removed", ())),
        "segments": _merged(document.get("segments", {}), delta.get("segments", {}), delta.get("removed_segments", ())),
        "scheduled": delta.get("scheduled", []),
    }


def delta_between(old: Document, new: Document) -> dict[str, Any]:
    """What `apply_delta` makes `new` of `old` with."""
    changed, removed = _difference(old["parameters"], new["parameters"])
    segments, removed_segments = _difference(old.get("segments", {}), new.get("segments", {}))
    return {
        "from": old["etag"],
        "to": new["etag"],
        "version": new["version"],
        "made_at": new["made_at"],
        "parameters": changed,
        "removed": removed,
        "segments": segments,
        "removed_segments": removed_segments,
        "scheduled": new.get("scheduled", []),
    }


def at(document: Document, now: datetime) -> tuple[Mapping[str, Any], datetime | None]:
    """The parameters with every scheduled change made that is due at `now`, and when the next one is."""
    parameters: Mapping[str, Any] = document["parameters"]
    upcoming = []
    for scheduled in sorted(document.get("scheduled", ()), key=lambda one: str(one.get("at"))):
        due = instant_of(scheduled.get("at"))
        if due is None:
            continue
        if due <= now:
            parameters = with_operations(parameters, scheduled.get("operations", ()))
        else:
            upcoming.append(due)
    return parameters, min(upcoming, default=None)


def with_operations(parameters: Mapping[str, Any], operations: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The parameters after operations; one for a key that is not there changes nothing."""
    made = dict(parameters)
    for operation in operations:
        key = operation["key"]
        if key in made:
            made[key] = _with_slot(made[key], operation["slot"], operation.get("value"))
    return made


def _with_slot(parameter: Mapping[str, Any], slot: str, value: Any) -> Mapping[str, Any]:
    made = dict(parameter)
    kind, _, target = slot.partition(":")
    if kind == "value":
        made["value"] = value
    elif kind == "user":
        made["users"] = {**made.get("users", {}), target: value}
        if value is None:
            del made["users"][target]
    else:
        made["segments"] = _with_segment(made.get("segments", ()), target, value)
    return {name: said for name, said in made.items() if said is not None or name == "default"}


def _with_segment(held: Sequence[Mapping[str, Any]], name: str, value: Any) -> list[Mapping[str, Any]]:
    """The newest of a priority stands before the others of it."""
    others = [one for one in held if one["segment"] != name]
    if value is None:
        return others
    new = {"segment": name, "value": value["value"], "priority": value.get("priority", 0)}
    place = next((n for n, one in enumerate(others) if one.get("priority", 0) <= new["priority"]), len(others))
    return [*others[:place], new, *others[place:]]


def _merged(held: Mapping[str, Any], changed: Mapping[str, Any], removed: Iterable[str]) -> dict[str, Any]:
    made = {**held, **changed}
    for name in removed:
        made.pop(name, None)
    return made


def _difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    changed = {name: one for name, one in new.items() if name not in old or old[name] != one}
    return changed, [name for name in old if name not in new]
