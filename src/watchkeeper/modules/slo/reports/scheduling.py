"""The verbs of schedules: who gets reports when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import time
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.ids import new_id
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.slo.reports import store
from watchkeeper.modules.slo.reports.errors import ScheduleInvalid, ScheduleNotFound
from watchkeeper.modules.slo.reports.events import ReportRescheduled, ReportScheduled, ReportUnscheduled
from watchkeeper.modules.slo.reports.schedule import ReportKind, Schedule

MOST_RECIPIENTS = 50
LAST_DAY = 28  # which every month has


@dataclass(frozen=True)
class Wish:
    """What somebody wants of a schedule."""

    report: ReportKind
    service: str | None
    recipients: tuple[str, ...]
    day: int
    at: time
    time_zone: str


@dataclass(frozen=True)
class Schedules:
    """Addresses are personal: they are in the table, and in no fact, log or error."""

    session: Session
    clock: Clock

    def add(self, wish: Wish, *, by: str, source: str) -> Schedule:
        """A new one. Raises ScheduleInvalid."""
        now = self.clock.now()
        kept = Schedule(new_id("rsc"), **{**vars(wish), "recipients": _checked(wish)}, created_by=by, created_at=now)
        store.add_schedule(self.session, kept)
        journal.append(self.session, ReportScheduled(**_told(kept)), by=by, source=source, at=now)
        return kept

    def change(self, schedule_id: str, wish: Wish, *, by: str, source: str) -> Schedule:
        """Say it anew. Raises ScheduleNotFound or ScheduleInvalid."""
        before = self.schedule(schedule_id, lock=True)
        kept = replace(before, **{**vars(wish), "recipients": _checked(wish)})
        if kept != before:
            store.change_schedule(self.session, kept)
            journal.append(self.session, ReportRescheduled(**_told(kept)), by=by, source=source, at=self.clock.now())
        return kept

    def remove(self, schedule_id: str, *, by: str, source: str) -> None:
        """Stop sending, and forget the addresses. Raises ScheduleNotFound."""
        held = self.schedule(schedule_id, lock=True)
        store.remove_schedule(self.session, schedule_id)
        fact = ReportUnscheduled(
            schedule=held.id, report=held.report, recipients=len(held.recipients), service_name=held.service
        )
        journal.append(self.session, fact, by=by, source=source, at=self.clock.now())

    def schedule(self, schedule_id: str, *, lock: bool = False) -> Schedule:
        """One of them. Raises ScheduleNotFound."""
        found = store.schedule(self.session, schedule_id, lock=lock)
        if found is None:
            raise ScheduleNotFound(f"There is no schedule {schedule_id[:40]!r}.")
        return found


def _checked(wish: Wish) -> tuple[str, ...]:
    """The addresses, each once."""
    complaints = []
    if not 1 <= len(wish.recipients) <= MOST_RECIPIENTS:
        complaints.append(Complaint("recipients", f"1 to {MOST_RECIPIENTS} addresses"))
    complaints += [
        Complaint(f"recipients[{number}]", "an e-mail address such as alice@example.org")
        for number, one in enumerate(wish.recipients)
        if not (one.isascii() and identity.is_email(one))
    ]
    if not 1 <= wish.day <= LAST_DAY:
        complaints.append(Complaint("day", f"a day from 1 to {LAST_DAY}, which every month has"))
    if complaints:
        raise ScheduleInvalid("The schedule is not valid.", complaints=complaints)
    return _once(wish.recipients)


def _once(recipients: Sequence[str]) -> tuple[str, ...]:
    return tuple({one.casefold(): one for one in reversed(recipients)}.values())[::-1]


def _told(kept: Schedule) -> dict[str, Any]:
    return {
        "schedule": kept.id,
        "report": kept.report,
        "recipients": len(kept.recipients),
        "service_name": kept.service,
        "day": kept.day,
        "at": f"{kept.at:%H:%M}",
        "time_zone": kept.time_zone,
    }
