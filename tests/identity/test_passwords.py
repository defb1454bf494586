"""What makes a password acceptable."""

from __future__ import annotations

import string
import unicodedata
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from watchkeeper.modules.identity.passwords import LONGEST, SHORTEST, complaints, normalise

ALICE = ("Alice Archer", "alice.archer@example.org")


@pytest.mark.parametrize(
    "password",
    [
        "plum tractor winter seven",
        "violett-gießkanne-horizont",
        "J8#kq2!vPz0&mT5w",
        "私は毎朝六時に起きて犬と散歩をします",
        "alice likes purple tractors",
        "my watchkeeper wakes at dawn",
    ],
)
def test_a_long_password_is_fine_whatever_it_is_made_of(password: str) -> None:
    assert complaints(password, about=ALICE) == []


@pytest.mark.parametrize(
    ("password", "because"),
    [
        ("", "at least 15"),
        ("Tr0ub4dor&3", "at least 15"),
        ("x" * (LONGEST + 1), "at most 256"),
        ("correcthorsebatterystaple", "attacker's list"),
        ("Correct Horse Battery Staple!1", "attacker's list"),
        ("c0rrecth0rseb@tteryst@ple", "attacker's list"),
        ("1qaz2wsx3edc4rfv", "attacker's list"),
        ("aaaaaaaaaaaaaaaaaaaa", "repeats"),
        ("abcdefabcdefabcdefabc", "repeats"),
        ("hunter2hunter2hunter2", "repeats"),
        ("abcdefghijklmnopqrst", "order"),
        ("qwertyuiopasdfghjkl", "order"),
        ("9876543210987654321", "order"),
        ("watchkeeper2026", "little more than a name"),
        ("WatchkeeperWatchkeeper!", "little more than a name"),
        ("Watchkeeper-Admin-Password1", "little more than a name"),
        ("alicearcher-2026", "little more than a name"),
        ("alice.archer@example.org", "little more than a name"),
        ("\ud800" * 20, "written as text"),
    ],
)
def test_what_is_guessed_first_is_refused_with_a_reason(password: str, because: str) -> None:
    assert because in " ".join(complaints(password, about=ALICE))


def test_a_name_of_somebody_else_is_no_reason() -> None:
    assert complaints("alicearcher-2026") == []


@given(st.text(max_size=SHORTEST - 1))
def test_nothing_short_is_accepted(password: str) -> None:
    assume(len(normalise(password)) < SHORTEST)  # some characters become several when normalised
    assert complaints(password)


@given(st.text(min_size=1, max_size=5), st.integers(4, 60))
def test_repeating_a_little_makes_no_password(unit: str, times: int) -> None:
    assert complaints(unit * times)


@given(st.text(min_size=20, max_size=80))
def test_typing_it_on_another_system_gives_the_same_password_and_the_same_answer(password: str) -> None:
    elsewhere = unicodedata.normalize("NFD", password)
    assert normalise(elsewhere) == normalise(password)
    assert complaints(elsewhere) == complaints(password)


@given(st.integers(0, 10**9))
def test_what_a_password_manager_makes_is_never_refused(seed: int) -> None:
    random = Random(seed)
    alphabet = string.ascii_letters + string.digits + string.punctuation
    assert complaints("".join(random.choice(alphabet) for _ in range(24)), about=ALICE) == []


@given(st.text(max_size=300), st.lists(st.text(max_size=30), max_size=3))
def test_any_text_gets_an_answer(password: str, about: list[str]) -> None:
    assert all(sentence.endswith(".") for sentence in complaints(password, about=about))
