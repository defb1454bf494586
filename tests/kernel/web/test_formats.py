"""Numbers on pages are short, have units, and never lie about being 0 or 100 %."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.kernel.clock import to_unix_nano
from watchkeeper.kernel.web.formats import (
    clock_time,
    duration,
    human_bytes,
    iso,
    number,
    percent,
    precise_time,
    relative,
    spark_lines,
    when,
)

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0 ns"),
        (870, "870 ns"),
        (4_200, "4.20 µs"),
        (38_200_000, "38.2 ms"),
        (412_000_000, "412 ms"),
        (1_830_000_000, "1.83 s"),
        (125_000_000_000, "2 min 5 s"),
        (11_400_000_000_000, "3 h 10 min"),
        (187_200_000_000_000, "2 d 4 h"),
        (timedelta(minutes=2), "2 min"),
        (-1_500_000, "\N{MINUS SIGN}1.50 ms"),
        (None, "\N{EN DASH}"),
    ],
)
def test_a_duration_is_written_in_its_natural_unit(nanoseconds, text):
    assert duration(nanoseconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (7, "7"),
        (0.25, "0.25"),
        (128.44, "128"),
        (64.2, "64.2"),
        (1234, "1,234"),
        (9999.5, "10,000"),
        (45123, "45.1k"),
        (4_560_000, "4.56M"),
        (2.5e9, "2.50G"),
        (None, "\N{EN DASH}"),
    ],
)
def test_a_number_is_shortened_above_ten_thousand(value, text):
    assert number(value) == text


def test_a_number_may_ask_for_its_decimals():
    assert number(12345.678, 2) == "12,345.68"
    assert percent(0.12345, 2) == "12.35 %"


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.5, "50.0 %"),
        (0.0243, "2.4 %"),
        (0.9993, "99.93 %"),
        (0.9999, "99.99 %"),
        (0.00004, "0.0040 %"),
        (None, "\N{EN DASH}"),
    ],
)
def test_a_share_keeps_the_digits_that_matter(share, text):
    assert percent(share) == text


@given(st.floats(1e-6, 1 - 1e-6))
def test_a_share_that_is_neither_none_nor_all_is_never_written_so(share):
    assert float(percent(share).removesuffix(" %")) not in (0, 100)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 B"), (512, "512 B"), (1_200_000, "1.20 MB"), (3e15, "3.00 PB"), (5e18, "5000 PB"), (None, "\N{EN DASH}")],
)
def test_bytes_are_in_powers_of_a_thousand(value, text):
    assert human_bytes(value) == text


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(0), "just now"),
        (timedelta(seconds=41), "41 s ago"),
        (timedelta(minutes=3, seconds=59), "3 min ago"),
        (timedelta(hours=5), "5 h ago"),
        (timedelta(days=2), "2 d ago"),
        (timedelta(days=40), "2026-01-21"),
        (-timedelta(hours=2), "in 2 h"),
    ],
)
def test_a_time_is_told_relative_to_now(ago, text):
    assert relative(NOW - ago, NOW) == text


def test_a_time_carries_the_exact_instant_and_utc_for_hovering():
    html = when(NOW - timedelta(seconds=41), NOW)
    assert 'datetime="2026-03-02T11:59:19.000Z"' in html
    assert 'title="2026-03-02 11:59:19.000 UTC"' in html
    assert ">41 s ago<" in html


def test_a_time_in_unix_nanoseconds_is_the_same_time():
    nanoseconds = to_unix_nano(NOW)
    assert clock_time(nanoseconds) == clock_time(NOW)
    assert iso(nanoseconds) == iso(NOW) == "2026-03-02T12:00:00.000Z"


def test_a_precise_time_tells_the_milliseconds():
    html = precise_time(NOW + timedelta(milliseconds=417))
    assert ">2026-03-02 12:00:00.417 UTC<" in html
    assert 'data-when="precise"' in html


def test_no_time_is_a_dash():
    assert when(None, NOW) == clock_time(None) == precise_time(None) == "&ndash;"


def test_a_naive_time_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        clock_time(datetime(2026, 3, 2))


values = st.lists(st.none() | st.floats(0, 1e12), max_size=40)


@given(values)
def test_a_sparkline_stays_in_its_frame_and_draws_each_value_once(numbers):
    lines = spark_lines(numbers)
    points = [tuple(map(float, point.split(","))) for line in lines for point in line.points.split()]
    assert len(points) == sum(value is not None for value in numbers)
    assert all(0 <= x <= 120 and 0 <= y <= 28 for x, y in points)


def test_a_gap_in_the_values_is_a_gap_in_the_line():
    assert len(spark_lines([1, 2, None, 3, 4])) == 2
    assert spark_lines([]) == spark_lines([None]) == []
