from hypothesis import given
from hypothesis import strategies as st

from examples.duet.intentions import intend, requests_per_visit
from examples.duet.people import population
from examples.duet.releases import v2


@given(st.integers(0, 1000), st.integers(0, 100_000))
def test_the_same_seed_and_visit_mean_the_same_intentions(seed: int, visit: int):
    assert intend(seed, visit, 400) == intend(seed, visit, 400)


def test_another_seed_makes_another_day():
    assert [intend(1, visit, 400) for visit in range(20)] != [intend(2, visit, 400) for visit in range(20)]


def test_members_accept_more_offers_than_they_decline():
    decisions = [accept for visit in range(2000) for accept in intend(7, visit, 400).decisions]

    assert 0.55 < sum(decisions) / len(decisions) < 0.65


def test_about_one_message_in_twelve_carries_a_picture_that_the_bad_release_does_not_know():
    messages = [text for visit in range(3000) for text in intend(7, visit, 400).messages]

    assert 0.06 < sum(_breaks(text) for text in messages) / len(messages) < 0.1


def test_a_visit_is_planned_to_take_about_as_many_requests_as_its_mean_says():
    assert 10 < requests_per_visit(7, 400) < 16


def test_the_population_is_the_same_at_every_start():
    assert population(50) == population(60)[:50]


def _breaks(text: str) -> bool:
    try:
        v2.annotate(text)
    except KeyError:
        return True
    return False
