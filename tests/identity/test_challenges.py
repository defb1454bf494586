"""What was begun is kept here, is found by a secret of the browser, and goes on once."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.modules.identity import store_challenges
from watchkeeper.modules.identity.challenges import Challenge, Challenges
from watchkeeper.modules.identity.errors import ChallengeGone
from watchkeeper.modules.identity.tables import challenges

LIFE = timedelta(minutes=5)
FREELY = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def begin(database: Database, clock: ManualClock, purpose: str = "test", person_id: str | None = "per_1") -> str:
    with database.begin() as session:
        return Challenges(session, clock).begin(purpose, person_id=person_id, data={"to": "/audit"}, life=LIFE)


def take(database: Database, clock: ManualClock, secret: str, purpose: str = "test") -> Challenge:
    with database.begin() as session:
        return Challenges(session, clock).take(secret, purpose)


def test_it_gives_back_what_was_kept_and_only_once(database: Database, clock: ManualClock) -> None:
    secret = begin(database, clock)
    assert take(database, clock, secret) == Challenge("per_1", {"to": "/audit"})
    with pytest.raises(ChallengeGone):
        take(database, clock, secret)


def test_nobody_needs_to_be_known_yet(database: Database, clock: ManualClock) -> None:
    assert take(database, clock, begin(database, clock, person_id=None)).person_id is None


def test_it_is_good_for_what_it_was_begun_for_only(database: Database, clock: ManualClock) -> None:
    secret = begin(database, clock, "passkey_new")
    with pytest.raises(ChallengeGone):
        take(database, clock, secret, "passkey_use")
    assert take(database, clock, secret, "passkey_new").person_id == "per_1"


@pytest.mark.parametrize("late", [timedelta(0), timedelta(seconds=1), timedelta(days=400)])
def test_it_ends_with_its_life_to_the_second(database: Database, clock: ManualClock, late: timedelta) -> None:
    early, secret = begin(database, clock), begin(database, clock)
    clock.advance(LIFE - timedelta(seconds=1))
    assert take(database, clock, early).person_id == "per_1"
    clock.advance(timedelta(seconds=1) + late)
    with pytest.raises(ChallengeGone):
        take(database, clock, secret)


def test_looking_leaves_it_good(database: Database, clock: ManualClock) -> None:
    secret = begin(database, clock)
    with database.read() as session:
        assert Challenges(session, clock).look(secret, "test").data == {"to": "/audit"}
    assert take(database, clock, secret).data == {"to": "/audit"}


def test_what_came_to_nothing_after_it_was_taken_may_be_tried_again(database: Database, clock: ManualClock) -> None:
    """A transaction that failed took nothing: the browser's next try finds it."""
    secret = begin(database, clock)
    with pytest.raises(ZeroDivisionError), database.begin() as session:
        Challenges(session, clock).take(secret, "test")
        raise ZeroDivisionError
    assert take(database, clock, secret).person_id == "per_1"


def test_the_secret_itself_is_not_kept(database: Database, clock: ManualClock) -> None:
    secret = begin(database, clock)
    with database.read() as session:
        assert secret not in repr(session.execute(select(challenges)).all())


def test_what_is_over_is_cleared_away_and_nothing_else(database: Database, clock: ManualClock) -> None:
    begin(database, clock)
    clock.advance(timedelta(minutes=3))
    younger = begin(database, clock)
    clock.advance(timedelta(minutes=2))
    with database.begin() as session:
        assert store_challenges.forget(session, clock.now()) == 1
    assert take(database, clock, younger).person_id == "per_1"


def test_of_several_servers_at_once_one_takes_it(database: Database, clock: ManualClock) -> None:
    secret, start, found = begin(database, clock), threading.Barrier(6), []

    def try_it() -> None:
        start.wait()
        try:
            found.append(take(database, clock, secret).person_id)
        except ChallengeGone:
            found.append("gone")

    threads = [threading.Thread(target=try_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["gone"] * 5 + ["per_1"]


@FREELY
@given(guess=st.text(max_size=300))
def test_no_guess_finds_one(database: Database, clock: ManualClock, guess: str) -> None:
    begin(database, clock)
    with pytest.raises(ChallengeGone):
        take(database, clock, guess)


@FREELY
@given(order=st.lists(st.integers(0, 3), max_size=20))
def test_whatever_the_order_each_is_taken_at_most_once(
    database: Database, clock: ManualClock, order: list[int]
) -> None:
    secrets, taken = [begin(database, clock, person_id=f"per_{n}") for n in range(4)], []
    for number in order:
        try:
            taken.append(take(database, clock, secrets[number]).person_id)
        except ChallengeGone:
            assert f"per_{number}" in taken
    assert sorted(taken) == sorted({f"per_{n}" for n in order})
