"""Files of objectives, OpenSLO v1 and Sloth, to definitions; every complaint says where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from watchkeeper.kernel.ops import Complaints, Document, Located, Position
from watchkeeper.kernel.ops.documents import check
from watchkeeper.kernel.ops.yaml_file import Budget, parse
from watchkeeper.modules.slo import checks
from watchkeeper.modules.slo.checks import Known
from watchkeeper.modules.slo.definition import Agreement, Composite, DataSource, Definition, Policy
from watchkeeper.modules.slo.files.openslo_alerts import Rules
from watchkeeper.modules.slo.files.openslo_indicator import canonical, part, without
from watchkeeper.modules.slo.files.openslo_slo import Around, Entry, Made, definition_of
from watchkeeper.modules.slo.files.openslo_wire import MODELS
from watchkeeper.modules.slo.files.sloth import SLOTH, definition_of_sloth, read_sloth

Path = tuple[Any, ...]
_STEP = re.compile(r"([a-z_]+)|\[([0-9]+)\]")


@dataclass(frozen=True)
class Bundle:
    """What files say together: definitions (composites last), data sources, policies."""

    slos: Sequence[Made]
    data_sources: Sequence[DataSource]
    policies: Sequence[Policy]

    @property
    def definitions(self) -> list[Definition]:
        """The SLOs alone."""
        return [one.definition for one in self.slos]

    def warnings(self) -> list[tuple[Position, str]]:
        """What is allowed and probably not meant, with where the SLO's objectives stand."""
        return [
            (one.place(("objectives",)), f"{one.definition.name}: {text}")
            for one in self.slos
            for text in checks.warnings_about(one.definition)
        ]


class _Once(Complaints):
    """What several SLOs refer to is complained of once."""

    def __init__(self, inner: Complaints) -> None:
        super().__init__(inner.named)
        self._inner = inner
        self._said: set[tuple[Position, str]] = set()

    def add(self, at: Position, expected: str) -> None:
        if (at, expected) not in self._said:
            self._said.add((at, expected))
            self._inner.add(at, expected)

    @property
    def count(self) -> int:
        return len(self._said)


def read_texts(files: Mapping[str, str], known: Known | None = None) -> Bundle:
    """Definitions of path → text. `known` is what there is besides. Raises OpsInvalid with every complaint."""
    complaints, budget = Complaints(), Budget()
    entries = [
        entry
        for file in sorted(files)
        for document in parse(file, files[file], complaints, budget)
        for entry in read_document(document, complaints)
    ]
    _refuse_doubles(entries, complaints)
    bundle = compiled(entries, complaints, known or Known())
    complaints.refuse_if_any()
    return bundle


def read_document(document: Document, complaints: Complaints) -> list[Located[Any]]:
    """The entries of one document: one, or one for each SLO of Sloth."""
    value = document.value
    if isinstance(value, dict) and "version" in value and "apiVersion" not in value:
        return read_sloth(document, complaints)
    kind = value.get("kind") if isinstance(value, dict) else None
    model = MODELS.get(kind) if isinstance(kind, str) else None
    if model is None or kind is None:
        complaints.add(document.place(("kind",)), f"apiVersion: openslo/v1 and a kind: one of {', '.join(MODELS)}")
        return []
    found = check(document, model, complaints)
    if found is None:
        return []
    name = found.value.metadata.name
    return [Located[Any](Entry(kind, name if kind == "SLO" else f"{kind} {name}", found.value), document)]


def compiled(entries: Iterable[Located[Any]], complaints: Complaints, known: Known) -> Bundle:
    """What the entries say together; each entry gets its meaning. What is wrong is added to `complaints`.

    `known.slos` and `known.data_sources` are those that are there besides the files.
    """
    entries, once = list(entries), _Once(complaints)
    documents = {one.value.name: one for one in entries}
    data_sources = [source for one in entries if (source := _data_source(one, once)) is not None]
    policies = _policies(entries, known, once)
    names = known.data_sources | {
        one.value.name.removeprefix("DataSource ") for one in entries if one.value.kind == "DataSource"
    }
    rules = Rules(documents, once)
    for one in entries:
        if one.value.kind == "AlertPolicy":
            rules.named(one.value.value.metadata.name, one.document.at)
    around = Around(documents, rules, _agreements(entries, documents, once), names, once)
    before = once.count
    made = [each for one in entries if (each := _made(one, around)) is not None]
    complete = once.count == before
    definitions = {one.definition.name: one.definition for one in made}
    said = replace(known, slos={**known.slos, **definitions}, data_sources=names)
    for each in made:
        # A part that is wrong itself is not also missing.
        if complete or not isinstance(each.definition.indicator, Composite):
            _check(each, said, once)
        each.entry.value.meaning = each.definition
        each.entry.value.context = definitions
    made.sort(key=lambda one: (isinstance(one.definition.indicator, Composite), one.definition.name))
    return Bundle(made, data_sources, policies)


def _made(entry: Located[Any], around: Around) -> Made | None:
    if entry.value.kind == "SLO":
        return definition_of(entry, around)
    if entry.value.kind == SLOTH:
        return definition_of_sloth(entry, around.data_sources, around.complaints)
    return None


def _check(made: Made, known: Known, complaints: Complaints) -> None:
    for one in checks.complaints_about(made.definition, known):
        complaints.add(made.place(_path(one.where)), one.expected)


def _path(where: str) -> Path:
    """Of a complaint: `alerting.rules[0].long`."""
    return tuple(int(number) if number else name for name, number in _STEP.findall(where))


def _refuse_doubles(entries: Iterable[Located[Any]], complaints: Complaints) -> None:
    first: dict[str, Position] = {}
    for one in entries:
        at = name_place(one)
        if one.value.name in first:
            complaints.add(at, f"each name once, found {one.value.name!r}, which is also at {first[one.value.name]}")
        first.setdefault(one.value.name, at)


def name_place(entry: Located[Any]) -> Position:
    """Where an entry's name stands."""
    return entry.document.place(("name",) if entry.value.kind == SLOTH else ("metadata", "name"))


def _data_source(entry: Located[Any], complaints: Complaints) -> DataSource | None:
    if entry.value.kind != "DataSource":
        return None
    document, value = entry.document, entry.value.value
    if value.spec.type.lower() != "prometheus":
        complaints.add(document.place(("spec", "type")), f"Prometheus, found {value.spec.type!r}")
        return None
    here = _details(canonical(part(document, ("spec", "connectionDetails"))))
    said = {"name": value.metadata.name, "display_name": value.metadata.display_name}
    whole = {**said, **here.value, "description": value.spec.description}
    found = check(Document(whole, here.places, here.keys), DataSource, complaints)
    if found is None:
        return None
    for wrong in checks.complaints_about_data_source(found.value):
        complaints.add(here.place((wrong.where,)), wrong.expected)
    entry.value.meaning = found.value
    return found.value


def _details(document: Document) -> Document:
    """OpenSLO has them as a list of mappings with one field each."""
    if not isinstance(document.value, list):
        return document
    value = {name: said for one in document.value for name, said in one.items()}
    places = {path[1:]: at for path, at in document.places.items() if len(path) > 1}
    keys = {path[1:]: at for path, at in document.keys.items()}
    return Document(value, {**places, (): document.at}, keys)


def _policies(entries: Iterable[Located[Any]], known: Known, complaints: Complaints) -> list[Policy]:
    found: list[tuple[Policy, Document]] = []
    for entry in entries:
        if entry.value.kind != "ErrorBudgetPolicy":
            continue
        here = canonical(part(entry.document, ("spec",)))
        whole = {"name": entry.value.value.metadata.name, **here.value}
        one = check(Document(whole, here.places, here.keys), Policy, complaints)
        if one is not None:
            entry.value.meaning = one.value
            found.append((one.value, here))
    names = {policy.name for policy, _ in found}
    besides = [one for one in known.policies if one.name not in names]
    for number, (policy, here) in enumerate(found):
        others = [*besides, *(earlier for earlier, _ in found[:number])]
        for wrong in checks.complaints_about_policy(policy, others):
            complaints.add(here.place(_path(wrong.where)), wrong.expected)
    return [policy for policy, _ in found]


def _agreements(
    entries: Iterable[Located[Any]], documents: Mapping[str, Located[Any]], complaints: Complaints
) -> dict[str, tuple[Agreement, Mapping[Path, Position]]]:
    """By the SLO that they stand beside."""
    found: dict[str, tuple[Agreement, Mapping[Path, Position]]] = {}
    for entry in entries:
        if entry.value.kind != "ServiceLevelAgreement":
            continue
        here = canonical(part(entry.document, ("spec",)))
        slo = here.value.get("slo_ref")
        one = check(without(here, "slo_ref"), Agreement, complaints)
        if not isinstance(slo, str) or slo not in documents:
            complaints.add(here.place(("slo_ref",)), "sloRef: an SLO that is in these files")
        elif slo in found:
            complaints.add(here.place(("slo_ref",)), f"one agreement for each SLO; {slo} has two")
        elif one is not None:
            found[slo] = (one.value, {("agreement", *path): at for path, at in here.places.items()})
    return found
