"""Runtime configuration as values, and the decisions that need nothing but them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from watchkeeper_client.rules import Definition, text_of

ManagedBy = Literal["people", "ops", "code", "watchkeeper"]
VALUE = "value"
OWN = "watchkeeper."  # the keys of Watchkeeper's own settings begin so, and nobody else's
LARGEST_PRIORITY = 1_000_000


class ChangeState(StrEnum):
    """How far a change is. `scheduled` and `waiting_approval` can still be cancelled."""

    WAITING_APPROVAL = "waiting_approval"
    SCHEDULED = "scheduled"
    APPLIED = "applied"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    FAILED = "failed"


OPEN_STATES = (ChangeState.WAITING_APPROVAL, ChangeState.SCHEDULED)


@dataclass(frozen=True)
class Environment:
    """Where values hold, such as production. `version` grows with each change in it."""

    name: str
    needs_approval: bool
    version: int
    changed_at: datetime


@dataclass(frozen=True)
class Parameter:
    """A registry entry with what is known of the entry itself."""

    definition: Definition
    managed_by: ManagedBy
    version: int
    created_at: datetime
    updated_at: datetime
    updated_by: str
    applied: Mapping[str, Any] | None = None
    differs_since: datetime | None = None

    @property
    def key(self) -> str:
        return self.definition.key


@dataclass(frozen=True)
class Setting:
    """One slot that holds a value. Segment overrides have a priority; of others it is 0."""

    key: str
    slot: str
    value: Any
    priority: int
    version: int
    changed_at: datetime
    changed_by: str
    change_id: str

    @property
    def target(self) -> str:
        """The user or segment that a slot is of; empty for the value of everybody."""
        return self.slot.partition(":")[2]

    def wire(self) -> Any:
        """The value as operations carry it."""
        return {"value": self.value, "priority": self.priority} if self.slot.startswith("segment:") else self.value


@dataclass(frozen=True)
class Operation:
    """One slot to be set, or emptied by None. `expected_version` is that of what was read, 0 for an empty slot."""

    key: str
    slot: str
    value: Any
    expected_version: int | None = None


@dataclass(frozen=True)
class Step:
    """An operation of a change with what it replaces; `version` is the slot's at the time it was proposed."""

    key: str
    slot: str
    before: Any
    after: Any
    version: int

    def inverse(self) -> Operation:
        return Operation(self.key, self.slot, self.before)


@dataclass(frozen=True)
class ChangeSet:
    """Steps that are made together or not at all."""

    id: str
    environment: str
    state: ChangeState
    steps: tuple[Step, ...]
    reason: str
    content_hash: str
    due_at: datetime | None
    proposed_by: str
    proposed_at: datetime
    source: str
    decided_by: str | None = None
    decided_at: datetime | None = None
    note: str | None = None
    reverts: str | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys it touches, each once."""
        return tuple(dict.fromkeys(step.key for step in self.steps))


@dataclass(frozen=True)
class Difference:
    """A slot that two environments disagree about."""

    key: str
    slot: str
    source: Any
    target: Any


@dataclass(frozen=True)
class Held:
    """All slots of an environment, by key."""

    settings: Mapping[str, Sequence[Setting]] = field(default_factory=dict)

    def setting(self, key: str, slot: str) -> Setting | None:
        return next((one for one in self.settings.get(key, ()) if one.slot == slot), None)


def split_slot(slot: str) -> tuple[str, str]:
    """(kind, target) of a slot. Raises ValueError for what is none."""
    kind, colon, target = slot.partition(":")
    if slot == VALUE:
        return VALUE, ""
    if colon and kind in ("user", "segment") and 0 < len(target) <= 200 and target.isprintable():
        return kind, target
    raise ValueError("value, user:<id> or segment:<name>")


def winning_order(overrides: Iterable[Setting]) -> list[Setting]:
    """Segment overrides as they are asked: priority first, then the newest; at one instant, by name."""
    return sorted(overrides, key=lambda one: (-one.priority, -one.version, one.slot))


def content_hash(environment: str, steps: Sequence[Step], due_at: datetime | None) -> str:
    """What an approval is bound to: exactly these steps, from exactly these values, at this time."""
    said = [
        environment,
        [[s.key, s.slot, s.before, s.after, s.version] for s in steps],
        str(due_at) if due_at else None,
    ]
    return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def is_kill(definition: Definition, step: Step) -> bool:
    """Whether a step does nothing but switch a flag off: at three in the morning that waits for nobody."""
    # JSON of another parameter may have an `enabled` of its own, which means whatever its readers make of it.
    if definition.type != "flag" or step.slot != VALUE or not isinstance(step.after, Mapping):
        return False
    if step.after.get("enabled") is not False:
        return False
    before = step.before if isinstance(step.before, Mapping) else {}
    rest = {name: value for name, value in step.after.items() if name != "enabled"}
    return rest == {name: value for name, value in before.items() if name != "enabled"}


def prerequisites_of(state: Any) -> list[tuple[str, tuple[str, ...]]]:
    """(key, wanted variants) that a flag's state asks for."""
    listed = state.get("prerequisites", ()) if isinstance(state, Mapping) else ()
    return [(one["key"], tuple(one["variants"])) for one in listed]


def circle(edges: Mapping[str, Iterable[str]]) -> list[str] | None:
    """A way along prerequisites that comes back to where it began, if there is one."""
    done: set[str] = set()

    def walk(key: str, way: list[str]) -> list[str] | None:
        if key in way:
            return [*way[way.index(key) :], key]
        if key in done:
            return None
        for other in edges.get(key, ()):
            found = walk(other, [*way, key])
            if found:
                return found
        done.add(key)
        return None

    return next((found for key in edges if (found := walk(key, []))), None)


def is_own(key: str) -> bool:
    """Whether a key is of a setting of Watchkeeper itself."""
    return key.startswith(OWN)


def differences(
    source: Mapping[str, Sequence[Setting]], target: Mapping[str, Sequence[Setting]]
) -> Iterator[Difference]:
    """Slots for everybody and for segments that differ; a user's override belongs to one environment, and so do our own
    settings."""
    for key in sorted(key for key in {*source, *target} if not is_own(key)):
        here = {one.slot: one.wire() for one in source.get(key, ()) if not one.slot.startswith("user:")}
        there = {one.slot: one.wire() for one in target.get(key, ()) if not one.slot.startswith("user:")}
        for slot in sorted({*here, *there}):
            if here.get(slot) != there.get(slot):
                yield Difference(key, slot, here.get(slot), there.get(slot))


def shown(definition: Definition, value: Any) -> str:
    """A slot's value in a few words, for sentences."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping) and set(value) == {"value", "priority"}:
        return f"{shown(definition, value['value'])} (priority {value['priority']})"
    if definition.type == "flag" and isinstance(value, Mapping):
        return state_text(value)
    text = text_of(definition.type, value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def state_text(state: Mapping[str, Any]) -> str:
    """What a flag does, in a few words."""
    if state.get("enabled") is False:
        return "killed"
    serve = state.get("serve")
    rules = len(state.get("rules") or ())
    parts = [f"{rules} rule{'s' if rules > 1 else ''}"] if rules else []
    if isinstance(serve, Mapping) and "variant" in serve:
        parts.append(f"{serve['variant']} for everybody{' else' if parts else ''}")
    elif isinstance(serve, Mapping):
        parts.append(f"{', '.join(serve['variants'])} for {serve['percent']:g} %")
    return ", ".join(parts) or "on, with the default variant"
