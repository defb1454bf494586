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
from watchkeeper.modules.slo.reports.content import SloReport
from watchkeeper.modules.slo.reports.counting import Causes, Counting, differences
from watchkeeper.modules.slo.reports.events import ReportClosed, ReportReopened
from watchkeeper.modules.slo.reports.period import Period, PeriodKind
from watchkeeper.modules.slo.reports.store import Statement
from watchkeeper.modules.slo.store import Stored

_BY = "watchkeeper"
_AT_ONCE = 50
_CLOSED_BACK = {"month": 3, "quarter": 1}  # periods that are closed late after a long downtime
LOOKED_AT = timedelta(days=200)  # after its end; past exclusions may be recorded for 92 days


def to_close(session: Session, now: datetime) -> list[tuple[Stored, Period]]:
    """Each SLO with a period that is over in its time zones, and of which nothing is stored."""
    said: dict[str, set[str]] = {}
    found = []
    for stored in store.all_definitions(session):
        for period in _over(stored, now):
            if period.label not in said:
                said[period.label] = set(store_reports.latest(session, period.label))
            if stored.name not in said[period.label]:
                found.append((stored, period))
    return found


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
    """A work Handler: what is over is stored once, by whichever replica comes first."""

    db: Database
    clock: Clock
    causes: Causes | None = None

    def act(self, task: Task) -> list[Statement]:  # noqa: ARG002
        """Count what is to be closed, at most fifty at once."""
        now = self.clock.now()
        with self.db.read() as session:
            return [
                self._statement(session, stored, period, now) for stored, period in to_close(session, now)[:_AT_ONCE]
            ]

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
        found = []
        with self.db.read() as session:
            known = {one.name: one for one in store.all_definitions(session)}
            for slo, period in store_reports.keys_since(session, now - LOOKED_AT):
                if slo in known and (anew := _recounted(session, known[slo], period, now)) is not None:
                    found.append(anew)
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
    period = Period.parse(label, "quarter" if "Q" in label else "month")
    promised = replace(stored, definition=held.definition)
    anew = Counting(session, promised, period, now).report()
    why = differences(held.content, anew)
    if not why:
        return None
    return replace(held, content=_merged(held.content, anew), why=why)


def _merged(before: SloReport, anew: SloReport) -> SloReport:
    """The numbers of now; routes and releases as they were known when it was closed."""
    objectives = tuple(
        replace(new, routes=old.routes, releases=old.releases)
        for old, new in zip(before.objectives, anew.objectives, strict=True)
    )
    return replace(anew, objectives=objectives, state="reopened", version=before.version + 1)
