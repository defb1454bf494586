"""`ops/slos/*.yaml`: objectives, agreements, data sources and error-budget policies as code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.journal import Subject
from watchkeeper.kernel.ops import Action, Change, Complaints, Document, Drifted, Located, PlanOutdated, differences
from watchkeeper.modules.slo import store
from watchkeeper.modules.slo.checks import Known, warnings_about
from watchkeeper.modules.slo.definition import Composite, DataSource, Definition, Policy
from watchkeeper.modules.slo.files.arranging import arranged
from watchkeeper.modules.slo.files.openslo import compiled, name_place, read_document
from watchkeeper.modules.slo.files.openslo_export import data_source_document, policy_document, slo_documents
from watchkeeper.modules.slo.files.openslo_wire import SloFile
from watchkeeper.modules.slo.ops_examples import EXAMPLE
from watchkeeper.modules.slo.service import LONGEST_WINDOW, Slos, sources_of

_KINDS: Mapping[type[BaseModel], str] = {DataSource: "DataSource", Policy: "ErrorBudgetPolicy"}
Content = Definition | DataSource | Policy
Kept = store.Stored | store.Record


@dataclass(frozen=True)
class SloKind:
    """Objectives in plan and apply. A document of OpenSLO may mean nothing by itself: an SLI, an alert policy."""

    name: str = "slo"
    pattern: str = "slos/*.yaml"
    model: type[BaseModel] = SloFile
    examples: Mapping[str, str] = field(default_factory=lambda: {"slos/example.yaml": EXAMPLE})
    named_under: tuple[str, ...] = ("metadata", "name")

    def read(self, document: Document, complaints: Complaints) -> Iterable[Located[Any]]:
        """An entry, or those of a file of Sloth."""
        return read_document(document, complaints)

    def name_of(self, document: Mapping[str, Any]) -> str:
        """An SLO's own name, of the agreement beside it too; of other kinds, with the kind before it."""
        kind, name = document["kind"], document["metadata"]["name"]
        if kind == "ServiceLevelAgreement":
            return str(document["spec"]["sloRef"])
        return str(name) if kind == "SLO" else f"{kind} {name}"

    def arranged(
        self, here: Sequence[Located[Any]], there: Sequence[Located[Any]]
    ) -> Iterable[tuple[str, Located[Any]]]:
        """Documents that mean what is stay as they are, with the indicators and policies that they refer to."""
        return arranged(here, there)

    def plan(self, session: Session, desired: Sequence[Located[Any]], complaints: Complaints) -> list[Change]:
        """Created, changed, adopted, unchanged, and those from files that no file names any more."""
        existing = _existing(session)
        compiled(desired, complaints, _besides(existing))
        changes = []
        for one in desired:
            content = one.value.meaning
            if content is not None:
                changes.append(_change(one, content, existing.get(one.value.name)))
        named = {one.value.name for one in desired}
        gone = {name: kept for name, kept in existing.items() if kept.managed_by == "ops" and name not in named}
        changes += [_deletion(name, kept, _users(name, existing, gone)) for name, kept in gone.items()]
        contents = {one.value.name: one.value.meaning for one in desired} | {
            name: _content(kept) for name, kept in gone.items()
        }
        # What others are made of goes first; what is deleted goes the other way round.
        return sorted(changes, key=lambda change: (_rank(change.name, contents), change.name))

    def apply(self, session: Session, change: Change, desired: Any | None, *, by: str, at: datetime) -> None:
        """One change, if the object still is what the plan saw."""
        slos = Slos(session, ManualClock(at))
        kept = _existing(session).get(change.name)
        if desired is None:
            _remove(slos, change, kept, by)
            return
        content = desired.meaning
        _require_unchanged(kept, change, content)
        applied = content.model_dump(mode="json")
        if isinstance(content, Definition):
            slos.put(content, by=by, source="ops", managed_by="ops", applied=applied, context=desired.context)
        else:
            slos.put_record(content, by=by, source="ops", managed_by="ops", applied=applied)

    def export(self, session: Session) -> list[tuple[str, dict[str, Any]]]:
        """An SLO and its agreement in a file of their own, each data source and policy too."""
        found = [
            (f"slos/{one.name}.yaml", document)
            for one in store.all_definitions(session)
            for document in slo_documents(one.definition)
        ]
        found += [
            (f"slos/data-sources/{one.name}.yaml", data_source_document(one)) for one in store.data_sources(session)
        ]
        return [*found, *((f"slos/policies/{one.name}.yaml", policy_document(one)) for one in store.policies(session))]

    def drift(self, session: Session) -> list[Drifted]:
        """Objects that were changed since the files were applied."""
        return [found for name, kept in _existing(session).items() if (found := _drift_of(name, kept)) is not None]


def _existing(session: Session) -> dict[str, Kept]:
    """All by the names of their entries."""
    found: dict[str, Kept] = {one.name: one for one in store.all_definitions(session)}
    for model, kind in _KINDS.items():
        records = store.all_records(session, model)  # type: ignore[type-var]
        found |= {f"{kind} {one.content.name}": one for one in records}
    return found


def _content(kept: Kept) -> Content:
    return kept.definition if isinstance(kept, store.Stored) else kept.content


def _besides(existing: Mapping[str, Kept]) -> Known:
    """What there will be besides the files: nothing that came from them."""
    others = [_content(kept) for kept in existing.values() if kept.managed_by != "ops"]
    return Known(
        slos={one.name: one for one in others if isinstance(one, Definition)},
        data_sources=frozenset(one.name for one in others if isinstance(one, DataSource)),
        policies=tuple(one for one in others if isinstance(one, Policy)),
        longest_window=LONGEST_WINDOW,
    )


def _change(one: Located[Any], content: Content, kept: Kept | None) -> Change:
    name, where = one.value.name, str(name_place(one))
    note = " ".join(warnings_about(content)) if isinstance(content, Definition) else ""
    if kept is None:
        return Change("create", "slo", name, {key: (None, value) for key, value in _said(content).items()}, where, note)
    changed = _differences(_content(kept), content)
    drifted = _drift_of(name, kept)
    drift = tuple(key for key in (drifted.fields if drifted else ()) if key in changed)
    if kept.managed_by != "ops":
        action: Action = "update" if changed else "adopt"
        taken: dict[str, tuple[Any, Any]] = {**changed, "managed_by": (kept.managed_by, "ops")}
        return Change(action, "slo", name, taken, where, "known already; from now on described in ops/", drift)
    if kept.differs_since is not None and not changed:
        return Change("adopt", "slo", name, {}, where, "was changed elsewhere; the files say so now too")
    return Change("update" if changed else "unchanged", "slo", name, changed, where, note, drift)


def _deletion(name: str, kept: Kept, users: Sequence[str]) -> Change:
    fields = {key: (value, None) for key, value in _said(_content(kept)).items()}
    note = "no file names it any more"
    if users:
        note += f"; used by {users[0]}" + (f" and {len(users) - 1} more" if len(users) > 1 else "")
    return Change("delete", "slo", name, fields, note=note)


def _users(name: str, existing: Mapping[str, Kept], gone: Mapping[str, Kept]) -> list[str]:
    """SLOs made in the console that need what goes: applying would be refused."""
    others = [one.definition for key, one in existing.items() if isinstance(one, store.Stored) and key not in gone]
    return [one.name for one in others if name in _needs(one)]


def _needs(definition: Definition) -> set[str]:
    """The names of the entries that an SLO stands on."""
    parts = definition.indicator.parts if isinstance(definition.indicator, Composite) else ()
    return {f"DataSource {one}" for one in sources_of(definition)} | {one.slo for one in parts}


def _rank(name: str, contents: Mapping[str, Content | None]) -> int:
    """How many layers of objects stand below it."""
    rank, layer, seen = 0, {name}, set[str]()
    while layer:
        seen |= layer
        below = (contents.get(one) for one in layer)
        layer = {need for one in below if isinstance(one, Definition) for need in _needs(one)} - seen
        rank += bool(layer)
    return rank


def _said(content: Content) -> dict[str, Any]:
    """What is not as if never said, in plain values."""
    said: dict[str, Any] = content.model_dump(mode="json", exclude_defaults=True)
    if isinstance(content, Definition):
        said["indicator"] = {"kind": content.indicator.kind, **said["indicator"]}
    return said


def _differences(before: Content, after: Content) -> dict[str, tuple[Any, Any]]:
    """Fields that differ, each shown as briefly as it can be told."""
    earlier, later = (one.model_dump(mode="json") for one in (before, after))
    return {name: (_value(before, name), _value(after, name)) for name in differences(earlier, later)}


def _value(content: Content, name: str) -> Any:
    said = _said(content)
    return said[name] if name in said else content.model_dump(mode="json").get(name)


def _drift_of(name: str, kept: Kept) -> Drifted | None:
    if kept.applied is None or kept.differs_since is None:
        return None
    content = _content(kept)
    fields = _differences(type(content).model_validate(kept.applied), content)
    if not fields:
        return None
    if isinstance(content, Definition):
        about, href = Subject("slo", content.name), f"/slos/{content.name}"
    elif isinstance(content, DataSource):
        about, href = Subject("slo_data_source", content.name), "/slos/data-sources"
    else:
        about, href = Subject("slo_policy", content.name), "/slos/policies"
    return Drifted("slo", name, kept.differs_since, fields, about, href)


def _remove(slos: Slos, change: Change, kept: Kept | None, by: str) -> None:
    if kept is None or change.fields != {key: (value, None) for key, value in _said(_content(kept)).items()}:
        raise _outdated(change)
    content = _content(kept)
    if isinstance(content, Definition):
        slos.remove(content.name, by=by, source="ops", reason="no file names it any more")
    else:
        slos.remove_record(type(content), content.name, by=by, source="ops")


def _require_unchanged(kept: Kept | None, change: Change, content: Content) -> None:
    if kept is None:
        same = change.action == "create"
    elif change.action == "adopt":
        same = _content(kept) == content
    else:
        now = _content(kept)
        same = change.action == "update" and all(
            _value(now, key) == before for key, (before, _) in change.fields.items() if key != "managed_by"
        )
    if not same:
        raise _outdated(change)


def _outdated(change: Change) -> PlanOutdated:
    return PlanOutdated(f"{change.name} was changed by somebody else just now. Plan again.")
