"""One version of an environment as OFREP answers from it: what is worked out once and not for each request."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from watchkeeper.modules.config.hub import Held
from watchkeeper.modules.config.wire_ofrep import success
from watchkeeper_client.rules import Choice, Outcome

_NONE: frozenset[str] = frozenset()


class Serving:
    """The answers of a version. A secret is as if it were not there."""

    def __init__(self, held: Held) -> None:
        self.held = held
        self.environment: str = held.document["environment"]
        program = held.program
        self.table: dict[str, Outcome | Choice] = {
            key: entry for key, entry in program.table.items() if program.kinds[key] != "secret"
        }
        self._floats = {key for key, said in program.source.items() if _has_floats(said)}
        self._asked = Asked(program.source, held.document.get("segments", {}))
        self._end = b',"version":%d}}' % held.version

    def asked_of(self, key: str) -> frozenset[str]:
        """The attributes of a user that this answer can depend on."""
        return self._asked.of(key)

    @cached_property
    def asked_of_all(self) -> frozenset[str]:
        """The attributes of a user that any answer can depend on."""
        return frozenset().union(*(self._asked.of(key) for key in self.table))

    def answer(self, key: str, user: str | None, attributes: Mapping[str, Any]) -> bytes:
        """The evaluation of a key of `table`, counted."""
        entry = self.table[key]
        outcome = entry if isinstance(entry, Outcome) else entry.decide(user, attributes)
        outcome.count += 1
        # The version is no part of what is kept: an outcome that did not change lives on in the next one.
        begun: bytes = outcome.cache or self._keep(key, outcome)
        return begun + self._end

    def _keep(self, key: str, outcome: Outcome) -> bytes:
        wire = float(outcome.wire) if key in self._floats and _is_number(outcome.wire) else outcome.wire
        kept: bytes = success(key, outcome, wire, self.environment).removesuffix(b"}}")
        outcome.cache = kept
        return kept


class Asked:
    """Which attributes decide: of a user about whom the client said as much, nothing needs to be looked up."""

    def __init__(self, parameters: Mapping[str, Any], segments: Mapping[str, Any]) -> None:
        self._parameters, self._segments = parameters, segments
        self._of_keys: dict[str, frozenset[str]] = {}
        self._of_segments: dict[str, frozenset[str]] = {}

    def of(self, key: str) -> frozenset[str]:
        """Names of attributes; also those that prerequisites ask for."""
        if key not in self._of_keys:
            self._of_keys[key] = _NONE  # ends circles, which a snapshot has not
            said = self._parameters.get(key, {})
            found = [self._segment(one["segment"]) for one in said.get("segments", ())]
            state = said.get("value")
            if said.get("type") == "flag" and isinstance(state, Mapping):
                found += [self._condition(rule.get("when")) for rule in state.get("rules", ())]
                found += [self.of(one["key"]) for one in state.get("prerequisites", ())]
            self._of_keys[key] = _NONE.union(*found)
        return self._of_keys[key]

    def _segment(self, name: str) -> frozenset[str]:
        if name not in self._of_segments:
            self._of_segments[name] = _NONE
            self._of_segments[name] = self._condition(self._segments.get(name, {}).get("when"))
        return self._of_segments[name]

    def _condition(self, said: Any) -> frozenset[str]:
        if not isinstance(said, Mapping):
            return _NONE
        if "attribute" in said:
            return frozenset({said["attribute"]})
        if "segment" in said:
            return self._segment(said["segment"])
        inner = [*said.get("all", ()), *said.get("any", ()), said.get("not")]
        return _NONE.union(*(self._condition(one) for one in inner))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _has_floats(said: Mapping[str, Any]) -> bool:
    """A flag whose variants are 1 and 0.5 is a float everywhere, also where it is 1: typed clients insist."""
    variants = said.get("variants") or {}
    return all(map(_is_number, variants.values())) and any(isinstance(one, float) for one in variants.values())
