"""Files that say of objectives what is, without touching those that say it already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from watchkeeper.kernel.ops import Complaints, Located
from watchkeeper.modules.slo.checks import Known
from watchkeeper.modules.slo.definition import DataSource, Definition, Policy
from watchkeeper.modules.slo.files.openslo import compiled
from watchkeeper.modules.slo.files.openslo_indicator import canonical, part

Meaning = Definition | DataSource | Policy


def arranged(here: Sequence[Located[Any]], there: Sequence[Located[Any]]) -> Iterator[tuple[str, Located[Any]]]:
    """Each entry with its file: those of `here` that mean what `there` means, or that others refer to, as they stand;
    in the place of the others those of `there`."""
    after = _meanings(there, frozenset())
    sources = frozenset(one.name for one in after.values() if isinstance(one, DataSource))
    before = _meanings(here, sources)
    same = {name for name, meaning in after.items() if before.get(name) == meaning}
    written: set[str] = set()
    for one in here:
        about, file = object_of(one), one.document.at.file
        if about is None or about in same:
            yield file, one
        elif about in after and about == one.value.name:
            written.add(about)
            yield from ((file, instead) for instead in there if object_of(instead) == about)
    for one in there:
        about = object_of(one)
        if about not in same and about not in written:
            yield one.document.at.file, one


def object_of(entry: Located[Any]) -> str | None:
    """The name of the object that an entry says something of; None for what only others refer to."""
    if entry.value.kind == "ServiceLevelAgreement":
        said = canonical(part(entry.document, ("spec",))).value.get("slo_ref")
        return said if isinstance(said, str) else None
    if entry.value.kind in ("SLI", "Service", "AlertPolicy", "AlertCondition", "AlertNotificationTarget"):
        return None
    return str(entry.value.name)


def _meanings(entries: Iterable[Located[Any]], data_sources: frozenset[str]) -> Mapping[str, Meaning]:
    """By the names of objects. What is wrong with them was or will be said elsewhere."""
    found = list(entries)
    compiled(found, Complaints(), Known(data_sources=data_sources))
    return {one.value.name: one.value.meaning for one in found if one.value.meaning is not None}
