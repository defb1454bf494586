import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.duet.rhythm import DAY, HIGHEST, arrivals, busyness


def test_a_day_has_a_peak_at_noon_and_a_higher_one_in_the_evening():
    night, noon, afternoon, evening = (busyness(hour * 3600) for hour in (5, 12.5, 15.5, 20.5))

    assert night < afternoon < noon < evening


def test_the_mean_of_a_day_is_one():
    minutes = [busyness(minute * 60) for minute in range(1440)]

    assert sum(minutes) / len(minutes) == pytest.approx(1.0)


@given(st.floats(min_value=0, max_value=DAY))
def test_every_second_is_like_that_of_the_next_day_and_never_busier_than_the_highest(second: float):
    assert busyness(second) == pytest.approx(busyness(second + DAY), rel=1e-6)
    assert 0 < busyness(second) <= HIGHEST


def test_the_same_seed_brings_everybody_at_the_same_second():
    def first(seed: int) -> list[float]:
        return list(itertools.islice(arrivals(random.Random(seed), mean=2.0, start=12 * 3600), 50))

    assert first(7) == first(7)
    assert first(7) != first(8)


def test_an_accelerated_day_brings_the_mean_of_a_day():
    day_in_ten_minutes = arrivals(random.Random(7), mean=5.0, acceleration=144.0)

    arrived = sum(1 for _ in itertools.takewhile(lambda at: at < 600, day_in_ten_minutes))

    assert arrived == pytest.approx(3000, rel=0.1)


def test_arrivals_follow_the_hour():
    def in_a_minute(hour: float) -> int:
        return sum(
            1 for _ in itertools.takewhile(lambda at: at < 60, arrivals(random.Random(3), mean=10, start=hour * 3600))
        )

    assert in_a_minute(20.5) > 3 * in_a_minute(4.0)
