"""What steps bring about, so far as their text tells, so that two rules that run them do not undo each other."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from watchkeeper.modules.runbooks.blocks import order_of
from watchkeeper.modules.runbooks.errors import InputsInvalid
from watchkeeper.modules.runbooks.model import Content, How, Step
from watchkeeper.modules.runbooks.runs import input_values

_SETS = "set-parameter"
_UNDONE = "undone"


@dataclass(frozen=True)
class Effects:
    """What steps do with given inputs, by what they do it to.

    `sets` are values of parameters, by key and environment, whatever runbook sets them. `does` are other steps by their
    inputs; one that undoes another stands for its opposite. The same step with other inputs may be about other things.
    """

    sets: Mapping[str, str] = field(default_factory=dict)
    does: Mapping[str, str] = field(default_factory=dict)


def effects(content: Content, keys: Sequence[str], inputs: Mapping[str, Any]) -> Effects:
    """What these steps do with these inputs; those that are not there, and those of people, do nothing."""
    undoes = {one.undo: one.key for one in content.steps if one.undo is not None}
    sets, does = dict[str, str](), dict[str, str]()
    for key in keys:
        step = content.step(key)
        if step is None or step.how is How.MANUAL:
            continue
        if key in undoes:
            does[f"the step {undoes[key]} of {content.name}"] = _UNDONE
            continue
        values = _values(content, step, inputs)
        setting = _setting(step, values)
        if setting is not None:
            sets[setting[0]] = setting[1]
        else:
            does[f"the step {key} of {content.name}"] = _text(values)
    return Effects(sets, does)


def _values(content: Content, step: Step, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return input_values(content, [step], inputs)
    except InputsInvalid:  # such a run is refused when it begins
        return dict(inputs)


def _setting(step: Step, values: Mapping[str, Any]) -> tuple[str, str] | None:
    if step.how is not How.ACTION or step.action != _SETS:
        return None
    try:
        order = order_of(step, values)
    except ValueError:  # lint says so
        return None
    return f"{order.get('key')} in {order.get('environment')}", _text(order.get("value"))


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str, ensure_ascii=False)
