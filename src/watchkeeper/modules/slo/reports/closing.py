"""Closes periods that are over, and opens them again when what they were made of changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.work import Task
from watchkeeper.modules.slo import store
from watchkeeper.modules.slo.reports import store as store_reports
from watchkeeper.modules.slo.reports.comparing import differences, still_holds
from watchkeeper.modules.slo.reports.content import SloReport
from watchkeeper.modules.slo.reports.counting import Causes, Counting
from watchkeeper.modules.slo.reports.events import ReportClosed, ReportReopened
from watchkeeper.modules.slo.reports.period import Period, PeriodKind
from watchkeeper.modules.slo.reports.store import Statement
from watchkeeper.modules.slo.store import Stored

_BY = "watchkeeper"
_AT_ONCE = 100
_CLOSED_BACK = {"month": 3, "quarter": 1}  # periods that are closed late after a long downtime
_STORED_AFTER = timedelta(minutes=15)  # a look so long after the end of a period stores its last hour for good
LOOKED_AT = timedelta(days=200)  # after its end; past exclusions may be recorded for 92 days


def to_close(session: Session, now: datetime) -> list[tuple[Stored, Period]]:
    """Each SLO with a period that is over in its time zones, and of which nothing is stored."""
    over = [(stored, period) for stored in store.all_definitions(session) for period in _over(stored, now)]
    said = store_reports.closed_of(session, {period.label for _, period in over})
    # Months first: a quarter is made of what was said of its months.
    found = [one for one in over if (one[0].name, one[1].label) not in said]
    return sorted(found, key=lambda one: (one[1].kind == "quarter", one[1]))


def _over(stored: Stored, now: datetime) -> list[Period]:
    """Periods in which it was there, and that are over both for its window and for its agreement."""
    agreement = stored.definition.agreement
    zone = stored.definition.window.time_zone
    zones = [zone] if agreement is None else [zone, agreement.time_zone]
    kinds: tuple[PeriodKind, ...] = ("month", "quarter")
    return [
        period
        for kind in kinds
        for back in range(_CLOSED_BACK[kind], 0, -1)
        if (period := Period.holding(kind, now, zone).moved(-back)).bounds(zone)[1] > stored.created_at
        and all(period.is_over(one, now) for one in zones)
    ]


@dataclass(frozen=True)
class Closing:
    """A work Handler: what is over is stored once, by whichever replica comes first.

    With `causes` it waits until their engine has stored the period's last hours: after a long downtime they come late.
    """

    db: Database
    clock: Clock
    causes: Causes | None = None

    def act(self, task: Task) -> list[Statement]:  # noqa: ARG002
        """Count what is to be closed, at most a hundred at once."""
        now = self.clock.now()
        with self.db.read() as session:
            wanted = [one for one in to_close(session, now) if self._is_counted(*one)]
        # Quarters wait for their months, which are stored when this round ends.
        kind = wanted[0][1].kind if wanted else "month"
        found = []
        for stored, period in [one for one in wanted if one[1].kind == kind][:_AT_ONCE]:
            with self.db.read() as session:  # each its own: a long snapshot holds the log of SQLite back
                found.append(self._statement(session, stored, period, now))
        return found

    def _is_counted(self, stored: Stored, period: Period) -> bool:
        if self.causes is None:
            return True
        kept = self.causes.engine.kept_at
        return kept is not None and kept >= period.bounds(stored.definition.window.time_zone)[1] + _STORED_AFTER

    def finish(self, session: Session, task: Task, result: Sequence[Statement]) -> None:  # noqa: ARG002
        for one in result:
            if store_reports.add_statement(session, one):
                fact = ReportClosed(slo=one.slo, service_name=one.content.service, period=one.period, revision=1)
                journal.append(session, fact, by=_BY, source="worker", at=self.clock.now())

    def _statement(self, session: Session, stored: Stored, period: Period, now: datetime) -> Statement:
        content = Counting(session, stored, period, now, self.causes).report()
        return Statement(
            slo_id=stored.id,
            counted_as=stored.counted_as,
            definition=stored.definition,
            period=period.label,
            content=replace(content, state="closed", version=1),
            why=(),
            ended_at=content.until,
        )


@dataclass(frozen=True)
class Rechecking:
    """A work Handler: counts again what was closed lately. What differs becomes a new version that says why; the
    earlier ones stay. What was promised is what had been promised when it was closed."""

    db: Database
    clock: Clock

    def act(self, task: Task) -> list[Statement]:  # noqa: ARG002
        """What is to be said anew."""
        now = self.clock.now()
        with self.db.read() as session:
            known = {one.name: one for one in store.all_definitions(session)}
            closed = store_reports.keys_since(session, now - LOOKED_AT)
        found = []
        for slo, period in closed:
            if slo in known:
                with self.db.read() as session:
                    anew = _recounted(session, known[slo], period, now)
                found += [anew] if anew is not None else []
        return found

    def finish(self, session: Session, task: Task, result: Sequence[Statement]) -> None:  # noqa: ARG002
        for one in result:
            if store_reports.add_statement(session, one):
                fact = ReportReopened(
                    slo=one.slo,
                    service_name=one.content.service,
                    period=one.period,
                    revision=one.content.version,
                    why=one.why,
                )
                journal.append(session, fact, by=_BY, source="worker", at=self.clock.now())


def _recounted(session: Session, stored: Stored, label: str, now: datetime) -> Statement | None:
    held = store_reports.one_latest(session, stored.name, label)
    # Its counts began anew meanwhile: those of then are gone, and what was said of them stays.
    if held is None or (held.slo_id, held.counted_as) != (stored.id, stored.counted_as):
        return None
    counting = Counting(session, replace(stored, definition=held.definition), Period.of_label(label), now)
    if still_holds(held.content, counting):
        return None
    anew = counting.report()
    why = differences(held.content, anew)
    if not why:
        return None
    return replace(held, content=_merged(held.content, anew), why=why)


def _merged(before: SloReport, anew: SloReport) -> SloReport:
    """The numbers of now; routes and releases as they were known when it was closed."""
    known = {one.name: one for one in before.objectives}
    objectives = tuple(
        replace(one, routes=known[one.name].routes, releases=known[one.name].releases) for one in anew.objectives
    )
    return replace(anew, objectives=objectives, state="reopened", version=before.version + 1)
