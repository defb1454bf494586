"""The verbs of runtime configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.ids import new_secret
from watchkeeper.kernel.journal import Event
from watchkeeper.modules.config import store, store_changes, store_reports
from watchkeeper.modules.config.errors import (
    DefinitionInvalid,
    EnvironmentExists,
    EnvironmentInvalid,
    EnvironmentNotFound,
    ParameterExists,
    ParameterInUse,
    ParameterIsManaged,
    ParameterNotFound,
)
from watchkeeper.modules.config.events import (
    EnvironmentAdded,
    EnvironmentChanged,
    ParameterDefined,
    ParameterRedefined,
    ParameterRemoved,
)
from watchkeeper.modules.config.model import (
    OPEN_STATES,
    OWN,
    Environment,
    ManagedBy,
    Parameter,
    Setting,
    is_own,
    prerequisites_of,
    shown,
)
from watchkeeper.modules.config.values import ValueInvalid, check_definition, check_slot
from watchkeeper_client.rules import Definition

# What code may say once, when it brings a parameter along, and never overwrites.
_OF_THE_REGISTRY = frozenset(
    {"key", "owner", "group", "used_by", "service", "needs_approval", "deprecated_since", "salt", "expires_on"}
)
# What of a definition is served where nothing is set, or changes what is served where something is.
_DECIDING = ("type", "default", "variants", "off", "salt")
# Every client holds all of them; a program that declares one after another must not break the others.
MOST_PARAMETERS = 5_000
NAME_EXPECTED = "1 to 64 lower-case letters, digits and -, a letter first"


@dataclass(frozen=True)
class Config:
    """The registry and the environments, on one session. Values change by `changes.Changes`."""

    session: Session
    clock: Clock

    def environment(self, name: str, *, lock: bool = False) -> Environment:
        """Raises EnvironmentNotFound."""
        found = store.environment(self.session, name, lock=lock)
        if found is None:
            known = ", ".join(one.name for one in store.all_environments(self.session))
            raise EnvironmentNotFound(f"There is no environment {name[:64]!r}; there are: {known}.")
        return found

    def parameter(self, key: str, *, lock: bool = False) -> Parameter:
        """The registry entry; with `lock`, neither it nor a value is changed elsewhere until the transaction ends.

        Raises ParameterNotFound.
        """
        if lock:
            self._hold_still()
        found = store.parameter(self.session, key, lock=lock)
        if found is None:
            raise ParameterNotFound.of(key)
        return found

    def ensure_environment(self, name: str) -> None:
        """Have an environment that every installation begins with; no fact, because nobody changed anything."""
        store.add_environment(self.session, name, needs_approval=False, at=self.clock.now())

    def add_environment(
        self, name: str, *, copy_from: str | None, needs_approval: bool, reason: str, by: str, source: str
    ) -> Environment:
        """Add an environment, empty or with the values and segment overrides of another.

        Raises EnvironmentInvalid, EnvironmentExists or EnvironmentNotFound.
        """
        if not is_environment_name(name):
            raise EnvironmentInvalid("The name is not valid.", complaints=[Complaint("name", NAME_EXPECTED)])
        if copy_from is not None:
            self.environment(copy_from)
        now = self.clock.now()
        if not store.add_environment(self.session, name, needs_approval=needs_approval, at=now):
            raise EnvironmentExists(f"There is an environment {name} already.")
        if copy_from is not None:
            store.copy_settings(self.session, copy_from, name, by=by, at=now, change_id="")
        self._tell(
            EnvironmentAdded(environment=name, copied_from=copy_from, needs_approval=needs_approval, reason=reason),
            by=by,
            source=source,
        )
        return self.environment(name)

    def set_needs_approval(self, name: str, needs_approval: bool, *, reason: str, by: str, source: str) -> Environment:
        """Whether changes in an environment wait for a second person. Raises EnvironmentNotFound."""
        before = self.environment(name, lock=True)
        if before.needs_approval != needs_approval:
            store.set_needs_approval(self.session, name, needs_approval)
            changed = EnvironmentChanged(
                environment=name,
                needs_approval=needs_approval,
                before={"needs_approval": before.needs_approval},
                after={"needs_approval": needs_approval},
                reason=reason,
            )
            self._tell(changed, by=by, source=source)
        return self.environment(name)

    def define(
        self,
        definition: Definition,
        *,
        managed_by: ManagedBy,
        by: str,
        source: str,
        reason: str = "",
        only_new: bool = False,
    ) -> Parameter:
        """Put a parameter into the registry, or say other things of it. The same again changes nothing.

        Raises DefinitionInvalid for one that is wrong, or that something set would not fit any more (which, and why);
        ParameterExists with `only_new`.
        """
        self._hold_still()
        before = store.parameter(self.session, definition.key, lock=True)
        if before is not None and only_new:
            raise ParameterExists(f"{definition.key} is in the registry already; change it instead.")
        definition = _with_salt(definition, before)
        complaints = check_definition(definition)
        if is_own(definition.key):
            complaints.append(
                Complaint("key", f"another beginning than {OWN}, which is for Watchkeeper's own settings")
            )
        if before is not None and before.definition.type == "flag" != definition.type:
            complaints.append(Complaint("type", "flag: a flag stays one; remove it and add another key"))
        if before is None and not complaints and store.count_parameters(self.session) >= MOST_PARAMETERS:
            complaints.append(Complaint("key", f"one of those that are there: the registry holds {MOST_PARAMETERS:,}"))
        if complaints:
            raise DefinitionInvalid(f"The definition of {definition.key[:150]} is not valid.", complaints=complaints)
        if before is not None:
            self._require_that_values_fit(definition)
        self._write(before, definition, managed_by, by=by, source=source, reason=reason)
        return self.parameter(definition.key)

    def remove(self, key: str, *, by: str, source: str, reason: str = "") -> None:
        """Take a parameter out of the registry. Raises ParameterNotFound, or ParameterInUse with what uses it."""
        before = self.parameter(key, lock=True)
        if before.managed_by == "watchkeeper":
            raise ParameterIsManaged(f"{key} is a setting of Watchkeeper itself.")
        if before.managed_by == "ops" and source != "ops":
            raise ParameterIsManaged(f"{key} is described in ops/parameters.yaml: take it away there and apply.")
        users = self.uses(key)
        if users:
            raise ParameterInUse(f"{key} can't be removed: {'; '.join(users[:5])}.")
        store.remove_parameter(self.session, key)
        store.move_on(self.session, None, at=self.clock.now())
        said = before.definition.said()
        event = ParameterRemoved(key=key, service_name=before.definition.service, before=said, reason=reason)
        self._tell(event, by=by, source=source)

    def uses(self, key: str) -> list[str]:
        """What would break without this key, in words: values, overrides, prerequisites, changes that wait."""
        found = []
        for environment, settings in sorted(store.settings_of(self.session, key).items()):
            found.append(f"{len(settings)} value{'s' if len(settings) != 1 else ''} or overrides in {environment}")
        for environment, one in store.plain_values(self.session):
            if any(other == key for other, _ in prerequisites_of(one.value)):
                found.append(f"a prerequisite of {one.key} in {environment}")
        waiting = store_changes.open_with_key(self.session, key, OPEN_STATES)
        return found + [f"a change that is {one.state.replace('_', ' ')} in {one.environment}" for one in waiting]

    def declare(self, service: str, definition: Definition, *, by: str) -> tuple[str, str]:
        """Note that a service's code declares a key; a new one is added. Answers (outcome, detail); never raises.

        Outcomes: added, known, differs (the registry keeps what it says) or refused.
        """
        definition = replace(definition, service=definition.service or service)
        complaints = check_definition(definition)
        if is_own(definition.key):
            complaints.append(Complaint("key", f"another beginning than {OWN}"))
        if complaints:
            return "refused", "; ".join(f"{one.where}: expected {one.expected}" for one in complaints)
        store_reports.put_declaration(self.session, service, definition, at=self.clock.now())
        existing = store.parameter(self.session, definition.key)
        if existing is None:
            try:
                self.define(definition, managed_by="code", by=by, source="api")
            except DefinitionInvalid as refusal:
                return "refused", _in_words(refusal)
            return "added", ""
        differs = declared_differences(existing.definition, definition)
        if not differs:
            return "known", ""
        by_code = existing.managed_by == "code" and existing.definition.service == definition.service
        # A second person is wanted for this one, and a program that starts is none.
        if by_code and not existing.definition.needs_approval:
            try:
                taken = taken_over(existing.definition, definition)
                self.define(taken, managed_by="code", by=by, source="api")
            except DefinitionInvalid as refusal:
                return "refused", _in_words(refusal)
            return "known", f"{', '.join(differs)} taken over from the code"
        return "differs", f"the registry says otherwise of: {', '.join(differs)}"

    def _hold_still(self) -> None:
        """Nobody sets a value while it is looked whether the values that are set fit."""
        store.lock_environments(self.session)

    def _require_that_values_fit(self, definition: Definition) -> None:
        complaints = []
        for environment, settings in sorted(store.settings_of(self.session, definition.key).items()):
            complaints += [found for one in settings if (found := self._misfit(definition, environment, one))]
        for change in store_changes.open_with_key(self.session, definition.key, OPEN_STATES):
            for step in change.steps:
                if step.key == definition.key and step.after is not None:
                    planned = f"the change of {change.environment} that is {change.state.replace('_', ' ')}"
                    complaints += _complaint(definition, step.slot, step.after, planned)
        for environment, one in store.plain_values(self.session):
            for key, variants in prerequisites_of(one.value):
                gone = [name for name in variants if name not in definition.variants]
                if key == definition.key and gone:
                    where = f"a prerequisite of {one.key} in {environment}"
                    complaints.append(Complaint("variants", f"{', '.join(gone)}, which is {where}"))
        if complaints:
            raise DefinitionInvalid(
                f"Something set does not fit this definition of {definition.key}; change that first.",
                complaints=complaints[:20],
            )

    def _misfit(self, definition: Definition, environment: str, one: Setting) -> Complaint | None:
        whom = "" if not one.target else f" of {one.slot.replace(':', ' ')}"
        found = _complaint(definition, one.slot, one.wire(), f"the value{whom} in {environment}")
        return found[0] if found else None

    def _write(
        self,
        before: Parameter | None,
        definition: Definition,
        managed_by: ManagedBy,
        *,
        by: str,
        source: str,
        reason: str,
    ) -> None:
        now, said = self.clock.now(), definition.said()
        was = before.definition.said() if before is not None else {}
        changed = {name for name in {*said, *was} if said.get(name) != was.get(name)}
        keeps_ops = before is not None and before.managed_by == "ops" and source != "ops"
        kept: ManagedBy = "ops" if keeps_ops else managed_by
        applied = said if source == "ops" else (before.applied if before is not None and keeps_ops else None)
        same = applied is None or definition_in(applied) == said
        since = None if same else ((before.differs_since if before else None) or now)
        if before is not None and not changed:
            store.mark_applied(self.session, definition.key, managed_by=kept, applied=applied, since=since)
            return
        store.put_parameter(
            self.session, definition, managed_by=kept, applied=applied, differs_since=since, by=by, at=now
        )
        store.move_on(self.session, None, at=now)
        service = definition.service
        event: Event = (
            ParameterDefined(key=definition.key, service_name=service, after=said, reason=reason)
            if before is None
            else ParameterRedefined(
                key=definition.key,
                service_name=service,
                before={name: was.get(name) for name in sorted(changed)},
                after={name: said.get(name) for name in sorted(changed)},
                reason=reason,
            )
        )
        self._tell(event, by=by, source=source)

    def _tell(self, event: Event, *, by: str, source: str) -> None:
        journal.append(self.session, event, by=by, source=source, at=self.clock.now())


def _in_words(refusal: DefinitionInvalid) -> str:
    return "; ".join(f"{one.where}: expected {one.expected}" for one in refusal.complaints)


def is_environment_name(name: str) -> bool:
    """Whether an environment may be called so."""
    plain = name.replace("-", "a")
    return 0 < len(name) <= 64 and name.isascii() and name[0].isalpha() and plain.isalnum() and name.islower()


def definition_in(applied: Mapping[str, Any]) -> dict[str, Any]:
    """What files said of the parameter itself; they may have said its values too."""
    return {name: said for name, said in applied.items() if name != "values"}


def past_a_second_person(session: Session, before: Parameter, after: Definition | None) -> bool:
    """Whether saying something else of a parameter, or nothing any more, changes by itself what somebody may get, where
    values are changed by two people only."""
    was = before.definition
    guarded = was.needs_approval or any(one.needs_approval for one in store.all_environments(session))
    if after is None:
        return guarded
    lifted = was.needs_approval and not after.needs_approval
    return lifted or (guarded and any(getattr(was, name) != getattr(after, name) for name in _DECIDING))


def version_of(parameter: Parameter) -> Mapping[str, Any]:
    """What people edit of a registry entry; its ETag is made from this."""
    return {"version": parameter.version, **parameter.definition.said()}


def declared_differences(registry: Definition, code: Definition) -> list[str]:
    """Fields that code says otherwise; what code leaves out, and who owns it, is the registry's to say."""
    said, ours = code.said(), registry.said()
    return [name for name in said if name not in _OF_THE_REGISTRY and said[name] != ours.get(name)]


def taken_over(registry: Definition, code: Definition) -> Definition:
    """The registry's entry with what code says of it, and everything else as people left it."""
    ours = registry.said()
    if registry.type != code.type:
        # Bounds and choices of the old type mean nothing for the new one.
        ours = {name: said for name, said in ours.items() if name in (*_OF_THE_REGISTRY, "description", "unit")}
    return Definition.of({**ours, **{name: said for name, said in code.said().items() if name not in _OF_THE_REGISTRY}})


def _with_salt(definition: Definition, before: Parameter | None) -> Definition:
    """A flag draws by a salt of its own, and keeps it."""
    if definition.type != "flag" or definition.salt:
        return definition
    kept = before.definition.salt if before is not None else None
    return replace(definition, salt=kept or new_secret("salt")[5:21])


def _complaint(definition: Definition, slot: str, value: Any, what: str) -> list[Complaint]:
    try:
        check_slot(definition, slot, value)
    except ValueInvalid as wrong:
        where, expected = wrong.complaints[0]
        return [Complaint(what, f"{expected}{f' ({where})' if where else ''}, found {shown(definition, value)}")]
    return []
