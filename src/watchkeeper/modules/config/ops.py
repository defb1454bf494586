"""`ops/parameters.yaml`: environments, parameters and flags as code; overrides of users and segments are no code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.errors import Refusal
from watchkeeper.kernel.journal import Subject
from watchkeeper.kernel.ops import (
    Action,
    Change,
    Complaints,
    Drifted,
    Located,
    OpsKind,
    PlanOutdated,
    Position,
    differences,
)
from watchkeeper.modules.config import store
from watchkeeper.modules.config.changes import Changes
from watchkeeper.modules.config.errors import ChangeInvalid, DefinitionInvalid, NothingChanges, ParameterInUse
from watchkeeper.modules.config.model import VALUE, Operation, Parameter, prerequisites_of
from watchkeeper.modules.config.ops_environments import EnvironmentKind
from watchkeeper.modules.config.ops_look import Look, Wanted, fits, values_applied
from watchkeeper.modules.config.ops_wire import IN_FILES, ParameterFile
from watchkeeper.modules.config.service import Config, definition_in
from watchkeeper_client.rules import Definition

FILE = "parameters.yaml"
PATTERN = f"{FILE} parameters/*.yaml"
_REASON = "as the files in ops/ say"
_EXAMPLE = """\
# Parameters and flags of the product, and what they are set to. Take away the # before a field to say it.
# There may be more files of this kind in parameters/.

# Where values hold; production is always there.
#environments: [production, staging]
#parameters:
#- key: MATCHES_PER_DAY
#  type: integer
#  default: 3
#  min: 1
#  max: 10
#  unit: matches
#  description: How many people somebody is introduced to each day. More tires them, fewer bores them.
#  owner: team-matching
#  group: matching/daily
#  service: matching
#  # What is set for everybody. Environments that are not named here are left to the console.
#  values: {production: 4}
#- {key: REMINDER_AFTER, type: duration, default: 1d12h, min: 1h, max: 30d, group: chat}
#- {key: MAIL_PASSWORD, type: secret, default: {env: DUET_MAIL_PASSWORD}}
#- key: ENABLE_VIDEO_CHAT
#  type: flag
#  default: off
#  expires_on: "2027-06-30"
#  state:
#    staging: on
#    production:
#      rules:
#      - name: Norway first
#        when: {attribute: country, op: equals, value: NO}
#        serve: {percent: 25, variants: {on: 1}}
"""


@dataclass(frozen=True)
class ParameterKind:
    """Parameters and flags in plan and apply."""

    name: str = "parameter"
    pattern: str = PATTERN
    listed_under: str = "parameters"
    model: type[BaseModel] = ParameterFile
    examples: Mapping[str, str] = field(default_factory=lambda: {FILE: _EXAMPLE})

    def plan(self, session: Session, desired: Sequence[Located[Any]], complaints: Complaints) -> list[Change]:
        """Created, changed, adopted, unchanged, and those from files that no file names any more."""
        look = Look(session, complaints)
        named = {one.value.name for one in desired}
        wanted = {found.key: found for one in desired if (found := look.wanted(one)) is not None}
        look.complain_of_references(wanted)
        for found in wanted.values():
            look.complain_of_misfits(found)
        gone = [one for one in look.parameters.values() if one.managed_by == "ops" and one.key not in named]
        changes = {key: self._change(look, found) for key, found in wanted.items()}
        for one in gone:
            for held in look.holds(one, {leaving.key for leaving in gone}):
                complaints.add(Position(FILE), f"the parameter {one.key}, which is still held by {held}")
            changes[one.key] = self._deletion(look, one)
        return prerequisites_first(changes, look, wanted)

    def apply(self, session: Session, change: Change, desired: Any | None, *, by: str, at: datetime) -> None:
        """One change, if the parameter still is what the plan saw."""
        clock = ManualClock(at)  # the whole apply happens at one instant
        store.lock_environments(session)
        before = store.parameter(session, change.name, lock=True)
        _require_unchanged(session, before, change)
        hand = _Hand(Config(session, clock), Changes(session, clock), by)
        try:
            if desired is None:
                hand.remove(change.name, before)
            else:
                hand.put(before, desired)
        except (ChangeInvalid, DefinitionInvalid, ParameterInUse) as refusal:
            raise PlanOutdated(_in_a_line(refusal)) from None

    def export(self, session: Session) -> list[tuple[str, dict[str, Any]]]:
        """All in one file, with what is set for everybody in every environment."""
        values: dict[str, dict[str, Any]] = {}
        for environment, setting in store.plain_values(session):
            values.setdefault(setting.key, {})[environment] = setting.value
        found = (one for one in store.all_parameters(session) if one.managed_by != "watchkeeper")
        return [(FILE, document_of(one.definition, values.get(one.key, {}))) for one in found]

    def drift(self, session: Session) -> list[Drifted]:
        """Parameters that were changed since the files were applied."""
        look = Look(session, Complaints())
        managed = [one for one in look.parameters.values() if one.managed_by == "ops" and one.applied is not None]
        return [found for one in managed if (found := _drift_of(look, one)) is not None]

    def _change(self, look: Look, one: Wanted) -> Change:
        before, fields = look.parameters.get(one.key), fields_of(look, one)
        if before is None:
            return Change("create", self.name, one.key, fields, one.where)
        if before.managed_by != "ops":
            adoption = {"managed_by": (before.managed_by, "ops")}
            action: Action = "update" if fields else "adopt"
            note = "known already; from now on described in ops/"
            return Change(action, self.name, one.key, {**fields, **adoption}, one.where, note)
        drifted = _drifted(look, before)
        if drifted and not fields:
            return Change("adopt", self.name, one.key, {}, one.where, "was changed elsewhere; the files say so now too")
        if not fields and dict(values_applied(before)) != dict(one.values):
            return Change("adopt", self.name, one.key, {}, one.where, "the files say its value in other environments")
        drift = tuple(name for name in fields if name in drifted)
        return Change("update" if fields else "unchanged", self.name, one.key, fields, one.where, "", drift)

    def _deletion(self, look: Look, one: Parameter) -> Change:
        fields = {name: (said, None) for name, said in one.definition.said().items() if said is not None}
        word = "state" if one.definition.type == "flag" else "values"
        for environment in values_applied(one):
            if (now := look.value(one.key, environment)) is not None:
                fields[f"{word}.{environment}"] = (now, None)
        return Change("delete", self.name, one.key, fields, note="no file names it any more")


OPS_KINDS: tuple[OpsKind, ...] = (EnvironmentKind(pattern=PATTERN, file=FILE), ParameterKind())


@dataclass(frozen=True)
class _Hand:
    """The verbs, by whoever applies the files."""

    config: Config
    changes: Changes
    by: str

    def put(self, before: Parameter | None, desired: ParameterFile) -> None:
        """Values that fit the old definition first: the new one may leave no room for what is set now."""
        definition = desired.definition()
        values = dict(desired.wanted())
        early = set() if before is None else {name for name in values if fits(before.definition, values[name])}
        late = sorted(set(values) - early)
        look = Look(self.config.session, Complaints())
        for environment in sorted(early):
            self._set(definition.key, environment, values[environment])
        for environment in late:
            if not fits(definition, look.value(definition.key, environment)):
                # Neither value fits both definitions: nothing is set between the two.
                self._set(definition.key, environment, None)
        made = self.config.define(definition, managed_by="ops", by=self.by, source="ops", reason=_REASON)
        for environment in late:
            self._set(definition.key, environment, values[environment])
        self._note(made, sorted(values))

    def remove(self, key: str, before: Parameter | None) -> None:
        """The parameter, and the values that the files gave it."""
        for environment in values_applied(before) if before is not None else ():
            self._set(key, environment, None)
        self.config.remove(key, by=self.by, source="ops", reason="no longer in ops/")

    def _set(self, key: str, environment: str, value: Any) -> None:
        operation = Operation(key, VALUE, value)
        try:
            self.changes.propose(environment, [operation], reason=_REASON, by=self.by, source="ops", approved=True)
        except NothingChanges:
            return

    def _note(self, made: Parameter, environments: Sequence[str]) -> None:
        look = Look(self.config.session, Complaints())
        values = {name: look.value(made.key, name) for name in environments}
        applied = {**made.definition.said(), **({"values": values} if values else {})}
        store.mark_applied(self.config.session, made.key, managed_by="ops", applied=applied, since=None)


def fields_of(look: Look, one: Wanted) -> dict[str, tuple[Any, Any]]:
    """Each field and each value that differs, as (now, wanted)."""
    before = look.parameters.get(one.key)
    fields = differences(before.definition.said() if before is not None else {}, one.definition.said())
    for environment, value in one.values.items():
        if (now := look.value(one.key, environment)) != value:
            fields[f"{one.located.value.by_environment}.{environment}"] = (now, value)
    return fields


def document_of(definition: Definition, values: Mapping[str, Any]) -> dict[str, Any]:
    """What a file says of a parameter."""
    said = {IN_FILES.get(name, name): value for name, value in definition.said().items() if value is not None}
    said = _without_what_goes_by_itself(definition, said)
    if values:
        plain = {name: _short(definition, value) for name, value in sorted(values.items())}
        said["state" if definition.type == "flag" else "values"] = plain
    return said


def _without_what_goes_by_itself(definition: Definition, said: dict[str, Any]) -> dict[str, Any]:
    for name in ("variants", "off"):
        rest = {field: value for field, value in said.items() if field != name}
        if name in said and Definition.of({**rest, "minimum": None, "maximum": None}) == definition:
            said = rest
    return said


def _short(definition: Definition, value: Any) -> Any:
    """A flag that serves one variant to everybody is called by that variant."""
    if definition.type == "flag" and set(value) == {"enabled", "serve"} and value["enabled"]:
        return value["serve"].get("variant", value)
    return value


def _drifted(look: Look, one: Parameter) -> dict[str, tuple[Any, Any]]:
    """Fields that differ from what the files said last, as (said, now)."""
    if one.applied is None:
        return {}
    found = differences(definition_in(one.applied), one.definition.said())
    word = "state" if one.definition.type == "flag" else "values"
    for environment, said in values_applied(one).items():
        if (now := look.value(one.key, environment)) != said:
            found[f"{word}.{environment}"] = (said, now)
    return found


def _drift_of(look: Look, one: Parameter) -> Drifted | None:
    fields = _drifted(look, one)
    if not fields:
        return None
    told, since = {}, one.differs_since or one.updated_at
    for environment in values_applied(one):
        for word in ("values", "state"):
            told[f"{word}.{environment}"] = {"environment": environment, "slot": VALUE}
        setting = look.setting(one.key, environment)
        if one.differs_since is None and setting is not None:
            since = max(since, setting.changed_at)
    told = {name: data for name, data in told.items() if name in fields}
    href = f"/config/parameters/{quote(one.key)}"
    return Drifted("parameter", one.key, since, fields, Subject("parameter", one.key), href, told)


def _require_unchanged(session: Session, before: Parameter | None, change: Change) -> None:
    if change.action == "create":
        same = before is None
    elif before is None:
        same = False
    else:
        said, held = before.definition.said(), store.settings_of(session, change.name)
        same = all(_now(name, said, held) == was for name, (was, _) in change.fields.items() if name != "managed_by")
    if not same:
        raise PlanOutdated(f"{change.name} was changed by somebody else just now. Plan again.")


def _now(name: str, said: Mapping[str, Any], held: Mapping[str, Iterable[Any]]) -> Any:
    word, dot, environment = name.partition(".")
    if not dot or word not in ("values", "state"):
        return said.get(name)
    return next((one.value for one in held.get(environment, ()) if one.slot == VALUE), None)


def prerequisites_first(changes: Mapping[str, Change], look: Look, wanted: Mapping[str, Wanted]) -> list[Change]:
    """By key, but what others wait for before them; deletions are made in the other direction."""
    edges: dict[str, set[str]] = {}
    for key in changes:
        held = (one.value for settings in look.settings.get(key, {}).values() for one in settings if one.slot == VALUE)
        states = wanted[key].values.values() if key in wanted else held
        edges[key] = {other for state in states for other, _ in prerequisites_of(state) if other in changes}
    ordered: dict[str, Change] = {}

    def place(key: str, way: frozenset[str]) -> None:
        if key not in ordered and key not in way:
            for other in sorted(edges[key]):
                place(other, way | {key})
            ordered[key] = changes[key]

    for key in sorted(changes):
        place(key, frozenset())
    return list(ordered.values())


def _in_a_line(refusal: Refusal) -> str:
    return "; ".join([refusal.detail, *(f"{one.where}: expected {one.expected}" for one in refusal.complaints[:3])])
