"""`ops/segments.yaml`: segments as code. The members of manual ones are listed elsewhere: they are no code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock, ManualClock, SystemClock
from watchkeeper.kernel.journal import Subject
from watchkeeper.kernel.ops import Action, Change, Complaints, Drifted, Located, PlanOutdated
from watchkeeper.modules.subjects import store, store_segments
from watchkeeper.modules.subjects.errors import ExpressionInvalid
from watchkeeper.modules.subjects.expression import condition_of
from watchkeeper.modules.subjects.model import (
    SEGMENT_NAME,
    Definition,
    Segment,
    complaints_about,
    is_segment_name,
)
from watchkeeper.modules.subjects.segments import Segments, SegmentUses, condition_from
from watchkeeper.modules.subjects.tally import tally
from watchkeeper.modules.subjects.wire_segments import Described

FILE = "segments.yaml"
_SAMPLE = 50_000
_EXAMPLE = """\
# Segments of the product's users; a line with three dashes divides them.
# all_users and country_NO, country_SE and so on are there without being described.

#name: nordics
#type: auto_country
#description: Where we began.
#countries: [DK, FI, IS, NO, SE]
#---
#name: grown_up
#type: auto_age
#from_age: 18
#---
#name: back_after_a_break
#type: auto_activity
#activity: inactive
#within: 30d
#---
# An expression in CEL: the record's country, status, age, birth_year, last_active_at, and attributes.
#name: premium
#type: custom
#expression: attributes.plan == "premium" && !(country in ["GB", "US"])
#---
# Its members are listed in the console or through the API, not here.
#name: testers
#type: manual
#description: Who sees things first.
"""


class SegmentFile(Described):
    """One segment of the product's users; a file may hold several, divided by `---`."""

    name: str = Field(
        max_length=64,
        description="A small letter, then small letters, digits and `_`.",
        json_schema_extra={"pattern": f"^{SEGMENT_NAME}$"},
    )


@dataclass(frozen=True)
class SegmentKind:
    """Segments in plan and apply. `uses` tells what holds a segment that no file names any more."""

    uses: SegmentUses = field(default_factory=SegmentUses)
    clock: Clock = field(default_factory=SystemClock)
    name: str = "segment"
    pattern: str = FILE
    model: type[BaseModel] = SegmentFile
    examples: Mapping[str, str] = field(default_factory=lambda: {FILE: _EXAMPLE})

    def plan(self, session: Session, desired: Sequence[Located[Any]], complaints: Complaints) -> list[Change]:
        """Created, changed, adopted, unchanged, and those from files that no file names any more."""
        existing = {one.name: one for one in store_segments.all_segments(session)}
        fitting = [one for one in desired if _fits(one, existing.get(one.value.name), complaints)]
        empty = _empty(session, fitting, existing, self.clock.now())
        changes = []
        for one in fitting:
            name, definition = one.value.name, one.value.definition()
            note = ""
            if name in empty and definition.allow_empty:
                note = "nobody is in it yet"
            elif name in empty and store.total(session):
                complaints.add(one.document.at, "somebody in the segment, or allow_empty: true")
            elif name in empty:
                note = "nobody is in it: no subjects were sent yet"
            changes.append(_change(existing.get(name), one, definition, note))
        named = {one.value.name for one in desired}
        gone = [one for one in existing.values() if one.managed_by == "ops" and one.name not in named]
        return sorted([*changes, *(self._deletion(session, one) for one in gone)], key=lambda change: change.name)

    def apply(self, session: Session, change: Change, desired: Any | None, *, by: str, at: datetime) -> None:
        """One change, if the segment still is what the plan saw."""
        segments = Segments(session, ManualClock(at))
        found = store_segments.by_name(session, change.name, lock=True)
        _require_unchanged(found, change, desired.definition() if desired is not None else None)
        if desired is not None:
            segments.put(change.name, desired.definition(), by=by)
            return
        # What used it may have left the files too: that was deleted before, since later kinds go first.
        segments.remove(change.name, self.uses, by=by)

    def export(self, session: Session) -> list[tuple[str, dict[str, Any]]]:
        """All in one file, without the members of manual segments."""
        return [(FILE, {"name": one.name, **_said(one.definition)}) for one in store_segments.all_segments(session)]

    def drift(self, session: Session) -> list[Drifted]:
        """Segments that were changed since the files were applied."""
        return [found for one in store_segments.all_segments(session) if (found := drift_of(one)) is not None]

    def _deletion(self, session: Session, segment: Segment) -> Change:
        fields = {name: (value, None) for name, value in segment.definition.said().items()}
        used_by = self.uses.of(session, segment.name)
        note = "no file names it any more"
        if used_by:
            note += f"; used by {used_by[0]}" + (f" and {len(used_by) - 1} more" if len(used_by) > 1 else "")
        return Change("delete", self.name, segment.name, fields, note=note, drift=segment.drift)


def drift_of(segment: Segment) -> Drifted | None:
    """How the segment differs from what the files said last."""
    if segment.applied is None or segment.differs_since is None or not segment.drift:
        return None
    fields = segment.applied.changes_to(segment.definition)
    about = Subject("segment", segment.name)
    return Drifted("segment", segment.name, segment.differs_since, fields, about, f"/segments/{quote(segment.name)}")


def _said(definition: Definition) -> dict[str, Any]:
    return {name: value for name, value in definition.said().items() if value != ""}


def _change(segment: Segment | None, one: Located[Any], definition: Definition, note: str) -> Change:
    name, where = one.value.name, str(one.document.at)
    if segment is None:
        return Change(
            "create", "segment", name, {key: (None, said) for key, said in _said(definition).items()}, where, note
        )
    changed = segment.definition.changes_to(definition)
    drift = tuple(said for said in segment.drift if said in changed)
    if segment.managed_by != "ops":
        action: Action = "update" if changed else "adopt"
        fields = {**changed, "managed_by": (segment.managed_by, "ops")}
        return Change(action, "segment", name, fields, where, "known already; from now on described in ops/", drift)
    if segment.differs_since is not None and not changed:
        return Change("adopt", "segment", name, {}, where, "was changed elsewhere; the files say so now too")
    return Change("update" if changed else "unchanged", "segment", name, changed, where, note, drift)


def _fits(one: Located[Any], existing: Segment | None, complaints: Complaints) -> bool:
    """Whether it means something; adds what does not."""
    definition, wrong = one.value.definition(), []
    if not is_segment_name(one.value.name):
        wrong.append(("name", "a small letter, then small letters, digits and _, and not all_users or country_…"))
    if existing is not None and existing.definition.type != definition.type:
        wrong.append(("type", f"{existing.definition.type}, which it is and stays; make another segment"))
    wrong += complaints_about(definition)
    if definition.type == "custom" and not wrong:
        try:
            condition_of(definition.rule.expression or "")
        except ExpressionInvalid as refusal:
            wrong.append(("expression", f"{refusal.expected} (line {refusal.line}, column {refusal.column} of it)"))
    for name, expected in wrong:
        complaints.add(one.document.place((name,)), expected)
    return not wrong


def _empty(
    session: Session, fitting: Sequence[Located[Any]], existing: Mapping[str, Segment], now: datetime
) -> set[str]:
    """Those of the new and changed segments that nobody is in, as far as a sample tells."""
    conditions = {}
    for one in fitting:
        definition, known = one.value.definition(), existing.get(one.value.name)
        condition = condition_from(definition)
        if condition is not None and (known is None or known.condition != condition):
            conditions[one.value.name] = condition
    if not conditions:
        return set()
    found = tally(session, conditions, now, most=_SAMPLE, enough=1)
    return {name for name, one in found.items() if not one.matched and not one.is_estimate}


def _require_unchanged(segment: Segment | None, change: Change, desired: Definition | None) -> None:
    if change.action == "create":
        same = segment is None
    elif segment is None:
        same = False
    elif change.action == "adopt" and desired is not None:
        same = not segment.definition.changes_to(desired)
    else:
        now = segment.definition.said()
        same = all(now.get(name) == before for name, (before, _) in change.fields.items() if name != "managed_by")
    if not same:
        raise PlanOutdated(f"{change.name} was changed by somebody else just now. Plan again.")
