"""The verbs of segments."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.journal import Event
from watchkeeper.modules.subjects import events, store_segments
from watchkeeper.modules.subjects.errors import (
    NotByHand,
    SegmentExists,
    SegmentInUse,
    SegmentInvalid,
    SegmentIsManaged,
    SegmentMatchesNobody,
    SegmentNotFound,
)
from watchkeeper.modules.subjects.expression import condition_of
from watchkeeper.modules.subjects.model import (
    MOST_MEMBERS,
    Definition,
    ManagedBy,
    Segment,
    complaints_about,
    is_reserved,
    is_segment_name,
    plain_condition,
)
from watchkeeper.modules.subjects.tally import anybody

_SHOWN_USES = 20


@dataclass(frozen=True)
class SegmentUses:
    """What uses segments, as the modules know it that use them: each source answers in words for one segment."""

    sources: Sequence[Callable[[Session, str], Sequence[str]]] = ()

    def of(self, session: Session, name: str) -> list[str]:
        """Such as `an override of MATCHES_PER_DAY in production`."""
        return [use for source in self.sources for use in source(session, name)]


def condition_from(definition: Definition) -> dict[str, Any] | None:
    """Who belongs, as a condition; None where members are listed. Raises SegmentInvalid or ExpressionInvalid."""
    wrong = complaints_about(definition)
    if wrong:
        complaints = [Complaint(field, expected) for field, expected in wrong]
        raise SegmentInvalid(f"Expected {wrong[0][1]} for {wrong[0][0].replace('_', ' ')}.", complaints=complaints)
    if definition.type == "custom":
        return condition_of(definition.rule.expression or "")
    return plain_condition(definition)


@dataclass(frozen=True)
class Segments:
    """Segments, on one session."""

    session: Session
    clock: Clock

    def segment(self, name: str, *, lock: bool = False) -> Segment:
        """Raises SegmentNotFound."""
        found = store_segments.by_name(self.session, name, lock=lock)
        if found is None:
            raise SegmentNotFound(f"There is no segment {name[:64]!r}.")
        return found

    def require_somebody(self, definition: Definition, members: Collection[str] | None = None) -> None:
        """Raises SegmentMatchesNobody, unless that is allowed. Up to seconds: asked outside the change's transaction.

        `members` None: the list of a manual segment stays as it is, and is not looked at.
        """
        condition = condition_from(definition)
        if definition.allow_empty or (condition is None and members is None):
            return
        if condition is None:
            if not members:
                raise _nobody("Its list of members is empty.")
            return
        found = anybody(self.session, condition, self.clock)
        if not found.matched:
            raise _nobody(f"None of the {found.looked_at:,} subjects that were looked at is in it.")

    def create(
        self,
        name: str,
        definition: Definition,
        members: Iterable[str] = (),
        *,
        by: str,
        source: str,
        reason: str = "",
        managed_by: ManagedBy = "people",
    ) -> Segment:
        """Make a segment. Raises SegmentInvalid, ExpressionInvalid or SegmentExists."""
        _require_name(name)
        condition, listed, now = condition_from(definition), set(members), self.clock.now()
        _require_list(condition, listed)
        made = store_segments.add(self.session, name, definition, condition, managed_by=managed_by, by=by, at=now)
        if not made:
            raise SegmentExists(f"There is a segment {name} already; change it instead.")
        store_segments.list_members(self.session, name, listed, at=now)
        store_segments.move_version(self.session)
        after = {**definition.said(), **({"members": len(listed)} if condition is None else {})}
        self._tell(events.SegmentCreated(segment=name, after=after, reason=reason), by=by, source=source)
        return self.segment(name)

    def change(self, name: str, definition: Definition, *, by: str, source: str, reason: str) -> Segment:
        """Replace what is said of a segment; of one from `ops/` too, where the next plan shows it as drift.

        Raises SegmentNotFound, SegmentInvalid or ExpressionInvalid.
        """
        _require_reason(reason)
        segment = self.segment(name, lock=True)
        if segment.definition.changes_to(definition):
            self._write(segment, definition, segment.managed_by, by=by, source=source, reason=reason)
        return self.segment(name)

    def put(self, name: str, definition: Definition, *, by: str) -> None:
        """What `ops/` says of a segment: made, changed, taken over from people, or caught up with."""
        segment = store_segments.by_name(self.session, name, lock=True)
        if segment is None:
            self.create(name, definition, by=by, source="ops", managed_by="ops")
        else:
            self._write(segment, definition, "ops", by=by, source="ops", reason="", applied=definition)

    def delete(self, name: str, uses: SegmentUses, *, by: str, source: str, reason: str) -> None:
        """Delete a segment that nothing uses. Raises SegmentNotFound, SegmentInUse or SegmentIsManaged."""
        _require_reason(reason)
        store_segments.hold(self.session, alone=True)
        segment = self.segment(name, lock=True)
        if segment.managed_by == "ops":
            raise SegmentIsManaged(f"{name} is described in ops/segments.yaml: take it away there and apply.")
        self._delete(segment, uses, by=by, source=source, reason=reason)

    def remove(self, name: str, uses: SegmentUses, *, by: str) -> None:
        """It left `ops/`. Raises SegmentNotFound or SegmentInUse."""
        store_segments.hold(self.session, alone=True)
        segment = self.segment(name, lock=True)
        self._delete(segment, uses, by=by, source="ops", reason="no longer in ops/segments.yaml")

    def change_members(
        self, name: str, add: Collection[str], remove: Collection[str], *, by: str, source: str, reason: str
    ) -> Segment:
        """Add and remove members of a manual segment; to say the same again changes nothing.

        Raises SegmentNotFound, NotByHand, SegmentInvalid or SegmentMatchesNobody.
        """
        _require_reason(reason)
        segment = self.segment(name, lock=True)
        if segment.condition is not None:
            raise NotByHand(f"{name} is a segment of type {segment.definition.type}: who is in it follows from that.")
        if both := set(add) & set(remove):
            raise SegmentInvalid(
                "The same member can't be added and removed.",
                complaints=[Complaint("remove", f"ids that are not added as well, found {len(both)}")],
            )
        before = store_segments.count_members(self.session, name)
        removed = store_segments.unlist_members(self.session, name, remove) if remove else 0
        added = store_segments.list_members(self.session, name, add, at=self.clock.now())
        after = before - removed + added
        if after > MOST_MEMBERS:
            raise _too_many("add")
        if not after and removed and not segment.definition.allow_empty:
            raise _nobody("Its list of members would be empty.")
        if added or removed:
            store_segments.move_version(self.session)
            fact = events.SegmentMembersChanged(
                segment=name,
                added=added,
                removed=removed,
                before={"members": before},
                after={"members": after},
                reason=reason,
            )
            self._tell(fact, by=by, source=source)
        return segment

    def _delete(self, segment: Segment, uses: SegmentUses, *, by: str, source: str, reason: str) -> None:
        used_by = uses.of(self.session, segment.name)
        if used_by:
            raise in_use(segment.name, used_by)
        members = store_segments.count_members(self.session, segment.name)
        store_segments.remove(self.session, segment.name)
        store_segments.move_version(self.session)
        before = segment.definition.said()
        fact = events.SegmentDeleted(segment=segment.name, before=before, members=members, reason=reason)
        self._tell(fact, by=by, source=source)

    def _write(
        self,
        segment: Segment,
        definition: Definition,
        managed_by: ManagedBy,
        *,
        by: str,
        source: str,
        reason: str,
        applied: Definition | None = None,
    ) -> None:
        if definition.type != segment.definition.type:
            raise SegmentInvalid(
                f"{segment.name} is of type {segment.definition.type} and stays so; make another segment.",
                complaints=[Complaint("type", segment.definition.type)],
            )
        now, condition = self.clock.now(), condition_from(definition)
        applied = applied or (segment.applied if managed_by == "ops" else None)
        differs = applied is not None and bool(applied.changes_to(definition))
        store_segments.change(
            self.session,
            segment.name,
            definition,
            condition,
            managed_by=managed_by,
            applied=applied,
            differs_since=(segment.differs_since or now) if differs else None,
            by=by,
            at=now,
        )
        if condition != segment.condition:
            store_segments.move_version(self.session)
        self._tell(_event(segment, definition, managed_by, reason), by=by, source=source)

    def _tell(self, event: Event, *, by: str, source: str) -> None:
        journal.append(self.session, event, by=by, source=source, at=self.clock.now())


def version_of(segment: Segment) -> Mapping[str, Any]:
    """What people edit of a segment; its ETag is made from this."""
    return {
        "name": segment.name,
        "managed_by": segment.managed_by,
        "updated_at": segment.updated_at,
        **segment.definition.said(),
    }


def in_use(name: str, used_by: Sequence[str]) -> SegmentInUse:
    """The refusal to delete a segment, with what uses it."""
    named = ", ".join(used_by[:3]) + (f" and {len(used_by) - 3} more" if len(used_by) > 3 else "")
    complaints = [Complaint("used by", use) for use in used_by[:_SHOWN_USES]]
    return SegmentInUse(f"{name} is used by {named}. Take it out there first.", complaints=complaints)


def _event(segment: Segment, definition: Definition, managed_by: ManagedBy, reason: str) -> Event:
    changes = segment.definition.changes_to(definition)
    if managed_by == "ops" and segment.drift and not changes:
        return events.SegmentOpsCaughtUp(segment=segment.name, fields=segment.drift)
    if managed_by != segment.managed_by:
        changes["managed_by"] = (segment.managed_by, managed_by)
    return events.SegmentChanged(
        segment=segment.name,
        before={name: old for name, (old, _) in changes.items()},
        after={name: new for name, (_, new) in changes.items()},
        reason=reason,
    )


def _require_name(name: str) -> None:
    if not is_segment_name(name):
        expected = (
            "another name: all_users, country_…, new and preview mean something already"
            if is_reserved(name)
            else "a small letter, then up to 63 small letters, digits and _"
        )
        raise SegmentInvalid(f"Expected {expected}.", complaints=[Complaint("name", expected)])


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise SegmentInvalid("Say why.", complaints=[Complaint("reason", "why, in a few words")])


def _require_list(condition: Mapping[str, Any] | None, listed: Collection[str]) -> None:
    if listed and condition is not None:
        expected = "no members: who is in it follows from its type"
        raise SegmentInvalid(f"Expected {expected}.", complaints=[Complaint("members", expected)])
    if len(listed) > MOST_MEMBERS:
        raise _too_many("members")


def _too_many(where: str) -> SegmentInvalid:
    expected = f"at most {MOST_MEMBERS:,} members in all"
    return SegmentInvalid(f"Expected {expected}.", complaints=[Complaint(where, expected)])


def _nobody(why: str) -> SegmentMatchesNobody:
    complaint = Complaint("allow_empty", "true, if nobody is meant to be in it yet")
    return SegmentMatchesNobody(f"{why} Nothing was changed.", complaints=[complaint])
