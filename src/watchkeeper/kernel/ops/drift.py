"""Who made an object differ from its files: the journal knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel.journal import Fact, FactFilter, read_facts
from watchkeeper.kernel.ops.kind import Drifted

_PAGE = 200
_MOST_READ = 2_000


@dataclass(frozen=True)
class Edit:
    """One field that differs: what the files said, what it is now, and the fact that made it so, if it is found."""

    field: str
    said: str
    now: str
    fact: Fact | None


def edits_of(session: Session, drifted: Drifted) -> list[Edit]:
    """Each field that differs, with the last change that was made to it outside the files."""
    missing, made_by = set(drifted.fields), dict[str, Fact]()
    for fact in _changes_since(session, drifted):
        changed = {name for name in missing if _changed(fact, name, drifted.told.get(name))}
        made_by |= dict.fromkeys(changed, fact)
        missing -= changed
        if not missing:
            break
    return [
        Edit(name, in_words(said), in_words(now), made_by.get(name)) for name, (said, now) in drifted.fields.items()
    ]


def _changed(fact: Fact, name: str, told: Mapping[str, Any] | None) -> bool:
    if told is None:
        return name in (fact.data.get("after") or ())
    return all(fact.data.get(field) == value for field, value in told.items())


def in_words(value: Any) -> str:
    """A plain value as a person reads it."""
    if value is None or value == "" or value == []:
        return "nothing"
    if isinstance(value, dict):
        return " ".join(in_words(one) for one in value.values())
    return ", ".join(in_words(one) for one in value) if isinstance(value, list) else str(value)


def _changes_since(session: Session, drifted: Drifted) -> Iterator[Fact]:
    """Facts about the object that files did not make, newest first."""
    wanted = FactFilter(subjects=(drifted.subject.id,), since=drifted.since)
    for _ in range(_MOST_READ // _PAGE):
        page = read_facts(session, wanted, limit=_PAGE)
        yield from (one for one in page if one.subject_type == drifted.subject.type and one.source != "ops")
        if len(page) < _PAGE:
            return
        wanted = replace(wanted, before_seq=page[-1].seq)
