"""What holds of every schedule, in every zone, through every change of clocks from 2024 to 2037."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.oncall import laws
from tests.oncall.rosters import NAMED, ZONES, layers, moments, overrides, rosters
from watchkeeper.modules.oncall.model import Roster

many = settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))


@many
@given(rosters())
def test_spans_cover_time_without_holes_or_overlaps(drawn: tuple[Roster, datetime]) -> None:
    laws.spans_partition_time(*drawn)


@many
@given(rosters())
def test_an_instant_has_the_answer_of_the_span_that_it_is_in(drawn: tuple[Roster, datetime]) -> None:
    laws.on_call_agrees_with_spans(*drawn)


@many
@given(rosters())
def test_the_arithmetic_is_what_people_do_on_paper_with_a_clock_on_the_wall(drawn: tuple[Roster, datetime]) -> None:
    laws.as_the_wall_clock_says(*drawn)


@pytest.mark.parametrize("zone", NAMED)
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_the_same_in_the_zones_that_are_known_for_surprises(zone: str, data: Any) -> None:
    roster, at = data.draw(rosters((zone,)))
    laws.as_the_wall_clock_says(roster, at)
    laws.spans_partition_time(roster, at)


@many
@given(rosters(), st.data())
def test_an_override_changes_nothing_outside_its_time(drawn: tuple[Roster, datetime], data: Any) -> None:
    roster, at = drawn
    laws.an_override_changes_nothing_outside_it(roster, at, data.draw(overrides(at, 99)))


@many
@given(st.sampled_from(ZONES), st.data())
def test_a_rotation_repeats_itself_after_a_shift_of_each_person(zone: str, data: Any) -> None:
    at = data.draw(moments(zone))
    laws.a_rotation_repeats(data.draw(layers("weekly", at.date())), zone, at)
