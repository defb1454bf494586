"""Whether operations may be made: keys, slots, values, bounds, segments, prerequisites. Nothing is written here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel.errors import Complaint
from watchkeeper.modules.config import own, store
from watchkeeper.modules.config.errors import ChangedMeanwhile, ChangeInvalid, NothingChanges
from watchkeeper.modules.config.model import (
    VALUE,
    Environment,
    Held,
    Operation,
    Parameter,
    Step,
    circle,
    prerequisites_of,
    shown,
    split_slot,
)
from watchkeeper.modules.config.values import ValueInvalid, check_slot, segments_in
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.subjects import public as subjects
from watchkeeper_client.rules import KEY, wrong_in_key


class Check:
    """One look at an environment, and what operations would do to it. `parameters` holds the keys that were asked."""

    def __init__(self, session: Session, environment: Environment, keys: Iterable[str] = ()) -> None:
        self._session = session
        self._environment = environment
        self.parameters: dict[str, Parameter] = store.parameters_of(session, keys) if keys else {}

    def steps(self, operations: Sequence[Operation]) -> list[Step]:
        """What the operations come to; those that change nothing are left out.

        Raises ChangeInvalid with every complaint, ChangedMeanwhile or NothingChanges.
        """
        keys = {one.key for one in operations if KEY.fullmatch(one.key)}
        self.parameters = store.parameters_of(self._session, keys)
        held = store.held(self._session, self._environment.name, keys)
        complaints: list[Complaint] = []
        steps: list[Step] = []
        for number, operation in enumerate(operations):
            try:
                steps.append(self._step(operation, held))
            except ValueInvalid as wrong:
                at = f"operations.{number}"
                complaints += [Complaint(f"{at}.{where}".rstrip("."), expected) for where, expected in wrong.complaints]
        doubles = [step for number, step in enumerate(steps) if any(_same(step, other) for other in steps[:number])]
        complaints += [Complaint("operations", f"{one.key} {one.slot} once") for one in doubles]
        if not complaints:
            complaints += self._broken_references(steps)
        if complaints:
            raise ChangeInvalid("The change is not valid; nothing was changed.", complaints=complaints[:50])
        self._require_versions(operations, held)
        steps = [step for step in steps if step.before != step.after]
        if not steps:
            raise NothingChanges("Everything is set to this already.")
        return steps

    def services(self, keys: Iterable[str]) -> list[str]:
        """The main services of these keys, each once."""
        found = (self.parameters[key].definition.service for key in keys if key in self.parameters)
        return list(dict.fromkeys(one for one in found if one))

    def _step(self, operation: Operation, held: Held) -> Step:
        parameter = self.parameters.get(operation.key)
        if parameter is None:
            said = f"a key of the registry, found {operation.key[:150]!r}. {wrong_in_key(operation.key)}".rstrip(" .")
            raise ValueInvalid([("key", said)])
        if (refused := own.refusal(parameter, self._environment.name, operation.slot)) is not None:
            raise ValueInvalid([refused])
        try:
            split_slot(operation.slot)
        except ValueError as wrong:
            raise ValueInvalid([("slot", str(wrong))]) from None
        value = operation.value
        if value is not None:
            try:
                value = check_slot(parameter.definition, operation.slot, value)
            except ValueInvalid as wrong:
                found = [
                    (f"value.{where}".rstrip("."), f"{expected}, for {operation.key}")
                    for where, expected in wrong.complaints
                ]
                raise ValueInvalid(found) from None
        before = held.setting(operation.key, operation.slot)
        return Step(
            operation.key,
            operation.slot,
            before.wire() if before is not None else None,
            value,
            before.version if before is not None else 0,
        )

    def _require_versions(self, operations: Sequence[Operation], held: Held) -> None:
        for one in operations:
            now = held.setting(one.key, one.slot)
            if one.expected_version is not None and one.expected_version != (now.version if now else 0):
                definition = self.parameters[one.key].definition
                said = shown(definition, now.wire() if now else None)
                by = now.changed_by if now else ""
                who = f" by {identity.names(self._session, {by}).get(by, by)}" if by else ""
                raise ChangedMeanwhile(
                    f"{one.key} was changed{who} since you read it: it is {said} now. Look again, then repeat."
                )

    def _broken_references(self, steps: Sequence[Step]) -> list[Complaint]:
        complaints = []
        for step in steps:
            kind, target = split_slot(step.slot)
            named = {target} if kind == "segment" and step.after is not None else set()
            if kind == VALUE and self.parameters[step.key].definition.type == "flag" and step.after is not None:
                named |= segments_in(step.after)
            gone = [name for name in sorted(named) if not subjects.segment_exists(self._session, name)]
            complaints += [Complaint(step.key, f"a segment that exists, found {name!r}") for name in gone]
        return complaints or self._broken_prerequisites(steps)

    def _broken_prerequisites(self, steps: Sequence[Step]) -> list[Complaint]:
        states = {step.key: step.after for step in steps if step.slot == VALUE and self._is_flag(step.key)}
        wanted = {key: prerequisites_of(state) for key, state in states.items()}
        if not any(wanted.values()):
            return []
        everything = {one.key: one for one in store.all_parameters(self._session)}
        complaints = [
            Complaint(key, problem)
            for key, listed in wanted.items()
            for other, variants in listed
            if (problem := _wrong_prerequisite(everything.get(other), other, variants))
        ]
        held = store.held(self._session, self._environment.name)
        now: Mapping[str, Any] = {key: one.value for key in everything if (one := held.setting(key, VALUE)) is not None}
        edges = {key: [other for other, _ in prerequisites_of(state)] for key, state in {**now, **states}.items()}
        round_trip = circle(edges)
        if round_trip and not complaints:
            complaints.append(Complaint("prerequisites", f"no circle, found {' → '.join(round_trip)}"))
        return complaints

    def _is_flag(self, key: str) -> bool:
        return self.parameters[key].definition.type == "flag"


def _same(one: Step, other: Step) -> bool:
    return (one.key, one.slot) == (other.key, other.slot)


def _wrong_prerequisite(parameter: Parameter | None, key: str, variants: tuple[str, ...]) -> str | None:
    if parameter is None or parameter.definition.type != "flag":
        return f"a prerequisite that is a flag of the registry, found {key[:150]!r}"
    unknown = [name for name in variants if name not in parameter.definition.variants]
    return f"variants of {key}: {', '.join(parameter.definition.variants)}, found {unknown[0]!r}" if unknown else None
