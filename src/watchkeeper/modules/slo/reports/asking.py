"""The reports that pages, mails and the API show: closed statements, and what is computed now of the rest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from watchkeeper.modules.slo import store
from watchkeeper.modules.slo.reports import store as store_reports
from watchkeeper.modules.slo.reports.content import Report, SloReport, worst_first
from watchkeeper.modules.slo.reports.counting import Causes, Counting
from watchkeeper.modules.slo.reports.errors import ReportInvalid
from watchkeeper.modules.slo.reports.period import Period
from watchkeeper.modules.slo.store import Stored

_MOST_WITH_CAUSES = 20  # of those that are computed while somebody waits
_SHOWN_BACK = 24


def report(
    session: Session, period: Period, now: datetime, *, service: str | None = None, causes: Causes | None = None
) -> Report:
    """What is closed as it was said, the rest as of now. Raises ReportInvalid for a period that is yet to come."""
    if period.bounds("Pacific/Kiritimati")[0] > now:
        raise ReportInvalid(f"{period.title[0].upper()}{period.title[1:]} has not begun yet.")
    closed = store_reports.latest(session, period.label)
    found = [one.content for one in closed.values() if service in (None, one.content.service)]
    missing = {one.name: one for one in store.all_definitions(session, service=service) if one.name not in closed}
    counted = worst_first(
        [
            content
            for one in missing.values()
            if _was_there(one, content := Counting(session, one, period, now).report())
        ]
    )
    explained = [
        Counting(session, missing[one.slo], period, now, causes).report()
        if causes is not None and number < _MOST_WITH_CAUSES
        else one
        for number, one in enumerate(counted)
    ]
    return Report(period, now, worst_first([*found, *explained]), service)


def _was_there(stored: Stored, counted: SloReport) -> bool:
    """Whether it was defined before the period ended, or counts of before were found in its source."""
    return stored.created_at < counted.until or any(one.counts.measured > 0 for one in counted.objectives)


@dataclass(frozen=True)
class Choice:
    """A period that can be looked at."""

    period: Period
    closed: bool


def choices(session: Session, now: datetime) -> list[Choice]:
    """Months and quarters from the one that runs back to the oldest that anything is known of."""
    stored = set(store_reports.closed_periods(session))
    began = min((one.created_at for one in store.all_definitions(session)), default=now)
    found = []
    for kind in ("month", "quarter"):
        running = Period.holding(kind, now, "UTC")
        for back in range(_SHOWN_BACK if kind == "month" else _SHOWN_BACK // 3):
            one = running.moved(-back)
            if back > 0 and one.label not in stored and one.bounds("UTC")[1] < began - timedelta(days=31):
                continue
            found.append(Choice(one, one.label in stored))
    return found
