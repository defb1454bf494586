"""The reports that pages, mails and the API show: closed statements, and what is computed now of the rest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from watchkeeper.modules.slo import store
from watchkeeper.modules.slo.reports import store as store_reports
from watchkeeper.modules.slo.reports.content import AgreementReport, Report, SloReport, worst_first
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
    missing = [one for one in store.all_definitions(session, service=service) if one.name not in closed]
    counted = [_counted(session, one, period, now) for one in missing]
    counted.sort(key=lambda one: -max(each.budget.spent for each in one.objectives))
    by_name = {one.name: one for one in missing}
    explained = [
        _counted(session, by_name[one.slo], period, now, causes)
        if causes is not None and number < _MOST_WITH_CAUSES
        else one
        for number, one in enumerate(counted)
    ]
    return Report(period, now, worst_first([*found, *explained]), service)


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


def _counted(
    session: Session, stored: Stored, period: Period, now: datetime, causes: Causes | None = None
) -> SloReport:
    found = Counting(session, stored, period, now, causes).report()
    if period.kind == "month":
        return found
    return replace(found, agreements=tuple(_as_closed(session, found.slo, one) for one in found.agreements))


def _as_closed(session: Session, slo: str, found: AgreementReport) -> AgreementReport:
    """In a quarter's review, a month that was closed is what was said of it: customers were told that."""
    held = store_reports.one_latest(session, slo, found.period)
    said = [one for one in held.content.agreements if one.period == found.period] if held is not None else []
    return said[0] if said else found
