"""Why a value is what it is: every layer, the one that decided, and why each other did not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from watchkeeper_client.rules.conditions import Attributes
from watchkeeper_client.rules.definition import Definition, check_value
from watchkeeper_client.rules.document import Document, at
from watchkeeper_client.rules.outcomes import NO_ATTRIBUTES, Outcome
from watchkeeper_client.rules.program import compile_snapshot, from_environment
from watchkeeper_client.rules.values import NotThatType


@dataclass(frozen=True)
class Layer:
    """One layer's say. `value` is in wire form; of a flag, a variant's name (of its rules, the one they serve)."""

    layer: str
    name: str
    value: Any
    won: bool
    why: str


def explain(
    document: Document,
    key: str,
    *,
    now: datetime,
    environ: Mapping[str, str],
    user: str | None = None,
    attributes: Attributes | None = None,
    clock: Callable[[], datetime] | None = None,
) -> list[Layer]:
    """The layers of a parameter, highest first; exactly one won. Empty for a key that is not in the snapshot.

    A secret's variable is shown as set, never as it reads.
    """
    parameters, _ = at(document, now)
    if key not in parameters:
        return []
    program = compile_snapshot(document, now=now, environ=environ, clock=clock)
    answer = program.outcome(key, user, attributes)
    assert answer is not None  # noqa: S101 (the key is there)
    definition = Definition.of({**parameters[key], "key": key})
    asked = _Asked(
        document, parameters[key], definition, answer, user, attributes or NO_ATTRIBUTES, now, environ, clock
    )
    return asked.layers()


@dataclass(frozen=True)
class _Asked:
    document: Document
    said: Mapping[str, Any]
    definition: Definition
    answer: Outcome
    user: str | None
    attributes: Attributes
    now: datetime
    environ: Mapping[str, str]
    clock: Callable[[], datetime] | None

    def layers(self) -> list[Layer]:
        found = [self._user(), *self._segments(), self._system(), self._environment(), self._code()]
        return [one for one in found if one is not None]

    def _user(self) -> Layer:
        users = self.said.get("users", {})
        if self.user is None:
            return Layer("user", "", None, False, "nobody in particular asks")
        if self.user not in users:
            return Layer("user", self.user, None, False, "no override for this user")
        return self._layer("user", self.user, users[self.user], self.answer.layer == "user")

    def _segments(self) -> list[Layer]:
        overrides = self.said.get("segments", ())
        if not overrides:
            return [Layer("segment", "", None, False, "no override for a segment")]
        return [self._segment(one, overrides) for one in overrides]

    def _segment(self, one: Mapping[str, Any], overrides: Any) -> Layer:
        name, priority = one["segment"], one.get("priority", 0)
        won = self.answer.layer == "segment" and self.answer.detail == name
        tied = [other["segment"] for other in overrides if other is not one and other.get("priority", 0) == priority]
        note = f"priority {priority}" + (f", as {' and '.join(tied)}: the newest goes first" if tied else "")
        if not self._is_member(name):
            return Layer("segment", name, one["value"], False, f"not in this segment ({note})")
        return self._layer("segment", name, one["value"], won, note)

    def _is_member(self, name: str) -> bool:
        probe = {"type": "boolean", "default": False, "segments": [{"segment": name, "value": True}]}
        document = {**self.document, "parameters": {"probe": probe}, "scheduled": []}
        program = compile_snapshot(document, now=self.now, environ={}, clock=self.clock)
        found = program.outcome("probe", self.user, self.attributes)
        return found is not None and found.layer == "segment"

    def _system(self) -> Layer:
        value = self.said.get("value")
        if value is None:
            return Layer("system_config", "", None, False, "nothing is set in this environment")
        won = self.answer.layer == "system_config"
        if self.definition.type != "flag":
            return self._layer("system_config", "", value, won)
        if won:
            return Layer("system_config", self.answer.detail, self.answer.variant, True, self._why_served())
        return self._layer("system_config", "rules", value, False)

    def _why_served(self) -> str:
        if self.answer.reason == "DISABLED":
            return "the flag is killed" if self.answer.detail == "killed" else "a prerequisite is not met"
        if self.answer.reason == "SPLIT":
            return "inside the percentage" + (f" of {self.answer.detail}" if self.answer.detail else "")
        return f"served by {self.answer.detail}" if self.answer.detail else "served to everybody else"

    def _environment(self) -> Layer:
        text = self.environ.get(self.definition.key)
        if text is None:
            return Layer("env", self.definition.key, None, False, "the variable is not set")
        won = self.answer.layer == "env"
        if self.definition.type == "secret":
            return self._layer("env", self.definition.key, "set", won)
        wire = from_environment(self.definition, self.environ)
        if wire is None:
            return Layer(
                "env", self.definition.key, text, False, "the variable does not hold a value of this parameter"
            )
        return self._layer("env", self.definition.key, wire, won)

    def _code(self) -> Layer:
        default = self.said.get("default")
        if default is None and self.answer.layer == "code":
            return Layer("code", "", None, True, "nothing else says anything; what the code asks with is used")
        return self._layer("code", "", self.definition.default, self.answer.layer == "code")

    def _layer(self, layer: str, name: str, value: Any, won: bool, note: str = "") -> Layer:
        if won:
            return Layer(layer, name, value, True, note or "decides")
        if not self._is_valid(layer, value):
            return Layer(layer, name, value, False, "not a value that this parameter may have")
        above = "the flag is off" if self.answer.reason == "DISABLED" else f"{self._winner()} goes first"
        return Layer(layer, name, value, False, f"{above} ({note})" if note else above)

    def _winner(self) -> str:
        return {"user": "the user's override", "segment": f"the override of {self.answer.detail}"}.get(
            self.answer.layer, self.answer.layer
        )

    def _is_valid(self, layer: str, value: Any) -> bool:
        if layer == "env" or (layer == "system_config" and self.definition.type == "flag"):
            return True
        try:
            check_value(self.definition, value)
        except NotThatType:
            return False
        return True
