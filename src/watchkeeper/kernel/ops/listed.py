"""Many objects in one document: kinds whose objects are the items of a list, each kind under a field of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from watchkeeper.kernel.ops.documents import Complaints, Document, Position
from watchkeeper.kernel.ops.kind import ListedKind, OpsKind, name_field

Path = tuple[Any, ...]


def families(kinds: Sequence[OpsKind]) -> list[tuple[OpsKind, ...]]:
    """The kinds by the files that they share; a kind whose documents are its objects shares them with none."""
    found: dict[str, list[OpsKind]] = {}
    for kind in kinds:
        found.setdefault(kind.pattern if isinstance(kind, ListedKind) else kind.name, []).append(kind)
    return [tuple(family) for family in found.values()]


def family_of(kind: OpsKind, kinds: Sequence[OpsKind]) -> tuple[OpsKind, ...]:
    """The kinds that share files with this one, itself among them."""
    return next(family for family in families(kinds) if kind in family)


def split(document: Document, family: Sequence[OpsKind], complaints: Complaints) -> Iterator[tuple[OpsKind, Document]]:
    """Each object of a document by itself, where it stands; what is no list of objects is added to `complaints`."""
    listed = {kind.listed_under: kind for kind in family if isinstance(kind, ListedKind)}
    if not listed:
        yield family[0], document
        return
    if not isinstance(document.value, dict):
        complaints.add(document.at, f"the field {' or '.join(listed)} with a list")
        return
    parts = _parts(document)
    for name, items in document.value.items():
        kind = listed.get(name)
        if kind is None:
            complaints.add(document.key((name,)), f"one of {', '.join(sorted(listed))}, found {str(name)[:40]!r}")
        elif items is not None and not isinstance(items, list):
            complaints.add(document.place((name,)), f"a list under {name}")
        else:
            for number, item in enumerate(items or ()):
                places, keys = parts[name, number]
                # A text is an object of which only the name is said.
                value = {name_field(kind.model): item} if isinstance(item, str) else item
                yield kind, Document(value, places, keys)


def joined(family: Sequence[OpsKind], documents: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Mapping[str, Any]]:
    """The documents of one file that hold these objects, which are given by the name of their kind."""
    listed = {kind.listed_under: documents.get(kind.name, ()) for kind in family if isinstance(kind, ListedKind)}
    if not listed:
        return [*documents.get(family[0].name, ())]
    return [{name: list(objects) for name, objects in listed.items() if objects}]


def _parts(document: Document) -> dict[Path, tuple[dict[Path, Position], dict[Path, Position]]]:
    """Places and keys of each item of each list, as of documents of their own."""
    found: dict[Path, tuple[dict[Path, Position], dict[Path, Position]]] = {}
    for number, of in enumerate((document.places, document.keys)):
        for path, at in of.items():
            if len(path) > 1:
                found.setdefault(path[:2], ({}, {}))[number][path[2:]] = at
    return found
