"""Duet's short days, and who had offers by when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.duet.days import DAY_SECONDS, HOURS_FROM_UTC, Morning, Mornings, hour_of, local_time

HOUR = DAY_SECONDS / 24
instants = st.floats(min_value=0, max_value=4e9)


def test_nine_in_london_is_45_seconds_after_each_even_minute() -> None:
    assert local_time(1_800_000_000 + 45, "GB")[1] == pytest.approx(9)
    assert local_time(1_800_000_000 + 45, "DE")[1] == pytest.approx(10)
    assert local_time(1_800_000_000 + 45, "US")[1] == pytest.approx(4)


def test_an_hour_is_read_as_people_write_it() -> None:
    assert (hour_of("09:00"), hour_of("17:30")) == (9, 17.5)


@given(instants, st.sampled_from(sorted(HOURS_FROM_UTC)))
def test_the_same_hour_comes_again_a_day_later(at: float, region: str) -> None:
    day, hour = local_time(at, region)
    later, again = local_time(at + DAY_SECONDS, region)
    assert 0 <= hour < 24
    # What is near midnight may round to either side of it.
    assert (later - day - 1) * 24 + again - hour == pytest.approx(0, abs=1e-3)


@given(instants, st.lists(st.floats(min_value=0.01, max_value=50), min_size=1, max_size=60))
def test_each_morning_is_made_once_and_then_counted_once(since: float, pauses: list[float]) -> None:
    mornings, at = Mornings(since), since
    made: list[Morning] = []
    late: list[Morning] = []
    for pause in pauses:
        at += pause
        made += mornings.to_make(at, 9.0)
        late += mornings.late(at)
        assert all(one.until <= at + 1e-3 for one in late)
    assert len(set(made)) == len(made)
    assert len(set(late)) == len(late)
    assert set(late) <= set(made)


def test_a_morning_that_nobody_was_there_for_is_not_counted() -> None:
    ten = 1_800_000_000 + 10 * HOUR
    assert not [one for one in Mornings(ten).late(ten + 1.5 * HOUR) if one.region == "GB"]


def test_a_morning_that_was_begun_before_a_restart_is_counted() -> None:
    ten = 1_800_000_000 + 10 * HOUR
    today, _ = local_time(ten, "GB")
    again = Mornings(ten, begun={"GB": today})
    assert [one.day for one in again.to_make(ten, 9.0) if one.region == "GB"] == [today]
    [counted] = [one for one in again.late(ten + 1.5 * HOUR) if one.region == "GB"]
    assert counted.until == pytest.approx(ten + HOUR)
