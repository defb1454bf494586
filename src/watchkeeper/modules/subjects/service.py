"""The verbs of subjects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.journal import Event
from watchkeeper.modules.subjects import store, store_segments
from watchkeeper.modules.subjects.errors import SubjectNotFound, SubjectsInvalid
from watchkeeper.modules.subjects.events import SubjectErased, SubjectsLookedUp, SubjectsTaken
from watchkeeper.modules.subjects.model import EARLIEST_BIRTH_YEAR, Subject

_CLOCKS_DIFFER = timedelta(hours=1)


@dataclass(frozen=True)
class Update:
    """What is told of one subject; fields that are not there stay as they are."""

    id: str
    given: Mapping[str, Any]


@dataclass(frozen=True)
class Taken:
    """What a batch did."""

    added: int
    changed: int
    unchanged: int


@dataclass(frozen=True)
class Subjects:
    """The product's users, on one session."""

    session: Session
    clock: Clock

    def take(self, updates: Sequence[Update], *, by: str, source: str) -> Taken:
        """Add and change subjects, all or nothing; the same batch again changes nothing. Raises SubjectsInvalid."""
        now = self.clock.now()
        _require_sound(updates, now)
        known = store.by_ids(self.session, [one.id for one in updates], lock=True)
        new = [replace(Subject(one.id), **one.given) for one in updates if one.id not in known]
        added = store.add(self.session, new, at=now)
        # Somebody else told of these a moment ago: what they said stays, where this batch says nothing of it.
        known |= store.by_ids(self.session, [one.id for one in new if one.id not in added], lock=True)
        wanted = [replace(known[one.id], **one.given) for one in updates if one.id in known]
        differing = [one for one in wanted if known[one.id] != one]
        store.put(self.session, differing, at=now)
        taken = Taken(len(added), len(differing), len(wanted) - len(differing))
        if added or differing:
            self._tell(SubjectsTaken(**vars(taken)), by=by, source=source)
        return taken

    def look_up(self, subject_id: str, *, by: str, source: str) -> tuple[Subject, list[str]]:
        """A subject and the segments that list it; who looked is on record. Raises SubjectNotFound."""
        found = store.by_ids(self.session, [subject_id]).get(subject_id)
        if found is None:
            raise SubjectNotFound("There is no subject of this id.")
        self._tell(SubjectsLookedUp(count=1, subject_id=subject_id), by=by, source=source)
        return found, store_segments.listing(self.session, subject_id)

    def search(
        self, after: str | None, limit: int, *, country: str | None, status: str | None, by: str, source: str
    ) -> list[Subject]:
        """Up to limit + 1 subjects by id; who looked is on record."""
        found = store.find(self.session, after, limit + 1, country=country, status=status)
        looked = SubjectsLookedUp(count=min(len(found), limit), country=country, status=status)
        self._tell(looked, by=by, source=source)
        return found

    def erase(self, subject_id: str, *, by: str, source: str) -> None:
        """Forget a subject, and take it out of every list of members. Raises SubjectNotFound."""
        known, segments = store.erase(self.session, subject_id)
        if not known and not segments:
            raise SubjectNotFound("There is no subject of this id.")
        if segments:
            store_segments.move_version(self.session)
        self._tell(SubjectErased(subject_id=subject_id, segments=len(segments)), by=by, source=source)

    def _tell(self, event: Event, *, by: str, source: str) -> None:
        journal.append(self.session, event, by=by, source=source, at=self.clock.now())


def _require_sound(updates: Sequence[Update], now: datetime) -> None:
    complaints = []
    first: dict[str, int] = {}
    for number, one in enumerate(updates):
        where = f"body.subjects.{number}"
        if one.id in first:
            complaints.append(Complaint(f"{where}.id", f"each id once, it is also at {first[one.id]}"))
        first.setdefault(one.id, number)
        last = one.given.get("last_active_at")
        if last is not None and last > now + _CLOCKS_DIFFER:
            complaints.append(Complaint(f"{where}.last_active_at", "an instant that is not in the future"))
        born = one.given.get("birth_year")
        if born is not None and not EARLIEST_BIRTH_YEAR <= born <= now.year:
            complaints.append(Complaint(f"{where}.birth_year", f"a year from {EARLIEST_BIRTH_YEAR} to {now.year}"))
    if complaints:
        count = "One subject is" if len(complaints) == 1 else f"{len(complaints)} things are"
        raise SubjectsInvalid(f"{count} not valid; nothing was changed.", complaints=complaints)
