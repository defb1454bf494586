"""What a story is: lines in the order of time, changes by suspicion, and what can be undone: no I/O, no clock."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from itertools import dropwhile

from watchkeeper.kernel.journal import Difference, Fact
from watchkeeper.kernel.web.access import Permission
from watchkeeper.modules.incidents.model import Incident, LinkKind
from watchkeeper.modules.runbooks.public import Content, How

_ONE_ACT = 3
_ROLLBACK = re.compile(r"roll(ing)?[ _-]?back", re.IGNORECASE)


class OnsetFrom(StrEnum):
    """How it is known when the errors began."""

    BURN = "burn"
    SYMPTOM = "symptom"


class UndoKind(StrEnum):
    """What undoing something is."""

    REVERT_CHANGE = "revert_change"
    END_SILENCE = "end_silence"
    RUN_RUNBOOK = "run_runbook"


@dataclass(frozen=True)
class Undo:
    """How something can be undone right here, by whoever has the permission.

    `target` is what it is done to (a change, a silence, a runbook), `steps` those of a runbook, `href` its page.
    """

    kind: UndoKind
    label: str
    says: str
    target: str
    permission: Permission
    href: str
    steps: tuple[str, ...] = ()


@dataclass(frozen=True)
class Onset:
    """When the errors began, and which services fail by the alerts around it."""

    at: datetime
    known_from: OnsetFrom
    failing: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Line:
    """Something that happened. `mark` names its fact for good; `more` are what else the same act was."""

    mark: str
    fact: Fact
    text: str
    actor_name: str
    page: str | None
    is_change: bool
    undo: Undo | None = None
    more: tuple[Line, ...] = ()

    @property
    def at(self) -> datetime:
        return self.fact.at


@dataclass(frozen=True)
class Suspect:
    """A change, how suspicious it is (0..1), why, and its undo. `is_suspect`: suspicious enough to be named.

    `target` is what a link to it names: the id of a change of configuration, else the mark of its fact.
    """

    mark: str
    target: str
    kind: LinkKind | None
    fact_seq: int
    at: datetime
    text: str
    service: str
    actor_name: str
    page: str | None
    differences: tuple[Difference, ...]
    score: float
    why: tuple[str, ...]
    is_suspect: bool
    undone_at: datetime | None = None
    seen_at: datetime | None = None
    undo: Undo | None = None

    @property
    def before(self) -> Mapping[str, str]:
        """Field to what it was."""
        return {one.field: one.before for one in self.differences}

    @property
    def after(self) -> Mapping[str, str]:
        """Field to what it became."""
        return {one.field: one.after for one in self.differences}


@dataclass(frozen=True)
class Story:
    """All of it: `lines` newest last, `changes` by suspicion. `cut`: there were more lines than are told."""

    incident: Incident
    onset: Onset
    services: tuple[str, ...]
    lines: tuple[Line, ...] = ()
    changes: tuple[Suspect, ...] = ()
    cut: bool = False
    names: Mapping[str, str] = field(default_factory=dict)
    linked: frozenset[str] = frozenset()

    @property
    def suspects(self) -> tuple[Suspect, ...]:
        """Those that are suspicious enough; none says that no change is to blame."""
        return tuple(one for one in self.changes if one.is_suspect)

    @property
    def others(self) -> tuple[Suspect, ...]:
        return tuple(one for one in self.changes if not one.is_suspect)

    def undo_of(self, mark: str) -> Undo | None:
        """How the fact of this mark can be undone."""
        able = {one.mark: one.undo for one in self.lines} | {one.mark: one.undo for one in self.changes}
        return able.get(mark)


def by_act(lines: Iterable[Line], apart: Collection[str] = ()) -> tuple[Line, ...]:
    """Facts of one act as one line, in the place of the first: an apply of a hundred files is one thing that happened.

    What changed how something runs stands for the rest. Facts about `apart` (ids), and what can be undone, stay by
    themselves, as do acts of fewer than three facts.
    """
    acts: dict[tuple[object, ...], list[Line]] = {}
    for one in lines:
        fact = one.fact
        alone = one.undo is not None or fact.subject_id in apart
        acts.setdefault((fact.seq,) if alone else (fact.at, fact.actor, fact.source), []).append(one)
    found: list[Line] = []
    for act in acts.values():
        found += act if len(act) < _ONE_ACT else [_together(act)]
    return tuple(sorted(found, key=lambda one: one.fact.seq))


def _together(act: list[Line]) -> Line:
    shown = next((one for one in act if one.is_change), act[0])
    more = tuple(one for one in act if one is not shown)
    return replace(shown, text=f"{shown.text} And {len(more)} more at the same moment.", more=more)


def rollback_steps(content: Content) -> tuple[str, ...]:
    """Keys of the steps of a runbook that bring back the last release: those below a heading that says so, without what
    people do by hand before the first one.
    """
    titles = {one.anchor: one.title for one in content.sections}
    for anchor, steps in content.procedures().items():
        if _ROLLBACK.search(anchor) or _ROLLBACK.search(titles.get(anchor, "")):
            by_machine = tuple(dropwhile(lambda one: one.how is How.MANUAL, steps))
            return tuple(one.key for one in by_machine or steps)
    return tuple(one.key for one in content.steps if _ROLLBACK.search(one.key) or _ROLLBACK.search(one.title))[:1]
