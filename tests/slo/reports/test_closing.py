"""Periods that are over are closed once, and what changes afterwards is said anew with its reason."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from tests.slo.reports.support import AGREEMENT, TASK, close, count, promised, put_at, recheck, said
from tests.slo.support import Stage, slo
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.work import Recurring, Worker
from watchkeeper.modules.slo.reports import asking, store
from watchkeeper.modules.slo.reports.closing import Closing
from watchkeeper.modules.slo.reports.counting import Causes
from watchkeeper.modules.slo.reports.period import Period

OCTOBER = Period(2026, 10)
SINCE, UNTIL = OCTOBER.bounds("Europe/Oslo")
CREATED = SINCE + timedelta(hours=1)


@pytest.fixture
def stage(stage: Stage) -> Stage:
    """October was counted, two minutes before it may be closed."""
    stage.clock.jump(UNTIL + timedelta(minutes=58))
    put_at(stage, CREATED, promised())
    count(stage, SINCE, UNTIL, 998, 1000)
    return stage


def test_a_month_is_closed_when_its_last_hour_is_settled_and_never_again(stage: Stage) -> None:
    assert close(stage) == []
    stage.clock.advance(timedelta(minutes=2))
    assert [(one.slo, one.period) for one in close(stage)] == [("api", "2026-10")]
    assert close(stage) == []
    held = said(stage, "2026-10")
    assert held is not None
    assert (held.content.state, held.content.version) == ("closed", 1)
    assert held.content.agreements[0].tiers[0].amount == 100
    assert stage.kinds() == ["defined", "report_closed"]


def test_two_replicas_close_once(stage: Stage) -> None:
    stage.clock.advance(timedelta(minutes=2))
    both = [Closing(stage.database, stage.clock) for _ in range(2)]
    found = [one.act(TASK) for one in both]
    assert [len(one) for one in found] == [1, 1]
    for handler, statements in zip(both, found, strict=True):
        with stage.database.begin() as session:
            handler.finish(session, TASK, statements)
    assert stage.kinds() == ["defined", "report_closed"]


def test_two_workers_at_once_close_once(stage: Stage) -> None:
    stage.clock.advance(timedelta(minutes=2))
    for number in range(12):
        put_at(stage, CREATED, promised(f"api-{number}"))

    def recurring() -> list[Recurring]:
        return [Recurring("slo.close_reports", timedelta(0), Closing(stage.database, stage.clock))]

    workers = [Worker(stage.database, stage.clock, {}, recurring=recurring(), lane=f"t{n}") for n in range(2)]
    threads = [threading.Thread(target=lambda one=one: [one.run_once() for _ in range(3)]) for one in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for worker in workers:
        worker.stop()
    assert stage.kinds().count("report_closed") == 13


def test_an_slo_that_came_after_the_month_has_no_statement_of_it(stage: Stage) -> None:
    stage.clock.advance(timedelta(hours=2))
    put_at(stage, UNTIL + timedelta(minutes=1), promised("young"))
    assert [one.slo for one in close(stage)] == ["api"]
    assert [one.slo for one in _report(stage, "2026-10").slos] == ["api"]


def test_the_month_of_the_agreement_decides_too_when_it_is_over(stage: Stage) -> None:
    agreement = {**AGREEMENT, "time_zone": "America/Los_Angeles"}
    put_at(stage, CREATED, promised("far", agreement=agreement))
    stage.clock.advance(timedelta(minutes=2))
    assert [one.slo for one in close(stage)] == ["api"]
    stage.clock.advance(timedelta(hours=8))
    assert [one.slo for one in close(stage)] == ["far"]


def test_after_a_downtime_closing_waits_until_the_last_hours_are_stored(stage: Stage) -> None:
    stage.clock.advance(timedelta(hours=5))
    closing = Closing(stage.database, stage.clock, Causes(stage.engine, None))  # type: ignore[arg-type]
    assert closing.act(TASK) == []
    stage.steady("api")
    stage.run()
    closing = Closing(stage.database, stage.clock, Causes(stage.engine, _NoTelemetry()))  # type: ignore[arg-type]
    assert [one.period for one in closing.act(TASK)] == ["2026-10"]


class _NoTelemetry:
    """Nobody sends spans here."""

    def __getattr__(self, name: str) -> object:
        from watchkeeper.modules.telemetry.public import QueryTooSlow

        raise QueryTooSlow("There is no telemetry in this test.")


def test_late_data_makes_a_new_version_that_says_why_and_the_first_stays(stage: Stage) -> None:
    stage.clock.advance(timedelta(minutes=2))
    close(stage)
    assert recheck(stage) == []
    stage.clock.advance(timedelta(hours=3))
    count(stage, UNTIL - timedelta(hours=2), UNTIL, 0, 5000)
    anew = recheck(stage)
    held = said(stage, "2026-10")
    assert held is not None
    assert [one.content.version for one in anew] == [2] == [held.content.version]
    assert held.content.state == "reopened"
    assert held.why == (
        "main: 1,490 bad of 745,000 events became 11,486 bad of 753,000 events",
        "agreement, 2026-10: 1,490 bad of 745,000 events became 11,486 bad of 753,000 events",
        "credit of tier gold, 2026-10: 10 % of the fee became 25 % (100.00 EUR became 250.00 EUR)",
    )
    assert [(one.version, one.why) for one in held.content.reopened] == [(2, held.why)]
    assert recheck(stage) == []
    assert stage.kinds() == ["defined", "report_closed", "report_reopened"]
    with stage.database.read() as session:
        versions = store.versions(session, "api", "2026-10")
    assert [one.counts.bad for each in versions for one in each.content.objectives] == [1_490, 11_486]


def test_an_exclusion_that_is_recorded_later_opens_the_month_again(stage: Stage) -> None:
    stage.clock.advance(timedelta(minutes=2))
    close(stage)
    began = UNTIL - timedelta(hours=4)
    stage.records(
        lambda records: records.exclude(
            "maintenance", service="gateway", slos=(), since=began, until=UNTIL, reason="Moved", by="a", source="api"
        )
    )
    count(stage, began, UNTIL, 998, 1000, part="maintenance")
    assert [one.why[0] for one in recheck(stage)] == [
        "main: 1,490 bad of 745,000 events became 1,482 bad of 741,000 events"
    ]
    held = said(stage, "2026-10")
    assert held is not None
    assert [one.reason for one in held.content.objectives[0].left_out] == ["Moved"]


def test_what_was_promised_later_changes_no_closed_month(stage: Stage) -> None:
    stage.clock.advance(timedelta(minutes=2))
    close(stage)
    stage.put(promised(objectives=[{"target": 0.99}], agreement={**AGREEMENT, "target": 0.98, "tiers": ()}))
    assert recheck(stage) == []
    assert _report(stage, "2026-10").slos[0].objectives[0].target == 0.999
    assert _report(stage, "2026-11").slos[0].objectives[0].target == 0.99


def test_counts_that_began_anew_leave_what_was_said(stage: Stage) -> None:
    stage.clock.advance(timedelta(minutes=2))
    close(stage)
    stage.put(promised(indicator={"kind": "availability", "service": "gateway", "routes": ["/other"]}))
    assert recheck(stage) == []
    assert _report(stage, "2026-10").slos[0].objectives[0].counts.total == 745_000


def test_a_removed_slo_stays_in_the_months_that_were_closed(stage: Stage) -> None:
    stage.clock.advance(timedelta(minutes=2))
    close(stage)
    with stage.database.begin() as session:
        from watchkeeper.modules.slo.service import Slos

        Slos(session, stage.clock).remove("api", by="alice", source="api", reason="gone")
    assert [one.slo for one in _report(stage, "2026-10").slos] == ["api"]
    assert _report(stage, "2026-11").slos == ()
    assert recheck(stage) == []


def test_a_quarter_says_of_its_months_what_customers_were_told(database: Database, stage: Stage) -> None:
    quarter = Period(2026, 4, "quarter")
    stage.clock.advance(timedelta(minutes=2))
    close(stage)
    for month in (Period(2026, 11), Period(2026, 12)):
        count(stage, *month.bounds("Europe/Oslo"), 1000, 1000)
    # A better promise from November on: October's credit is what it was.
    stage.put(promised(agreement={**AGREEMENT, "target": 0.9, "tiers": ()}))
    stage.clock.jump(quarter.bounds("Europe/Oslo")[1] + timedelta(hours=2))
    assert [one.period for one in close(stage)] == ["2026-11", "2026-12"]
    assert [one.period for one in close(stage)] == ["2026-Q4"]
    held = said(stage, "2026-Q4")
    assert held is not None
    assert [len(one.tiers) for one in held.content.agreements] == [1, 0, 0]
    assert held.content.agreements[0].tiers[0].amount == 100
    # What changes the month changes the quarter, which is looked at after it.
    count(stage, SINCE, SINCE + timedelta(hours=30), 0, 1000)
    assert [(one.period, one.content.version) for one in recheck(stage)] == [("2026-10", 2), ("2026-Q4", 2)]
    recheck(stage)
    held = said(stage, "2026-Q4")
    assert held is not None
    assert held.content.agreements[0].tiers[0].amount == 250


def test_after_months_of_downtime_the_last_three_are_closed(stage: Stage) -> None:
    stage.clock.jump(datetime(2027, 8, 5, tzinfo=UTC))
    closed = [one.period for _ in range(3) for one in close(stage)]
    assert closed == ["2027-05", "2027-06", "2027-07", "2027-Q2"]


def test_the_list_of_periods_begins_with_those_that_run(stage: Stage) -> None:
    stage.clock.advance(timedelta(minutes=2))
    close(stage)
    with stage.database.read() as session:
        found = asking.choices(session, stage.clock.now())
    assert [(one.period.label, one.closed) for one in found] == [
        ("2026-11", False),
        ("2026-10", True),
        ("2026-09", False),
        ("2026-08", False),
        ("2026-Q4", False),
        ("2026-Q3", False),
    ]


def test_a_month_that_has_not_begun_is_refused(stage: Stage) -> None:
    with pytest.raises(asking.ReportInvalid, match="January 2027 has not begun yet"):
        _report(stage, "2027-01")


def test_a_report_of_a_service_has_only_its_own(stage: Stage) -> None:
    put_at(stage, CREATED, slo("other", service="shop", indicator={"kind": "availability", "service": "shop"}))
    assert [one.slo for one in _report(stage, "2026-10", "shop").slos] == ["other"]


def _report(stage: Stage, label: str, service: str | None = None) -> asking.Report:
    with stage.database.read() as session:
        return asking.report(session, Period.of_label(label), stage.clock.now(), service=service)
