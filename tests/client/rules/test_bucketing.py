"""Who is in a percentage: published, stable, fair, and monotone."""

from __future__ import annotations

import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tests.client.rules.support import FLAG, asked, snapshot
from watchkeeper_client.rules import bucket
from watchkeeper_client.rules.bucketing import chooser

VECTORS = [1170706450, 572501238, 1376989611, 4145092846, 3829304957]
users = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
salts = st.text(min_size=1, max_size=20, alphabet="abcdefgh0123456789")
percents = st.floats(0, 100, allow_nan=False)


def test_the_published_vectors_hold() -> None:
    # From the description in docs/explanation/configuration.md, written out in JavaScript.
    assert [bucket("salt", user) for user in ("u1", "u2", "user-12345", "Zoë", "")] == VECTORS


@given(users, salts, percents, percents)
def test_raising_a_percentage_never_removes_anybody(user: str, salt: str, one: float, other: float) -> None:
    low, high = sorted((one, other))
    inside = chooser(salt, low, {"on": 1})(user)
    assert inside is None or chooser(salt, high, {"on": 1})(user) == "on"


@given(users, salts, percents, percents)
def test_raising_a_percentage_gives_nobody_another_variant(user: str, salt: str, one: float, other: float) -> None:
    low, high = sorted((one, other))
    weights = {"a": 1.0, "b": 2.5, "c": 0.5}
    inside = chooser(salt, low, weights)(user)
    assert inside is None or chooser(salt, high, weights)(user) == inside


@given(users, salts)
def test_nobody_is_in_zero_percent_and_everybody_in_a_hundred(user: str, salt: str) -> None:
    assert chooser(salt, 0, {"on": 1})(user) is None
    assert chooser(salt, 100, {"on": 1})(user) == "on"
    assert chooser(salt, 100, {"on": 1, "blue": 1})(user) in ("on", "blue")


def test_shares_are_what_they_say_down_to_one_in_a_thousand() -> None:
    many = [f"user-{number}" for number in range(200_000)]
    for percent in (0.1, 1, 10, 33.3, 50, 99):
        choose = chooser("any", percent, {"on": 1})
        found = sum(choose(user) is not None for user in many)
        expected = len(many) * percent / 100
        # Six standard deviations of a binomial: fails once in half a billion runs, were the users drawn anew.
        assert abs(found - expected) < 6 * math.sqrt(expected * (1 - percent / 100)) + 1, (percent, found)


def test_variants_share_by_weight() -> None:
    choose = chooser("any", 100, {"a": 1, "b": 3})
    counted = Counter(choose(f"user-{number}") for number in range(100_000))
    assert abs(counted["b"] - 75_000) < 6 * math.sqrt(100_000 * 0.25 * 0.75)


def test_two_flags_draw_independently() -> None:
    one, other = chooser("first", 50, {"on": 1}), chooser("second", 50, {"on": 1})
    many = [f"u{number:06d}" for number in range(100_000)]
    both = sum(one(user) is not None and other(user) is not None for user in many)
    assert abs(both - 25_000) < 6 * math.sqrt(100_000 * 0.25 * 0.75)


def test_the_same_users_are_first_whatever_surrounds_the_percentage() -> None:
    at_ten = snapshot({"F": {**FLAG, "value": {"serve": {"percent": 10, "variants": {"on": 1}}}}})
    rule = {"when": {"all": []}, "serve": {"percent": 10, "variants": {"on": 1}}}
    by_rule = snapshot({"F": {**FLAG, "value": {"rules": [rule], "serve": {"variant": "off"}}}})
    for number in range(2_000):
        user = f"u{number}"
        assert asked(at_ten, "F", user).variant == asked(by_rule, "F", user).variant


def test_who_is_nobody_in_particular_is_outside_a_percentage() -> None:
    document = snapshot({"F": {**FLAG, "value": {"serve": {"percent": 99, "variants": {"on": 1}}}}})
    assert asked(document, "F").variant == "off"
