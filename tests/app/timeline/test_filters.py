"""Which facts somebody asks for: memory and database agree, and times are read as people write them."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from tests.app.timeline.support import Moved, Zoo, feed
from tests.conftest import NOON
from watchkeeper.app.timeline.filters import TimeNotUnderstood, fits, instant_of
from watchkeeper.kernel import journal
from watchkeeper.kernel.journal import FactFilter, read_facts


class RollBack(Exception):
    pass


def _several(*values: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), max_size=2).map(tuple)


instants = st.none() | st.integers(0, 12).map(lambda minutes: NOON + timedelta(minutes=minutes))
filters = st.builds(
    FactFilter,
    services=_several("cats", "dogs"),
    kinds=_several("zoo.fed", "zoo.moved", "zoo.", "zo", "other."),
    actors=_several("per_keeper", "local"),
    since=instants,
    until=instants,
    before_seq=st.none() | st.integers(0, 12),
    after_seq=st.none() | st.integers(0, 12),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(st.lists(filters, min_size=1, max_size=8))
def test_memory_and_database_agree_on_what_fits(zoo: Zoo, asked: list[FactFilter]) -> None:
    try:
        with zoo.database.begin() as session:
            _fill(session)
            everything = read_facts(session, FactFilter())
            for wanted in asked:
                expected = read_facts(session, wanted)
                assert [fact for fact in everything if fits(fact, wanted)] == expected
            raise RollBack
    except RollBack:
        pass


def _fill(session: Session) -> None:
    for minute in range(10):
        at = NOON + timedelta(minutes=minute)
        if minute % 3:
            house = [None, "cats", "dogs"][minute % 4 % 3]
            feed(session, "tiger", house=house, by=["per_keeper", "local"][minute % 2], at=at)
        else:
            journal.append(session, Moved(), by="local", source="test", at=at)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", None),
        ("30s", NOON - timedelta(seconds=30)),
        ("15m", NOON - timedelta(minutes=15)),
        ("6h", NOON - timedelta(hours=6)),
        ("7d", NOON - timedelta(days=7)),
        ("2026-03-01T00:00:00Z", NOON - timedelta(days=1, hours=12)),
        ("2026-03-01T02:00:00 02:00", NOON - timedelta(days=1, hours=12)),
    ],
)
def test_times_are_read_as_people_write_them(text: str, meant: datetime | None) -> None:
    assert instant_of(text, NOON, "query.since") == meant


@pytest.mark.parametrize(
    "text", ["yesterday", "6", "-6h", "6w", "99999d" * 2, "2026-03-01", "2026-03-01T00:00:00", "9" * 40]
)
def test_a_time_that_nobody_can_read_is_refused_with_examples(text: str) -> None:
    with pytest.raises(TimeNotUnderstood) as refused:
        instant_of(text, NOON, "query.since")
    (complaint,) = refused.value.complaints
    assert (complaint.where, complaint.expected) == ("query.since", "such as 30m, 6h, 7d or 2026-03-29T01:00:00Z")
