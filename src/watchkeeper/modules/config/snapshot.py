"""The snapshot: everything that a service needs to decide for itself, as one document."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import rfc3339
from watchkeeper.modules.config import store, store_changes
from watchkeeper.modules.config.errors import EnvironmentNotFound
from watchkeeper.modules.config.model import VALUE, ChangeSet, Parameter, Setting, is_own, winning_order
from watchkeeper.modules.config.values import segments_in
from watchkeeper.modules.subjects import public as subjects
from watchkeeper_client.rules import FORMAT, check_condition

_CARRIED = ("type", "default", "minimum", "maximum", "choices", "variants", "off", "salt")


def build(session: Session, environment: str) -> dict[str, Any]:
    """The document of an environment: a function of what the database holds, the same on every replica.

    Raises EnvironmentNotFound.
    """
    where = store.environment(session, environment)
    if where is None:
        raise EnvironmentNotFound(f"There is no environment {environment[:64]!r}.")
    held = store.held(session, environment)
    scheduled = [one for one in store_changes.scheduled(session, environment) if not all(map(is_own, one.keys))]
    parameters = {
        one.key: _said(one, held.settings.get(one.key, ()))
        for one in store.all_parameters(session)
        if not is_own(one.key)
    }
    document: dict[str, Any] = {
        "format": FORMAT,
        "environment": environment,
        # Both only ever grow, so their sum does.
        "version": where.version + subjects.segments_version(session),
        "made_at": rfc3339(where.changed_at),
        "segments": _segments(session, parameters, scheduled),
        "parameters": parameters,
        "scheduled": [_scheduled(one) for one in scheduled],
    }
    digest = hashlib.sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest()[:20]
    return {**document, "etag": f'"{document["version"]}-{digest}"'}


def _said(parameter: Parameter, settings: Sequence[Setting]) -> dict[str, Any]:
    said = {name: value for name, value in parameter.definition.said().items() if name in _CARRIED}
    users = {one.target: one.value for one in settings if one.slot.startswith("user:")}
    segments = winning_order(one for one in settings if one.slot.startswith("segment:"))
    for one in settings:
        if one.slot == VALUE:
            said["value"] = one.value
    if users:
        said["users"] = users
    if segments:
        said["segments"] = [{"segment": one.target, "value": one.value, "priority": one.priority} for one in segments]
    return said


def _scheduled(change: ChangeSet) -> dict[str, Any]:
    assert change.due_at is not None  # noqa: S101 (scheduled)
    operations = [{"key": step.key, "slot": step.slot, "value": step.after} for step in change.steps]
    return {"id": change.id, "at": rfc3339(change.due_at), "operations": operations}


def _segments(session: Session, parameters: Mapping[str, Any], scheduled: Iterable[ChangeSet]) -> dict[str, Any]:
    """Every segment that something asks for, and those that these ask for."""
    named: set[str] = set()
    for said in parameters.values():
        named |= {one["segment"] for one in said.get("segments", ())} | segments_in(said.get("value"))
    for change in scheduled:
        for step in change.steps:
            named |= {step.slot.partition(":")[2]} if step.slot.startswith("segment:") else segments_in(step.after)
    found: dict[str, Any] = {}
    while wanted := named - set(found):
        rules = subjects.segment_rules(session, wanted)
        # One that is gone holds nobody, here and in every client.
        found |= {name: rules.get(name, {"members": []}) for name in wanted}
        named |= {other for rule in rules.values() if "when" in rule for other in check_condition(rule["when"])}
    return found
