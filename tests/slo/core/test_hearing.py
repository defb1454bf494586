"""Which minutes were measured: those in which a source spoke, and silences that were short."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.slo.support import slo
from watchkeeper.modules.slo.hearing import LONGEST_GAP, Heard
from watchkeeper.modules.slo.model import Counts
from watchkeeper.modules.slo.series import MINUTE
from watchkeeper.modules.slo.shaping import sliced

START = 1_772_452_800
FIVE = timedelta(minutes=5)
heard_minutes = st.lists(st.integers(0, 240), max_size=60, unique=True)


def at(minute: int) -> int:
    return START + minute * MINUTE


def measured(minutes: list[int], until: int, *, now: int | None = None, patience: timedelta = FIVE) -> dict[int, float]:
    found = Heard(map(at, minutes)).measured(patience, START, at(until), at(now if now is not None else until))
    return {(minute - START) // MINUTE: counts.measured for minute, counts in found.items()}


def test_a_short_silence_is_measured_and_a_long_one_was_not_from_its_first_minute_on() -> None:
    assert set(measured([0, 6], 7).values()) == {60.0}
    found = measured([0, 7], 8)
    assert [found[minute] for minute in range(8)] == [60.0, *[0.0] * 6, 60.0]
    # While it lasts nobody knows how long it will be.
    assert measured([0], 6)[5] == 60.0
    assert [minute for minute, seconds in measured([0], 8).items() if seconds] == [0]


def test_before_it_was_heard_for_the_first_time_it_was_not_there() -> None:
    assert measured([], 10) == {}
    assert min(measured([4], 10)) == 4


@given(heard_minutes, st.integers(1, 90))
def test_what_was_heard_is_measured_and_no_silence_longer_than_patience_is(minutes: list[int], patience: int) -> None:
    found = measured(minutes, 241, patience=timedelta(minutes=patience))
    assert all(found[minute] == 60.0 for minute in minutes)
    ordered = [*sorted(minutes), 241]
    allowed = min(patience, LONGEST_GAP // MINUTE)
    for one, other in pairwise(ordered):
        silence = range(one + 1, other)
        assert {found[minute] for minute in silence} <= ({60.0} if len(silence) <= allowed else {0.0})


@given(heard_minutes, st.integers(1, 240), st.integers(1, 90))
def test_it_does_not_matter_how_time_is_cut(minutes: list[int], cut: int, patience: int) -> None:
    heard, span = Heard(map(at, minutes)), timedelta(minutes=patience)
    whole = heard.measured(span, START, at(241), at(241))
    assert whole == heard.measured(span, START, at(cut), at(241)) | heard.measured(span, at(cut), at(241), at(241))


@given(heard_minutes, heard_minutes, st.integers(0, 240))
def test_the_order_of_hearing_does_not_matter(some: list[int], more: list[int], forgotten: int) -> None:
    grown, afresh = Heard(map(at, some)), Heard(map(at, {*some, *more}))
    grown.add(map(at, more))
    for one in (grown, afresh):
        one.forget(at(forgotten))
    assert grown.newest == afresh.newest
    assert grown.measured(FIVE, START, at(241), at(241)) == afresh.measured(FIVE, START, at(241), at(241))


def test_a_slice_that_turned_out_not_to_be_measured_is_no_good_minute() -> None:
    slices = slo(slices={"length": "5m", "target": 0.9}).slices
    assert slices is not None
    silent = {at(minute): Counts() for minute in range(5)}
    assert set(sliced(silent, slices, at(5)).values()) == {Counts()}
    half = {at(minute): Counts(0.0, 0.0, 60.0 if minute < 2 else 0.0) for minute in range(5)}
    assert sum(one.measured for one in sliced(half, slices, at(5)).values()) == 120
