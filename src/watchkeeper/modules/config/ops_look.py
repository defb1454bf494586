"""What is wrong with parameters of files, beside what is: nothing is changed here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel.ops import Complaints, Located
from watchkeeper.modules.config import store, store_changes
from watchkeeper.modules.config.model import (
    OPEN_STATES,
    VALUE,
    Parameter,
    Setting,
    circle,
    is_own,
    prerequisites_of,
    shown,
)
from watchkeeper.modules.config.ops_wire import IN_FILES, ParameterFile
from watchkeeper.modules.config.values import ValueInvalid, check_definition, check_slot, segments_in
from watchkeeper.modules.subjects import public as subjects
from watchkeeper_client.rules import Definition


@dataclass(frozen=True)
class Wanted:
    """A parameter as the files want it: values in normal form, by environment."""

    located: Located[ParameterFile]
    definition: Definition
    values: Mapping[str, Any]

    @property
    def key(self) -> str:
        return self.definition.key

    @property
    def where(self) -> str:
        return str(self.located.document.at)


class Look:
    """One look at the registry and at everything that is set, and what files want beside it."""

    def __init__(self, session: Session, complaints: Complaints) -> None:
        self.session = session
        self.complaints = complaints
        self.parameters = {one.key: one for one in store.all_parameters(session)}
        self.settings: dict[str, dict[str, Sequence[Setting]]] = {}
        for environment in store.all_environments(session):
            for key, held in store.held(session, environment.name).settings.items():
                self.settings.setdefault(key, {})[environment.name] = held
        self._environments = {one.name for one in store.all_environments(session)} | self._named("environment")

    def value(self, key: str, environment: str) -> Any:
        """What is set for everybody; None for nothing."""
        setting = self.setting(key, environment)
        return setting.value if setting is not None else None

    def setting(self, key: str, environment: str) -> Setting | None:
        """The slot of everybody."""
        held = self.settings.get(key, {}).get(environment, ())
        return next((one for one in held if one.slot == VALUE), None)

    def wanted(self, one: Located[ParameterFile]) -> Wanted | None:
        """The parameter, checked by itself; None after a complaint."""
        before = self.parameters.get(one.value.name)
        definition = one.value.definition()
        if definition.type == "flag" and definition.salt is None and before is not None:
            definition = replace(definition, salt=before.definition.salt)
        problems = list(problems_of(definition, before))
        for path, expected in problems:
            self.complaints.add(one.document.place(path), expected)
        values: dict[str, Any] = {}
        for environment, said in one.value.wanted().items() if not problems else ():
            path = (one.value.by_environment, environment)
            try:
                values[environment] = None if said is None else check_slot(definition, VALUE, said)
            except ValueInvalid as wrong:
                for where, expected in wrong.complaints:
                    self.complaints.add(one.document.place((*path, *_steps(where))), expected)
                problems.append((path, ""))
            if environment not in self._environments:
                known = ", ".join(sorted(self._environments))
                self.complaints.add(one.document.key(path), f"an environment, one of {known}, found {environment!r}")
        return None if problems else Wanted(one, definition, values)

    def complain_of_references(self, wanted: Mapping[str, Wanted]) -> None:
        """Segments and prerequisites that are not there, and flags that wait for each other."""
        for one in wanted.values():
            for environment, state in one.values.items():
                at = one.located.document.place((one.located.value.by_environment, environment))
                for name in sorted(segments_in(state)):
                    if name not in self._named("segment") and not subjects.segment_exists(self.session, name):
                        self.complaints.add(at, f"a segment that exists, found {name!r}")
                for key, variants in prerequisites_of(state):
                    if (problem := self._wrong_prerequisite(wanted, key, variants)) is not None:
                        self.complaints.add(at, problem)
        for environment in sorted({name for one in wanted.values() for name in one.values}):
            self._complain_of_circles(wanted, environment)

    def complain_of_misfits(self, one: Wanted) -> None:
        """Overrides, values and plans that the definition would not let be."""
        before = self.parameters.get(one.key)
        if before is None or before.definition == one.definition:
            return
        at = one.located.document.at
        for environment, held in sorted(self.settings.get(one.key, {}).items()):
            for setting in held:
                replaced = setting.slot == VALUE and environment in one.values
                if not replaced and not _fits(one.definition, setting.slot, setting.wire()):
                    what = shown(before.definition, setting.wire())
                    self.complaints.add(
                        at, f"a definition that fits {what}, which is {_slot(setting.slot)} in {environment}"
                    )
        for change in store_changes.open_with_key(self.session, one.key, OPEN_STATES):
            for step in change.steps:
                if step.key == one.key and step.after is not None and not _fits(one.definition, step.slot, step.after):
                    self.complaints.add(
                        at,
                        f"a definition that fits {shown(before.definition, step.after)}, which a change of "
                        f"{change.environment} plans that is {change.state.replace('_', ' ')}",
                    )

    def holds(self, one: Parameter, leaving: Iterable[str]) -> list[str]:
        """Why a parameter that no file names any more can't go yet; what the files set themselves goes with it."""
        said = values_applied(one)
        found = []
        for environment, held in sorted(self.settings.get(one.key, {}).items()):
            others = [
                _slot(setting.slot)
                for setting in held
                if not (setting.slot == VALUE and said.get(environment) == setting.value)
            ]
            if others:
                more = f" and {len(others) - 3} more" if len(others) > 3 else ""
                found.append(f"{', '.join(others[:3])}{more} in {environment}")
        for environment, setting in store.plain_values(self.session):
            if setting.key not in leaving and any(key == one.key for key, _ in prerequisites_of(setting.value)):
                found.append(f"a prerequisite of {setting.key} in {environment}")
        waiting = store_changes.open_with_key(self.session, one.key, OPEN_STATES)
        return found + [
            f"a change that is {change.state.replace('_', ' ')} in {change.environment}" for change in waiting
        ]

    def _wrong_prerequisite(self, wanted: Mapping[str, Wanted], key: str, variants: tuple[str, ...]) -> str | None:
        found = wanted[key].definition if key in wanted else None
        if found is None and key in self.parameters:
            found = self.parameters[key].definition
        if found is None or found.type != "flag":
            return f"a prerequisite that is a flag, found {key[:150]!r}"
        unknown = [name for name in variants if name not in found.variants]
        return f"variants of {key}: {', '.join(found.variants)}, found {unknown[0]!r}" if unknown else None

    def _complain_of_circles(self, wanted: Mapping[str, Wanted], environment: str) -> None:
        states = {key: self.value(key, environment) for key in self.settings}
        states |= {key: one.values[environment] for key, one in wanted.items() if environment in one.values}
        way = circle({key: [other for other, _ in prerequisites_of(state)] for key, state in states.items()})
        concerned = [wanted[key] for key in way or () if key in wanted and environment in wanted[key].values]
        if way and concerned:
            path = (concerned[0].located.value.by_environment, environment)
            at = concerned[0].located.document.place(path)
            self.complaints.add(at, f"prerequisites without a circle, found {' → '.join(way)}")

    def _named(self, kind: str) -> frozenset[str]:
        return self.complaints.named.get(kind, frozenset())


def values_applied(one: Parameter) -> Mapping[str, Any]:
    """What the files said last is set in each environment."""
    found: Mapping[str, Any] = (one.applied or {}).get("values", {})
    return found


def fits(definition: Definition, value: Any) -> bool:
    """Whether everybody may be given a value."""
    return value is None or _fits(definition, VALUE, value)


def problems_of(definition: Definition, before: Parameter | None = None) -> Iterator[tuple[tuple[Any, ...], str]]:
    """(path in the file, what was expected) of everything wrong with a definition."""
    if is_own(definition.key):
        yield ("key",), f"another key: {definition.key} is a setting of Watchkeeper itself"
        return
    for complaint in check_definition(definition):
        field, *rest = complaint.where.split(".")
        yield (IN_FILES.get(field, field), *rest), f"{complaint.expected}, for {IN_FILES.get(field, field)}"
    if before is not None and before.definition.type == "flag" != definition.type:
        yield ("type",), "flag: a flag stays one; remove it and add another key"


def _fits(definition: Definition, slot: str, value: Any) -> bool:
    try:
        check_slot(definition, slot, value)
    except ValueInvalid:
        return False
    return True


def _slot(slot: str) -> str:
    kind, _, target = slot.partition(":")
    return f"an override of the {kind} {target}" if target else "a value"


def _steps(where: str) -> tuple[Any, ...]:
    return tuple(int(part) if part.isdigit() else part for part in where.split(".") if part)
