"""A report's numbers are those of the stored hours: of each once, and of no more than was measured."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.slo.reports.support import AGREEMENT, count, promised, put_at, report_of
from tests.slo.support import Stage, slo
from watchkeeper.modules.slo import store_counts
from watchkeeper.modules.slo.model import AlertState, Counts, added, rules_of
from watchkeeper.modules.slo.reports.counting import Counting
from watchkeeper.modules.slo.reports.period import Period, whole_hours
from watchkeeper.modules.slo.rules import rule_text
from watchkeeper.modules.slo.series import HOUR
from watchkeeper.modules.slo.store_counts import ALL, net_of

OCTOBER = Period(2026, 10)
SINCE, UNTIL = OCTOBER.bounds("Europe/Oslo")  # 31 days and an hour
LATER = datetime(2026, 11, 3, 8, tzinfo=UTC)
HOURS = 31 * 24 + 1


@pytest.fixture
def stage(stage: Stage) -> Stage:
    stage.clock.jump(LATER)
    return stage


def test_a_month_is_its_hours_each_once_where_clocks_are_moved(stage: Stage) -> None:
    put_at(stage, SINCE, promised())
    count(stage, SINCE - timedelta(hours=3), UNTIL + timedelta(hours=3), 999, 1000)
    found = report_of(stage, OCTOBER)
    one = found.objectives[0]
    assert (one.counts.total, one.counts.good) == (HOURS * 1000, HOURS * 999)
    assert one.covered == 1
    assert one.met is True
    assert one.budget.spent == pytest.approx(1)
    assert found.agreements[0].tiers[0].rate == 0


def test_time_that_was_not_measured_is_said_and_is_no_up_time(stage: Stage) -> None:
    put_at(stage, SINCE, promised())
    count(stage, SINCE, SINCE + timedelta(hours=149), 998, 1000)
    one = report_of(stage, OCTOBER).objectives[0]
    assert one.covered == pytest.approx(149 / HOURS)
    assert one.met is False
    # What was not measured earned no budget: two bad in a thousand spend twice what may be.
    assert one.budget.spent == pytest.approx(2)


def test_nothing_measured_is_neither_met_nor_missed_and_owes_nothing(stage: Stage) -> None:
    put_at(stage, SINCE, promised())
    found = report_of(stage, OCTOBER)
    assert (found.objectives[0].met, found.agreements[0].met) == (None, None)
    assert found.agreements[0].tiers[0].amount == 0


def test_an_exclusion_counts_where_it_was_agreed_and_only_by_its_kind(stage: Stage) -> None:
    put_at(stage, SINCE, promised(excludes=["maintenance", "third_party_outage"]))
    count(stage, SINCE, UNTIL, 1000, 1000)
    began = SINCE + timedelta(days=3)
    for kind, hours in (("maintenance", 1), ("third_party_outage", 2), ("other", 4)):
        ended = began + timedelta(hours=hours)
        stage.clock.jump(ended)
        stage.records(
            lambda records, kind=kind, began=began, ended=ended: records.exclude(
                kind, service="gateway", slos=(), since=began, until=ended, reason=kind, by="alice", source="api"
            )
        )
        count(stage, began, ended, 0, 1000)
        count(stage, began, ended, 0, 1000, part=kind)
        began = ended
    stage.clock.jump(LATER)
    found = report_of(stage, OCTOBER)
    objective, agreement = found.objectives[0], found.agreements[0]
    assert objective.counts.bad == 4_000
    assert agreement.counts.bad == 6_000
    assert [(one.kind, one.bad, one.out_of_budget, one.out_of_agreement) for one in objective.left_out] == [
        ("maintenance", 1_000, True, True),
        ("third_party_outage", 2_000, True, False),
        ("other", 4_000, False, False),
    ]
    # Planned work is time that was measured, and left out: not time without measurement.
    assert objective.covered == 1


def test_what_was_given_back_is_taken_off_the_budget_and_not_off_the_agreement(stage: Stage) -> None:
    put_at(stage, SINCE, promised())
    count(stage, SINCE, UNTIL, 998, 1000)
    at = SINCE + timedelta(days=2)
    made = stage.records(
        lambda records: records.propose_adjustment(
            "api", "main", events=HOURS * 1.5, at=at, reason="A load test", incident=None, by="alice", source="api"
        )
    )
    stage.records(lambda records: records.decide_adjustment(made.id, "approved", by="bob", source="api"))
    found = report_of(stage, OCTOBER)
    assert found.objectives[0].met is True
    assert found.objectives[0].budget.given_back == HOURS * 1.5
    assert found.agreements[0].met is False
    assert found.agreements[0].tiers[0].amount == 100


def test_a_quarter_has_its_months_and_they_add_up(stage: Stage) -> None:
    quarter = Period(2026, 3, "quarter")
    since, until = quarter.bounds("Europe/Oslo")
    put_at(stage, since, promised(agreement={**AGREEMENT, "period": "month"}))
    count(stage, since, until, 999.5, 1000)
    august = Period(2026, 8).bounds("Europe/Oslo")
    count(stage, august[0], august[0] + timedelta(hours=10), 0, 1000)
    found = report_of(stage, quarter)
    one = found.objectives[0]
    assert [month.period for month in one.months] == ["2026-07", "2026-08", "2026-09"]
    assert [month.met for month in one.months] == [True, False, True]
    total = added(month.counts for month in one.months)
    assert (total.good, total.total) == (pytest.approx(one.counts.good), one.counts.total)
    assert [agreement.period for agreement in found.agreements] == ["2026-07", "2026-08", "2026-09"]
    assert [agreement.tiers[0].amount for agreement in found.agreements] == [0, 250, 0]


@pytest.mark.parametrize(("burn", "began_before"), [("14.4x", 1), ("1x", 50)])
def test_what_an_incident_spent_begins_where_the_errors_began_that_fired_it(
    stage: Stage, burn: str, began_before: int
) -> None:
    definition = promised()
    put_at(stage, SINCE, definition)
    count(stage, SINCE, UNTIL, 1_000, 1_000)
    fired, resolved = SINCE + timedelta(days=10), SINCE + timedelta(days=10, hours=2)
    count(stage, fired - timedelta(hours=began_before), resolved, 996, 1_000)
    rule = next(
        text
        for text in (rule_text(one, definition.window.length) for one in rules_of(definition))
        if text.startswith(f"{burn} ")
    )
    alert = AlertState(
        "alr_1", "api", "main", "gateway", "burn", "page", "key", fired, resolved, fired, 1, (rule,), 4.0, 0.1
    )
    with stage.database.begin() as session:
        assert store_counts.add_alert(session, alert)
    [incident] = report_of(stage, OCTOBER).objectives[0].incidents
    # Nine tenths of the errors came since then, and it ended two hours later.
    assert 4 * (0.9 * began_before + 2 - 1) <= incident.bad <= 4 * (began_before + 2)
    assert incident.share == pytest.approx(incident.bad / (4 * (began_before + 2)))


def test_a_quarterly_agreement_is_in_no_monthly_report(stage: Stage) -> None:
    put_at(stage, datetime(2026, 7, 1, tzinfo=UTC), promised(agreement={**AGREEMENT, "period": "quarter"}))
    assert report_of(stage, Period(2026, 8)).agreements == ()
    assert [one.period for one in report_of(stage, Period(2026, 3, "quarter")).agreements] == ["2026-Q3"]


def test_a_running_month_counts_what_has_passed(stage: Stage) -> None:
    november = Period(2026, 11)
    since, _ = november.bounds("UTC")
    put_at(stage, since, slo(window={"calendar": "month"}))
    count(stage, since, LATER, 1000, 1000)
    found = report_of(stage, november)
    assert found.objectives[0].covered == 1
    assert found.state == "provisional"


@given(
    st.sampled_from(["UTC", "Europe/Oslo", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]),
    st.integers(1, 12),
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=30),
)
def test_days_add_up_to_the_month(zone: str, number: int, told: list[tuple[int, int]]) -> None:
    month = Period(2026, number)
    first, last = (int(at.timestamp()) for at in whole_hours(*month.bounds(zone)))
    hours = {hour: Counts(*_pair(told[index % len(told)]), HOUR) for index, hour in enumerate(range(first, last, HOUR))}
    by_day = Counts()
    day, end = month.bounds(zone)
    while day < end:
        begun, ended = (int(at.timestamp()) for at in whole_hours(day, min(day + timedelta(days=1), end)))
        by_day += added(hours[hour] for hour in range(begun, ended, HOUR))
        day += timedelta(days=1)
    assert by_day == added(hours.values())


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100), st.booleans()), min_size=1, max_size=40))
def test_leaving_out_by_the_hour_and_at_once_is_the_same(told: list[tuple[int, int, bool]]) -> None:
    def parts(good: int, bad: int, out: bool) -> dict[str, Counts]:
        counts = Counts(good, good + bad, HOUR)
        return {ALL: counts, **({"maintenance": counts} if out else {})}

    hours = [parts(*one) for one in told]
    whole = {part: added(one[part] for one in hours if part in one) for part in (ALL, "maintenance")}
    assert net_of(whole, {"maintenance"}) == added(net_of(one, {"maintenance"}) for one in hours)


def _pair(told: tuple[int, int]) -> tuple[int, int]:
    return min(told), max(told)


def test_the_sums_of_the_database_are_those_of_the_hours(stage: Stage) -> None:
    put_at(stage, SINCE, promised())
    for day in range(31):
        began = SINCE + timedelta(days=day)
        count(stage, began, began + timedelta(days=1), 1000 - day / 3, 1000, measured=3_000)
    with stage.database.read() as session:
        counting = Counting(session, _stored(session), OCTOBER, LATER)
        summed = counting.counts("main", SINCE, UNTIL, ())
    assert summed.good == pytest.approx(sum((1000 - day / 3) * 24 for day in range(31)))
    assert summed.measured == 31 * 24 * 3_000


def _stored(session: object) -> object:
    from watchkeeper.modules.slo import store

    return store.by_name(session, "api")
