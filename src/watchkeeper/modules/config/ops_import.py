"""Parameters out of one file, by hand: nothing leaves, nothing belongs to files, values wait for approval as ever."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import Conflict
from watchkeeper.kernel.ops import Action, Change, Complaints, Desired, read_files
from watchkeeper.modules.config import store
from watchkeeper.modules.config.changes import Changes
from watchkeeper.modules.config.errors import NothingChanges
from watchkeeper.modules.config.model import VALUE, ChangeSet, Operation
from watchkeeper.modules.config.ops import FILE, OPS_KINDS, fields_of, prerequisites_first
from watchkeeper.modules.config.ops_look import Look, Wanted, fits
from watchkeeper.modules.config.service import Config


class ImportOutdated(Conflict):
    code = "config.import_outdated"
    title = "Something changed since you looked"


@dataclass(frozen=True)
class Import:
    """What a file would change beside what is there."""

    changes: tuple[Change, ...]
    wanted: Mapping[str, Wanted]
    look: Look

    @property
    def fingerprint(self) -> str:
        """Of the changes and of what they start from."""
        plain = [[one.action, one.name, one.fields] for one in self.changes]
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:32]


def read(text: str) -> Desired:
    """Parse and check YAML or JSON of the shape of `parameters.yaml`. Raises OpsInvalid with every complaint."""
    return read_files({FILE: text}, OPS_KINDS)


def plan(session: Session, desired: Desired) -> Import:
    """What importing would do. Raises OpsInvalid with every complaint."""
    complaints = Complaints({"parameter": frozenset(one.value.name for one in desired.objects["parameter"])})
    look = Look(session, complaints)
    known = {one.name for one in store.all_environments(session)}
    for one in desired.objects["environment"]:
        if one.value.name not in known:
            complaints.add(one.document.at, f"an environment that exists, found {one.value.name!r}")
    wanted = {found.key: found for one in desired.objects["parameter"] if (found := look.wanted(one)) is not None}
    look.complain_of_references(wanted)
    for found in wanted.values():
        look.complain_of_misfits(found)
    complaints.refuse_if_any()
    changes = {key: _change(look, one) for key, one in wanted.items()}
    return Import(tuple(prerequisites_first(changes, look, wanted)), wanted, look)


def carry_out(found: Import, clock: Clock, *, reason: str, by: str, source: str) -> list[ChangeSet]:
    """Define what differs, and set the values of each environment as one change, which may wait for approval.

    Raises DefinitionInvalid where something set would not fit, or whatever `Changes.propose` raises.
    """
    config, changes = Config(found.look.session, clock), Changes(found.look.session, clock)
    early, late = _operations(found)
    made = _propose(changes, early, reason=reason, by=by, source=source)
    for change in found.changes:
        before, definition = found.look.parameters.get(change.name), found.wanted[change.name].definition
        if before is None or before.definition != definition:
            managed_by = before.managed_by if before is not None else "people"
            config.define(definition, managed_by=managed_by, by=by, source=source, reason=reason)
    return made + _propose(changes, late, reason=reason, by=by, source=source)


def _change(look: Look, one: Wanted) -> Change:
    fields = fields_of(look, one)
    action: Action = "create" if one.key not in look.parameters else "update" if fields else "unchanged"
    return Change(action, "parameter", one.key, fields, one.where)


def _operations(found: Import) -> tuple[dict[str, list[Operation]], dict[str, list[Operation]]]:
    """By environment: what can be set before anything is defined anew, and what can't."""
    early: dict[str, list[Operation]] = {}
    late: dict[str, list[Operation]] = {}
    for change in found.changes:
        one, before = found.wanted[change.name], found.look.parameters.get(change.name)
        for environment, value in one.values.items():
            setting = found.look.setting(one.key, environment)
            if value != (setting.value if setting is not None else None):
                first = before is not None and fits(before.definition, value)
                operation = Operation(one.key, VALUE, value, setting.version if setting is not None else 0)
                (early if first else late).setdefault(environment, []).append(operation)
    return early, late


def _propose(
    changes: Changes, operations: Mapping[str, list[Operation]], *, reason: str, by: str, source: str
) -> list[ChangeSet]:
    made = []
    for environment, listed in sorted(operations.items()):
        try:
            made.append(changes.propose(environment, listed, reason=reason, by=by, source=source))
        except NothingChanges:
            continue
    return made
