"""What a compiled snapshot answers with."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from watchkeeper_client.rules.conditions import Attributes

NO_ATTRIBUTES: Attributes = {}
Decide = Callable[[str | None, Attributes], "Outcome"]


class Outcome:
    """One possible answer of a parameter; in the table itself, the answer that everybody gets.

    `value` is for Python, `wire` for JSON. `count` is how often it was given: whoever hands it out adds one (threads
    may lose some). `cache` is for the holder of the program.
    """

    __slots__ = ("cache", "count", "detail", "layer", "reason", "value", "variant", "wire")
    decide: Decide | None = None

    def __init__(self, value: Any, wire: Any, variant: str, reason: str, layer: str, detail: str = "") -> None:
        self.value, self.wire, self.variant, self.reason = value, wire, variant, reason
        self.layer, self.detail = layer, detail
        self.count = 0
        self.cache: Any = None

    def __repr__(self) -> str:
        return f"Outcome({self.variant!r}, {self.reason}, {self.layer})"


class JsonOutcome(Outcome):
    """Hands out a copy each time: what a caller changes, nobody else sees."""

    __slots__ = ("_original",)

    @property
    def value(self) -> Any:
        return copy.deepcopy(self._original)

    @value.setter
    def value(self, value: Any) -> None:
        self._original = value


class Choice:
    """A parameter whose answer depends on who asks."""

    __slots__ = ("decide",)

    def __init__(self, decide: Decide) -> None:
        self.decide = decide


class Program:
    """What `compile_snapshot` makes: `table[key]` is an Outcome, or a Choice whose `decide` gives one."""

    def __init__(
        self,
        table: Mapping[str, Outcome | Choice],
        outcomes: Mapping[str, list[Outcome]],
        kinds: Mapping[str, str],
        next_change_at: datetime | None,
        source: Mapping[str, Any],
    ) -> None:
        self.table = table
        self.kinds = kinds
        self.next_change_at = next_change_at
        self.source = source
        self._outcomes = outcomes

    def outcome(self, key: str, user: str | None = None, attributes: Attributes | None = None) -> Outcome | None:
        """The answer, uncounted; None for a key that is not there."""
        entry = self.table.get(key)
        if entry is None or entry.decide is None:
            return entry
        return entry.decide(user, NO_ATTRIBUTES if attributes is None else attributes)

    def outcomes_of(self, key: str) -> list[Outcome]:
        """Every possible answer of a parameter."""
        return self._outcomes[key]

    def outcomes(self) -> Iterator[Outcome]:
        """Every possible answer."""
        return (one for listed in self._outcomes.values() for one in listed)

    def counts(self) -> dict[tuple[str, str], int]:
        """(key, variant) → how often, since the last call."""
        found: dict[tuple[str, str], int] = {}
        for key, outcomes in self._outcomes.items():
            for one in outcomes:
                if one.count:
                    found[key, one.variant] = found.get((key, one.variant), 0) + one.count
                    one.count = 0
        return found
