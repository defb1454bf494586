"""Public ids of facts: each names one fact, on every replica, and tells nothing of how many there are."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.app.timeline.support import Zoo, feed
from watchkeeper.app.timeline.marks import FactNotFound, fact_of, mark_of
from watchkeeper.kernel.ids import is_id, new_id
from watchkeeper.kernel.journal import Fact, FactFilter, read_facts

instants = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))


def _fact(seq: int, at: datetime, animal: str = "tiger") -> Fact:
    return Fact(seq, at, "per_keeper", "test", "zoo.fed", 1, None, "service", animal, {"animal": animal}, None)


@given(st.integers(1, 2**60), instants, st.text(max_size=10))
def test_an_id_looks_like_every_other_and_stays_the_same(seq: int, at: datetime, animal: str) -> None:
    mark = mark_of(_fact(seq, at, animal))
    assert is_id(mark, "fct")
    assert mark_of(_fact(seq, at, animal)) == mark


def test_ids_of_neighbours_have_nothing_in_common(zoo: Zoo) -> None:
    at = zoo.clock.now()
    marks = [mark_of(_fact(seq, at)) for seq in range(1, 500)]
    assert len(set(marks)) == len(marks)
    assert marks != sorted(marks)
    starts = {mark[4:8] for mark in marks}
    assert len(starts) > 450


def test_every_fact_is_found_by_its_id_even_among_many_of_one_instant(zoo: Zoo) -> None:
    with zoo.database.begin() as session:
        for number in range(1_050):
            feed(session, f"ant-{number}", at=zoo.clock.now())
    with zoo.database.read() as session:
        for fact in (*read_facts(session, FactFilter(), limit=3), *read_facts(session, FactFilter(before_seq=3))):
            assert fact_of(session, mark_of(fact)) == fact


@pytest.mark.parametrize("mark", ["", "fct_", "fct_" + "0" * 26, "fct_" + "z" * 26, "1", "per_" + "0" * 26, "é" * 30])
def test_what_names_no_fact_is_not_found(zoo: Zoo, mark: str) -> None:
    zoo.feed("tiger")
    with zoo.database.read() as session, pytest.raises(FactNotFound):
        fact_of(session, mark)


def test_a_guess_finds_nothing(zoo: Zoo) -> None:
    zoo.feed("tiger")
    with zoo.database.read() as session:
        for _ in range(50):
            with pytest.raises(FactNotFound):
                fact_of(session, new_id("fct"))
