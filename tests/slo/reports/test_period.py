"""Months and quarters of reports, where clocks are moved and where midnight is on no whole hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.modules.slo.reports.errors import ReportInvalid
from watchkeeper.modules.slo.reports.period import Period, whole_hours

zones = st.sampled_from(
    ["UTC", "Europe/Oslo", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Kiritimati"]
)
periods = st.one_of(
    st.builds(Period, st.integers(2010, 2040), st.integers(1, 12), st.just("month")),
    st.builds(Period, st.integers(2010, 2040), st.integers(1, 4), st.just("quarter")),
)


def hours(period: Period, zone: str) -> float:
    since, until = period.bounds(zone)
    return (until - since) / timedelta(hours=1)


def test_a_month_in_which_clocks_are_moved_has_an_hour_more_or_less() -> None:
    assert hours(Period(2026, 10), "Europe/Oslo") == 31 * 24 + 1
    assert hours(Period(2026, 3), "Europe/Oslo") == 31 * 24 - 1
    assert hours(Period(2026, 10), "UTC") == 31 * 24
    assert hours(Period(2026, 1, "quarter"), "Europe/Oslo") == 90 * 24 - 1
    assert Period(2026, 10).bounds("Europe/Oslo") == (
        datetime(2026, 9, 30, 22, tzinfo=UTC),
        datetime(2026, 10, 31, 23, tzinfo=UTC),
    )


@given(periods, zones)
def test_a_label_reads_back_and_months_make_the_quarter(period: Period, zone: str) -> None:
    assert Period.of_label(period.label) == period
    since, until = period.bounds(zone)
    months = [one.bounds(zone) for one in period.months()]
    assert (months[0][0], months[-1][1]) == (since, until)
    assert all(one[1] == other[0] for one, other in pairwise(months))


@given(periods, zones, st.integers(-30, 30))
def test_periods_follow_each_other_and_every_hour_is_in_one(period: Period, zone: str, by: int) -> None:
    following = period.moved(1)
    assert following.moved(-1) == period
    assert period.moved(by).moved(-by) == period
    assert period.bounds(zone)[1] == following.bounds(zone)[0]
    assert whole_hours(*period.bounds(zone))[1] == whole_hours(*following.bounds(zone))[0]
    since, until = period.bounds(zone)
    assert Period.holding(period.kind, since, zone) == period
    assert Period.holding(period.kind, until - timedelta(seconds=1), zone) == period


def test_a_period_is_over_once_its_last_hour_is_settled_where_it_is_counted() -> None:
    october = Period(2026, 10)
    assert not october.is_over("UTC", datetime(2026, 11, 1, 0, 30, tzinfo=UTC))
    assert october.is_over("UTC", datetime(2026, 11, 1, 1, tzinfo=UTC))
    assert not october.is_over("America/New_York", datetime(2026, 11, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("text", ["", "2026", "2026-13", "2026-Q5", "2026-q3", "1999-10", "2026-10-01", "October"])
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(ReportInvalid) as refusal:
        Period.of_label(text)
    assert refusal.value.complaints[0].expected == "a month such as 2026-10, or a quarter such as 2026-Q3"
