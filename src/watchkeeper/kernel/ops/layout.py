"""An export into a directory that holds files already: each object stays in the file that names it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from watchkeeper.kernel.ops.documents import Located
from watchkeeper.kernel.ops.export import family_file
from watchkeeper.kernel.ops.kind import OpsKind, ReadingKind
from watchkeeper.kernel.ops.listed import families
from watchkeeper.kernel.ops.plan import read_files


@dataclass(frozen=True)
class Arranged:
    """What has to be written so that the directory says what the export says.

    `changed` and `removed` are files that are there and say something else. Files that say the same in other words, or
    with comments, are `same` and stay as they are.
    """

    new: Mapping[str, str]
    changed: Mapping[str, str]
    removed: tuple[str, ...]
    same: tuple[str, ...]


def arrange(existing: Mapping[str, str], exported: Mapping[str, str], kinds: Sequence[OpsKind]) -> Arranged:
    """Both are path → text. Raises OpsInvalid when either is wrong, or when existing files name an object twice."""
    here, there = read_files(existing, kinds), read_files(exported, kinds)
    new: dict[str, str] = {}
    changed: dict[str, str] = {}
    removed: list[str] = []
    same: list[str] = []
    for family in families(kinds):
        before = _together({kind.name: _by_file(here.objects[kind.name], {}) for kind in family})
        after = _together(
            {kind.name: _homes(kind, here.objects[kind.name], there.objects[kind.name]) for kind in family}
        )
        for file in sorted({*before, *after}):
            if file not in after:
                removed.append(file)
            elif _same(before.get(file, {}), after[file]):
                same.append(file)
            else:
                objects = {kind: [one.document.value for one in found] for kind, found in after[file].items()}
                (changed if file in existing else new)[file] = family_file(family, file, objects)
    return Arranged(new, changed, tuple(removed), tuple(same))


def _homes(kind: OpsKind, here: Sequence[Located[Any]], there: Sequence[Located[Any]]) -> dict[str, list[Located[Any]]]:
    """The exported objects by the file they belong into, in the order of that file."""
    if isinstance(kind, ReadingKind):
        found: dict[str, list[Located[Any]]] = {}
        for file, one in kind.arranged(here, there):
            found.setdefault(file, []).append(one)
        return found
    order = {one.value.name: number for number, one in enumerate(here)}
    homes = {one.value.name: one.document.at.file for one in here}
    return _by_file(sorted(there, key=lambda one: order.get(one.value.name, len(order))), homes)


def _by_file(objects: Sequence[Located[Any]], homes: Mapping[str, str]) -> dict[str, list[Located[Any]]]:
    found: dict[str, list[Located[Any]]] = {}
    for one in objects:
        found.setdefault(homes.get(one.value.name, one.document.at.file), []).append(one)
    return found


def _together(by_kind: Mapping[str, Mapping[str, list[Located[Any]]]]) -> dict[str, dict[str, list[Located[Any]]]]:
    """File to kind to objects, from kind to file to objects."""
    found: dict[str, dict[str, list[Located[Any]]]] = {}
    for kind, files in by_kind.items():
        for file, objects in files.items():
            found.setdefault(file, {})[kind] = objects
    return found


def _same(before: Mapping[str, list[Located[Any]]], after: Mapping[str, list[Located[Any]]]) -> bool:
    return _said(before) == _said(after)


def _said(objects: Mapping[str, list[Located[Any]]]) -> dict[str, list[Any]]:
    return {kind: [one.value.model_dump() for one in found] for kind, found in objects.items()}
