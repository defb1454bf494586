"""Whatever is written where a time zone belongs is one, or is refused in words."""

from __future__ import annotations

from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.kernel.zones import zone_named


@given(st.sampled_from(sorted(available_timezones())))
def test_every_zone_is_found_by_its_name(name: str) -> None:
    assert zone_named(name).key == name


@pytest.mark.parametrize(
    "name", ["Nowhere/City", "", "..", "/etc/passwd", "Europe", None, 5, "a\0b", "Ä/ö", "x" * 5_000]
)
def test_what_is_none_is_refused(name: object) -> None:
    with pytest.raises(ValueError, match="such as Europe/Oslo"):
        zone_named(name)
