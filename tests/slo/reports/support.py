"""Stored hours, without waiting for anybody to count them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.slo.support import Stage, slo
from watchkeeper.kernel.work import Task
from watchkeeper.modules.slo import store_counts
from watchkeeper.modules.slo.definition import Definition
from watchkeeper.modules.slo.model import Counts
from watchkeeper.modules.slo.reports import store
from watchkeeper.modules.slo.reports.closing import Closing, Rechecking
from watchkeeper.modules.slo.reports.content import SloReport
from watchkeeper.modules.slo.reports.counting import Counting
from watchkeeper.modules.slo.reports.period import Period
from watchkeeper.modules.slo.reports.store import Statement
from watchkeeper.modules.slo.series import HOUR
from watchkeeper.modules.slo.service import Slos
from watchkeeper.modules.slo.store_counts import ALL, HourRow

AGREEMENT: dict[str, Any] = {
    "target": 0.999,
    "time_zone": "Europe/Oslo",
    "excludes": ["maintenance"],
    "tiers": [
        {"name": "gold", "fee": 1000, "credits": [{"below": 0.999, "credit": 0.1}, {"below": 0.99, "credit": 0.25}]}
    ],
}
TASK = Task("wrk_1", "recurring.test", "recurring.test", {}, 1, 1)
OSLO: dict[str, Any] = {"calendar": "month", "time_zone": "Europe/Oslo"}


def promised(name: str = "api", **changes: Any) -> Definition:
    """99.9 % in each month of Oslo, with an agreement."""
    return slo(name, **{"window": OSLO, "agreement": AGREEMENT, **changes})


def put_at(stage: Stage, at: datetime, *definitions: Definition) -> None:
    """Define SLOs as somebody would have at an earlier time."""
    now = stage.clock.now()
    stage.clock.jump(at)
    with stage.database.begin() as session:
        for one in definitions:
            Slos(session, stage.clock).put(one, by="alice", source="api")
    stage.clock.jump(now)


def count(
    stage: Stage,
    since: datetime,
    until: datetime,
    good: float,
    total: float,
    *,
    name: str = "api",
    objective: str = "main",
    part: str = ALL,
    measured: float = HOUR,
) -> None:
    """The same in each hour that begins in [since, until)."""
    hours = range(int(since.timestamp()) // HOUR * HOUR, int(until.timestamp()), HOUR)
    rows = [HourRow(name, objective, hour, part, Counts(good, total, measured), True) for hour in hours]
    with stage.database.begin() as session:
        store_counts.put_hours(session, rows)


def report_of(stage: Stage, period: Period, name: str = "api") -> SloReport:
    """As of now."""
    with stage.database.read() as session:
        found = {one.name: one for one in _all(session)}[name]
        return Counting(session, found, period, stage.clock.now()).report()


def close(stage: Stage) -> list[Statement]:
    """One round of closing."""
    return _run(stage, Closing(stage.database, stage.clock))


def recheck(stage: Stage) -> list[Statement]:
    """One round of looking whether what was closed still holds."""
    return _run(stage, Rechecking(stage.database, stage.clock))


def said(stage: Stage, period: str, name: str = "api") -> Statement | None:
    """The newest statement."""
    with stage.database.read() as session:
        return store.one_latest(session, name, period)


def wait(stage: Stage, span: timedelta) -> None:
    """Let time go by."""
    stage.clock.advance(span)


def _run(stage: Stage, handler: Closing | Rechecking) -> list[Statement]:
    found = handler.act(TASK)
    with stage.database.begin() as session:
        handler.finish(session, TASK, found)
    return found


def _all(session: Any) -> Any:
    from watchkeeper.modules.slo import store as definitions

    return definitions.all_definitions(session)
