"""What other modules may ask of subjects and segments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import rfc3339
from watchkeeper.modules.subjects import store, store_segments
from watchkeeper.modules.subjects.model import COUNTRY_PREFIX, EVERYBODY, built_in_condition, record_of
from watchkeeper.modules.subjects.segments import SegmentUses
from watchkeeper.modules.subjects.tally import tally

__all__ = [
    "SegmentInfo",
    "SegmentUse",
    "SegmentUses",
    "attributes_of",
    "count_members",
    "segment_exists",
    "segment_rules",
    "segments",
    "segments_version",
]


class SegmentUse(Protocol):
    """What a module that uses segments brings: a segment with uses is not deleted."""

    def __call__(self, session: Session, name: str, /) -> Sequence[str]:
        """What uses the segment, in words, such as `an override of MATCHES_PER_DAY in production`."""
        ...


@dataclass(frozen=True)
class SegmentInfo:
    """A segment to choose. `members` is how many it lists; None where who belongs follows from a rule."""

    name: str
    type: str
    description: str
    members: int | None


def segment_rules(session: Session, names: Iterable[str]) -> dict[str, Any]:
    """`{"members": […]}` or `{"when": condition}` of each of these segments; names that are none are left out."""
    wanted = sorted(set(names))
    found: dict[str, Any] = {
        name: {"when": condition} for name in wanted if (condition := built_in_condition(name)) is not None
    }
    made = store_segments.by_names(session, wanted)
    listed = store_segments.members_of(session, [one.name for one in made if one.condition is None])
    for one in made:
        found[one.name] = {"when": one.condition} if one.condition is not None else {"members": listed[one.name]}
    return found


def segments_version(session: Session) -> int:
    """Grows whenever the answer of `segment_rules` may differ for any name."""
    return store_segments.version(session)


def segment_exists(session: Session, name: str) -> bool:
    """Whether there is such a segment. It stays until the end of the transaction that asked."""
    if built_in_condition(name) is not None:
        return True
    store_segments.hold(session, alone=False)
    return store_segments.by_name(session, name) is not None


def segments(session: Session) -> list[SegmentInfo]:
    """`all_users` and every segment that somebody made. `country_NO` and the like are there without being listed."""
    counts = store_segments.member_counts(session)
    made = [
        SegmentInfo(
            one.name,
            one.definition.type,
            one.definition.description,
            counts.get(one.name, 0) if one.condition is None else None,
        )
        for one in store_segments.all_segments(session)
    ]
    return [SegmentInfo(EVERYBODY, "built_in", "Everybody.", None), *made]


def count_members(session: Session, name: str, now: datetime) -> int:
    """How many subjects are in a segment, 0 for one that is not there; with over 100,000 subjects an estimate."""
    if name == EVERYBODY:
        return store.total(session)
    if built_in_condition(name) is not None:
        return store.count_of_country(session, name.removeprefix(COUNTRY_PREFIX))
    segment = store_segments.by_name(session, name)
    if segment is None:
        return 0
    if segment.condition is None:
        return store_segments.count_members(session, name)
    return tally(session, {name: segment.condition}, now)[name].count


def attributes_of(session: Session, subject_id: str, now: datetime | None = None) -> dict[str, Any] | None:
    """What conditions see of a subject, as JSON; None for one that is not known. Without `now` there is no age."""
    found = store.by_ids(session, [subject_id]).get(subject_id)
    if found is None:
        return None
    record = record_of(vars(found), now)
    last = record.get("last_active_at")
    return {**record, "last_active_at": rfc3339(last)} if isinstance(last, datetime) else record
