"""Whom a change reaches, counted over the subjects that are known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from watchkeeper.modules.config import store_pages
from watchkeeper.modules.config.model import VALUE, Step, split_slot, winning_order
from watchkeeper.modules.config.store_pages import Slots
from watchkeeper.modules.config.values import segments_in
from watchkeeper.modules.subjects import public as subjects

MOST_SEGMENTS = 12


@dataclass(frozen=True)
class OfSegment:
    """How many belong to a segment, and what a change is to them."""

    name: str
    members: int
    what: str


@dataclass(frozen=True)
class Reach:
    """Whom one step affects: at most so many of all subjects, told by segment."""

    key: str
    whom: str
    most: int
    total: int
    segments: tuple[OfSegment, ...]


def reach(session: Session, environment: str, steps: Iterable[Step], now: datetime) -> list[Reach]:
    """Whom each step affects. Members of several segments make it a count of at most."""
    counted: dict[str, int] = {}

    def count(name: str) -> int:
        if name not in counted:
            counted[name] = subjects.count_members(session, name, now)
        return counted[name]

    total = count("all_users")
    found = []
    for step in steps:
        slots = store_pages.slots(session, environment, step.key, most_users=0)
        kind, target = split_slot(step.slot)
        if kind == "user":
            found.append(Reach(step.key, f"user {target}", 1, total, ()))
            continue
        others = list(_of_overrides(step, slots, count))
        if kind == "segment":
            members = count(target)
            of_target = OfSegment(target, members, "gets it")
            found.append(Reach(step.key, f"segment {target}", members, total, (of_target, *others)))
            continue
        # Whoever has an override keeps it; who is in two segments with one is taken away once at least.
        keeping = max([slots.user_count, *(one.members for one in others if one.what.startswith("keeps"))], default=0)
        found.append(Reach(step.key, "everybody", max(0, total - keeping), total, tuple(others)))
    return found


def _of_overrides(step: Step, slots: Slots, count: Callable[[str], int]) -> Iterator[OfSegment]:
    kind, target = split_slot(step.slot)
    names = [one.target for one in winning_order(slots.segments) if one.target != target]
    if kind == VALUE:
        for name in names[:MOST_SEGMENTS]:
            yield OfSegment(name, count(name), "keeps its override")
        asked = sorted((segments_in(step.after) | segments_in(step.before)) - set(names))
        for name in asked[:MOST_SEGMENTS]:
            yield OfSegment(name, count(name), "asked for by a rule")
        return
    ahead = {one.target: one.priority for one in slots.segments}
    for name in names[:MOST_SEGMENTS]:
        mine = step.after or step.before
        first = ahead[name] > (mine or {}).get("priority", 0)
        yield OfSegment(name, count(name), "goes first for who is in both" if first else "comes after it")
