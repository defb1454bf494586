"""A snapshot compiled to plain functions: what a service asks a million times a second.

Flags decide in this order: killed, a prerequisite unmet (both serve `off`), user, segment, rules, environment, default.
Other parameters: user, segment, system_config, environment, code.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from watchkeeper_client.rules.bucketing import chooser
from watchkeeper_client.rules.checking import ConditionInvalid, check_condition
from watchkeeper_client.rules.conditions import Test, compile_condition, members, nobody
from watchkeeper_client.rules.definition import Definition, check_value
from watchkeeper_client.rules.document import Document, at
from watchkeeper_client.rules.outcomes import Choice, Decide, JsonOutcome, Outcome, Program
from watchkeeper_client.rules.serving import always, guarded, layered, ruled
from watchkeeper_client.rules.values import NotThatType, parse_text, to_python


def compile_snapshot(
    document: Document,
    *,
    now: datetime,
    environ: Mapping[str, str],
    clock: Callable[[], datetime] | None = None,
    with_secrets: bool = False,
    reuse: Program | None = None,
) -> Program:
    """The program of a snapshot at an instant; compile again at its `next_change_at`.

    `environ` maps keys to what environment variables say. `clock` tells the instant that ages of attributes are
    measured at (`now`, where it is left out). A value that is not of its parameter's type counts as not said. Secrets
    are read from where they lie only with `with_secrets`; else their value is None. `reuse` is a program that was
    compiled with the same `environ`: what it holds of parameters that are the same objects is taken over, counts too.
    """
    parameters, next_change_at = at(document, now)
    compiler = _Compiler(parameters, document.get("segments", {}), environ, clock or (lambda: now), with_secrets)
    if reuse is not None:
        compiler.take_over(reuse)
    table = {key: compiler.entry(key) for key in parameters}
    kinds = {key: str(one["type"]) for key, one in parameters.items()}
    return Program(table, compiler.outcomes, kinds, next_change_at, parameters)


class _Compiler:
    def __init__(
        self,
        parameters: Mapping[str, Any],
        segments: Mapping[str, Any],
        environ: Mapping[str, str],
        clock: Callable[[], datetime],
        with_secrets: bool,
    ) -> None:
        self._parameters, self._segments, self._environ = parameters, segments, environ
        self._clock, self.with_secrets = clock, with_secrets
        self._entries: dict[str, Outcome | Choice] = {}
        self._tests: dict[str, Test] = {}
        self._open: set[str] = set()
        self.outcomes: dict[str, list[Outcome]] = {}

    def take_over(self, earlier: Program) -> None:
        """Whatever stands alone and is the same object as before need not be compiled again."""
        for key, said in self._parameters.items():
            same = earlier.source.get(key) is said
            if same and not _asks_others(said):
                self._entries[key] = earlier.table[key]
                self.outcomes[key] = earlier.outcomes_of(key)

    def entry(self, key: str) -> Outcome | Choice:
        if key not in self._entries:
            self._open.add(key)
            made = _FlagEntry(self, key) if self._parameters[key]["type"] == "flag" else _Entry(self, key)
            self._entries[key] = made.compiled()
            self.outcomes[key] = made.outcomes
            self._open.discard(key)
        return self._entries[key]

    def prerequisite(self, key: str) -> Outcome | Choice | None:
        """None for one that is not there or asks back: it is never met."""
        return None if key not in self._parameters or key in self._open else self.entry(key)

    def segment(self, name: str) -> Test:
        """The test of a segment; a missing or circular one holds nobody."""
        if name not in self._tests:
            self._tests[name] = nobody
            rule = self._segments.get(name, {})
            if "members" in rule:
                self._tests[name] = members(rule["members"])
            elif "when" in rule:
                self._tests[name] = self.test(rule["when"])
        return self._tests[name]

    def test(self, condition: Any) -> Test:
        try:
            check_condition(condition)
            return compile_condition(condition, self.segment, self._clock)
        except ConditionInvalid:
            # A newer server may know more; a rule that can't be read holds for nobody.
            return nobody

    def said(self, key: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._parameters[key]
        return found

    def from_environment(self, definition: Definition) -> Any:
        return from_environment(definition, self._environ)

    def secret(self, where: Any) -> str | None:
        return _secret(where) if self.with_secrets else None


def _asks_others(said: Mapping[str, Any]) -> bool:
    """Whether segments, other flags or a secret's file decide too: they may have changed meanwhile."""
    state = said.get("value")
    of_flag = (
        said["type"] == "flag" and isinstance(state, Mapping) and (state.get("rules") or state.get("prerequisites"))
    )
    return bool(said.get("segments") or of_flag or said["type"] == "secret")


class _Entry:
    """Compiles a parameter."""

    def __init__(self, compiler: _Compiler, key: str) -> None:
        self._compiler = compiler
        self._key = key
        self._said = compiler.said(key)
        self._definition = Definition.of({**self._said, "key": key})
        self.outcomes: list[Outcome] = []

    def compiled(self) -> Outcome | Choice:
        base = self._base()
        users = {
            user: self._made(wire, "TARGETING_MATCH", "user") for user, wire in self._said.get("users", {}).items()
        }
        segments = [
            (
                self._compiler.segment(one["segment"]),
                self._made(one["value"], "TARGETING_MATCH", "segment", one["segment"]),
            )
            for one in self._said.get("segments", ())
        ]
        known = {user: one for user, one in users.items() if one is not None}
        tested = [(test, one) for test, one in segments if one is not None]
        if not known and not tested and not isinstance(base, JsonOutcome):
            return base
        return Choice(layered(known, tested, always(base)))

    def _base(self) -> Outcome:
        """What holds for everybody who has no override."""
        found = self._made(self._said.get("value"), "STATIC", "system_config")
        if found is None:
            text = self._compiler.from_environment(self._definition)
            found = self._from_text(text) or self._made(self._said.get("default"), "DEFAULT", "code")
        if found is None:
            found = self._keep(Outcome(None, None, "code", "DEFAULT", "code"))
        return found

    def _from_text(self, wire: Any) -> Outcome | None:
        if wire is None:
            return None
        if self._definition.type == "secret":
            return self._keep(Outcome(wire if self._compiler.with_secrets else None, None, "env", "STATIC", "env"))
        return self._made(wire, "STATIC", "env")

    def _made(self, wire: Any, reason: str, layer: str, detail: str = "") -> Outcome | None:
        """The outcome of a value; None for a value that this parameter can't have."""
        try:
            wire = None if wire is None else check_value(self._definition, wire)
        except NotThatType:
            return None
        if wire is None:
            return None
        kind = self._definition.type
        value = self._compiler.secret(wire) if kind == "secret" else to_python(kind, wire)
        made = JsonOutcome if isinstance(value, (dict, list)) else Outcome
        return self._keep(made(value, wire, layer, reason, layer, detail))

    def _keep(self, outcome: Outcome) -> Outcome:
        self.outcomes.append(outcome)
        return outcome


class _FlagEntry(_Entry):
    """Compiles a flag; its outcomes are variants, and say by which layer."""

    def compiled(self) -> Outcome | Choice:
        off = self._variant(self._definition.off, "DISABLED", "system_config", "off")
        default = self._variant(self._definition.default, "DEFAULT", "code")
        if default is None or off is None:
            # No variant to serve: as if it were not there, for whoever has a default of their own.
            return self._keep(Outcome(None, None, "code", "DEFAULT", "code"))
        state = self._said.get("value")
        state = state if isinstance(state, Mapping) else None
        if state is not None and state.get("enabled") is False:
            off.detail = "killed"
            return off if not isinstance(off, JsonOutcome) else Choice(always(off))
        users = {
            user: self._variant(name, "TARGETING_MATCH", "user") for user, name in self._said.get("users", {}).items()
        }
        segments = [
            (
                self._compiler.segment(one["segment"]),
                self._variant(one["value"], "TARGETING_MATCH", "segment", one["segment"]),
            )
            for one in self._said.get("segments", ())
        ]
        known = {user: one for user, one in users.items() if one is not None}
        tested = [(test, one) for test, one in segments if one is not None]
        otherwise = self._otherwise(state, default)
        prerequisites = self._prerequisites(state, off)
        if isinstance(otherwise, Outcome) and not (known or tested or prerequisites):
            return otherwise if not isinstance(otherwise, JsonOutcome) else Choice(always(otherwise))
        decide = always(otherwise) if isinstance(otherwise, Outcome) else otherwise
        if known or tested:
            decide = layered(known, tested, decide)
        return Choice(guarded(prerequisites, off, decide) if prerequisites else decide)

    def _variant(self, name: Any, reason: str, layer: str, detail: str = "") -> Outcome | None:
        variants = self._definition.variants
        if not isinstance(name, str) or name not in variants:
            return None
        value = variants[name]
        made = JsonOutcome if isinstance(value, (dict, list)) else Outcome
        return self._keep(made(value, value, name, reason, layer, detail))

    def _otherwise(self, state: Mapping[str, Any] | None, default: Outcome) -> Outcome | Decide:
        if state is None:
            return self._variant(self._compiler.from_environment(self._definition), "STATIC", "env") or default
        rules = []
        for number, rule in enumerate(state.get("rules", ()), start=1):
            serve = self._serve(rule.get("serve"), str(rule.get("name") or f"rule {number}"), "TARGETING_MATCH")
            if serve is not None:
                rules.append((self._compiler.test(rule.get("when")), serve))
        last = self._serve(state.get("serve"), "", "STATIC")
        fallback = self._variant(self._definition.default, "STATIC", "system_config") or default
        if isinstance(last, Outcome) and not rules:
            return last
        return ruled(rules, last, fallback) if rules or last is not None else fallback

    def _serve(self, serve: Any, detail: str, reason: str) -> Outcome | Callable[[str | None], Outcome | None] | None:
        """The one outcome, or what picks one by the user's bucket and None for who is outside."""
        if not isinstance(serve, Mapping):
            return None
        if "variant" in serve:
            return self._variant(serve["variant"], reason, "system_config", detail)
        percent, weights = serve.get("percent"), serve.get("variants")
        if isinstance(percent, bool) or not isinstance(percent, (int, float)) or not isinstance(weights, Mapping):
            return None
        weighted: dict[Outcome, float] = {}
        # By name: a database may give an object back in another order, and nobody may change sides for that.
        for name, weight in sorted(weights.items()):
            one = self._variant(name, "SPLIT", "system_config", detail)
            if one is not None and weight > 0:
                weighted[one] = weight
        if not weighted:
            return None
        if percent >= 100 and len(weighted) == 1:
            return self._variant(next(iter(weighted)).variant, reason, "system_config", detail)
        return chooser(self._definition.salt or self._key, percent, weighted)

    def _prerequisites(
        self, state: Mapping[str, Any] | None, off: Outcome
    ) -> list[tuple[Outcome | Choice | None, frozenset[str]]]:
        listed = (state or {}).get("prerequisites", ())
        if listed:
            off.detail = "prerequisite"
        return [(self._compiler.prerequisite(one["key"]), frozenset(one["variants"])) for one in listed]


def from_environment(definition: Definition, environ: Mapping[str, str]) -> Any:
    """The wire value of a parameter's environment variable; None where it is unset or not a value it may have.

    Of a secret, the text itself.
    """
    text = environ.get(definition.key)
    if text is None or definition.type == "secret":
        return text
    try:
        if definition.type == "flag" and text not in definition.variants:
            found = parse_text("boolean", text)
            return next(name for name, value in definition.variants.items() if value is found)
        return check_value(definition, parse_text(definition.type, text))
    except (NotThatType, StopIteration):
        return None


def _secret(where: Any) -> str | None:
    """The secret's text; None where it can't be read, which is no reason to stop."""
    how, place = next(iter(where.items()))
    if how == "env":
        return os.environ.get(place)
    try:
        return Path(place).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        return None
