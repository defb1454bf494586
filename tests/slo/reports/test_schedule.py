"""When reports are due: where clocks are moved, and after a long downtime only the newest."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.modules.slo.reports.period import Period
from watchkeeper.modules.slo.reports.schedule import Schedule, newest_due, next_due

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
zones = st.sampled_from(["UTC", "Europe/Oslo", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati"])
instants = st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))


def schedule(**changes: Any) -> Schedule:
    said: dict[str, Any] = {
        "id": "rsc_1",
        "report": "monthly",
        "service": None,
        "recipients": ("a@example.org",),
        "day": 3,
        "at": time(8),
        "time_zone": "Europe/Oslo",
        "created_by": "alice",
        "created_at": LONG_AGO,
    }
    return Schedule(**{**said, **changes})


def test_the_month_that_ended_is_due_at_its_day_and_hour_in_the_time_zone() -> None:
    winter = newest_due(schedule(), datetime(2026, 11, 3, 7, tzinfo=UTC))
    assert winter is not None
    assert (winter.period, winter.at) == (Period(2026, 10), datetime(2026, 11, 3, 7, tzinfo=UTC))
    summer = newest_due(schedule(), datetime(2026, 7, 3, 6, tzinfo=UTC))
    assert summer is not None
    assert (summer.period, summer.at) == (Period(2026, 6), datetime(2026, 7, 3, 6, tzinfo=UTC))
    before = newest_due(schedule(), datetime(2026, 11, 3, 6, 59, tzinfo=UTC))
    assert before is not None
    assert before.period == Period(2026, 9)


def test_a_quarter_is_due_in_the_month_after_it() -> None:
    due = newest_due(schedule(report="quarterly", day=28), datetime(2026, 12, 31, tzinfo=UTC))
    assert due is not None
    assert (due.period.label, due.at) == ("2026-Q3", datetime(2026, 10, 28, 7, tzinfo=UTC))
    assert next_due(schedule(report="quarterly"), due.at).period.label == "2026-Q4"


def test_a_schedule_begins_with_the_first_date_after_it_was_made() -> None:
    young = schedule(created_at=datetime(2026, 11, 3, 7, 1, tzinfo=UTC))
    assert newest_due(young, datetime(2026, 11, 20, tzinfo=UTC)) is None
    assert next_due(young, datetime(2026, 11, 20, tzinfo=UTC)).at == datetime(2026, 12, 3, 7, tzinfo=UTC)


def test_an_hour_that_clocks_skip_is_the_one_after_it() -> None:
    skipped = schedule(day=28, at=time(2, 30), time_zone="Europe/Oslo")  # 2027-03-28
    assert next_due(skipped, datetime(2027, 3, 27, tzinfo=UTC)).at == datetime(2027, 3, 28, 1, 30, tzinfo=UTC)


@given(
    st.builds(
        schedule,
        report=st.sampled_from(["monthly", "quarterly"]),
        day=st.integers(1, 28),
        at=st.times().map(lambda one: one.replace(second=0, microsecond=0)),
        time_zone=zones,
    ),
    instants,
)
def test_dates_follow_each_other_and_each_period_is_sent_once(one: Schedule, now: datetime) -> None:
    last, following = newest_due(one, now), next_due(one, now)
    assert last is not None
    assert last.at <= now < following.at
    assert last.period.moved(1) == following.period
    assert newest_due(one, following.at) == following
    assert newest_due(one, following.at - timedelta(seconds=1)) == last
    # What is reported is over where the schedule lives.
    assert last.period.bounds(one.time_zone)[1] <= last.at
    assert last.at.astimezone(ZoneInfo(one.time_zone)).day in (one.day, one.day + 1)
