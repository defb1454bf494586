"""How suspicious a change is: laws that hold whatever the numbers are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import assume, given
from hypothesis import strategies as st

from watchkeeper.kernel.journal import Effect
from watchkeeper.modules.catalog.suspicion import Clue, ground_of, magnitude, reached, suspicion, together

ONSET = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
aheads = st.timedeltas(timedelta(0), timedelta(hours=6))
sizes = st.floats(0, 1)
clues = st.builds(
    Clue,
    at=aheads.map(lambda ahead: ONSET - ahead),
    effect=st.sampled_from(Effect),
    steps=st.none() | st.integers(0, 6),
    size=sizes,
    elsewhere=st.booleans(),
    puts_back=st.booleans(),
)
graphs = st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=3))
some = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=3, unique=True)


def score(clue: Clue) -> float:
    return suspicion(clue, ONSET).score


@given(clues)
def test_a_score_is_a_share_and_is_explained(clue: Clue) -> None:
    found = suspicion(clue, ONSET)
    assert 0 <= found.score <= 1
    assert found.why


@given(clues, aheads)
def test_of_two_equal_changes_the_nearer_before_the_onset_is_more_suspicious(clue: Clue, ahead: timedelta) -> None:
    other = replace(clue, at=ONSET - ahead)
    nearer, further = (clue, other) if clue.at >= other.at else (other, clue)
    assert score(nearer) >= score(further)


@given(clues, st.timedeltas(timedelta(microseconds=1), timedelta(hours=6)))
def test_a_change_after_the_onset_is_never_above_an_equal_one_before(clue: Clue, later: timedelta) -> None:
    assert score(replace(clue, at=ONSET + later)) < score(clue)


@given(clues)
def test_a_service_without_a_part_in_it_is_never_above_one_that_has(clue: Clue) -> None:
    assume(clue.steps is not None)
    assert score(replace(clue, steps=None)) < score(clue)


@given(clues, st.integers(0, 6))
def test_the_nearer_service_is_never_less_suspicious(clue: Clue, steps: int) -> None:
    assume(clue.steps is not None and steps <= clue.steps)
    assert score(replace(clue, steps=steps)) >= score(clue)


@given(clues, sizes)
def test_the_larger_change_is_never_less_suspicious(clue: Clue, size: float) -> None:
    assert score(replace(clue, size=max(size, clue.size))) >= score(clue)


@given(clues)
def test_what_is_only_said_is_never_a_suspect_nor_above_what_runs(clue: Clue) -> None:
    words = suspicion(replace(clue, effect=Effect.WORDS), ONSET)
    assert not words.is_suspect
    assert words.score <= score(replace(clue, effect=Effect.BEHAVIOUR))


@given(clues, aheads)
def test_what_was_undone_before_the_onset_is_less_suspicious_and_what_was_undone_since_is_not(
    clue: Clue, ahead: timedelta
) -> None:
    assert score(replace(clue, undone_at=ONSET - ahead)) < score(clue)
    assert score(replace(clue, undone_at=ONSET + timedelta(seconds=1))) == score(clue)


@given(clues)
def test_another_environment_and_putting_back_what_was_make_it_less_suspicious(clue: Clue) -> None:
    assert score(replace(clue, elsewhere=True)) <= score(clue)
    assert score(replace(clue, puts_back=True)) <= score(clue)


@given(graphs)
def test_what_is_reached_is_each_service_once_circles_or_not(calls: dict[str, list[str]]) -> None:
    found = reached(["a"], calls)
    assert {one for name in found for one in calls.get(name, ())} <= set(found)
    for name, steps in found.items():
        assert steps == 0 or any(found[one] == steps - 1 for one in found if name in calls.get(one, ()))


@given(graphs, some, some)
def test_it_began_at_something_that_fails_and_all_that_suffers_is_looked_at(
    calls: dict[str, list[str]], services: list[str], failing: list[str]
) -> None:
    ground = ground_of(services, failing, calls)
    assert set(ground.services) == set(reached(services, calls))
    assert {one for one, steps in ground.steps.items() if steps == 0} <= {*services, *failing}
    assert 0 in ground.steps.values()


def test_a_dependency_that_fails_too_is_where_it_began() -> None:
    ground = ground_of(["shop"], ["db"], {"shop": ["db", "mail"], "db": ["disk"]})
    assert (ground.steps, ground.above) == ({"db": 0, "disk": 1}, {"shop", "mail"})


def test_services_that_fail_in_a_circle_are_all_where_it_began() -> None:
    ground = ground_of(["a"], ["b"], {"a": ["b"], "b": ["a"]})
    assert ground.steps == {"a": 0, "b": 0}


numbers = st.integers(-(10**400), 10**400) | st.floats(allow_nan=False, allow_infinity=False)
values = st.none() | st.booleans() | numbers | st.text(max_size=5) | st.lists(st.integers(), max_size=3)


@given(values, values)
def test_a_magnitude_is_a_share_the_same_there_and_back(before: object, after: object) -> None:
    assert 0 <= magnitude(before, after) <= 1
    assert abs(magnitude(before, after) - magnitude(after, before)) < 1e-9
    assert magnitude(before, before) == 0


@given(st.floats(1.01, 64), st.floats(1.01, 64))
def test_a_number_that_was_multiplied_by_more_changed_more(one: float, other: float) -> None:
    less, more = sorted((one, other))
    assert magnitude(100.0, 100.0 * less) <= magnitude(100.0, 100.0 * more)


@given(st.lists(sizes, min_size=1, max_size=6))
def test_several_changes_at_once_are_at_least_as_large_as_the_largest(each: list[float]) -> None:
    assert max(each) - 1e-9 <= together(each) <= 1
