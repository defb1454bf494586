"""Guessing is slow, whoever guesses; and nobody can lock somebody else out of a session."""

from __future__ import annotations

import threading
from datetime import timedelta

from tests.identity.support import ALICE, PASSWORD, Browser, Console
from watchkeeper.modules.identity.model import Peer
from watchkeeper.modules.identity.service import Identity
from watchkeeper.modules.identity.tables import tallies

WRONG = "wrong but long enough"


def _guess(console: Console, times: int, *, address: str = "203.0.113.66", email: str = ALICE["email"]) -> list[int]:
    """Guess patiently: wait as long as told unless that is longer than the growing pauses."""
    browser, statuses = console.browser(address), []
    for _ in range(times):
        answer = browser.sign_in(email, WRONG)
        statuses.append(answer.status_code)
        console.clock.advance(timedelta(seconds=61))
    return statuses


def test_ten_wrong_passwords_pause_the_account_and_say_for_how_long(console: Console, alice: Browser) -> None:
    assert _guess(console, 10) == [403] * 10
    answer = console.browser("203.0.113.67").sign_in()
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == str(15 * 60 - 10 * 61)
    assert "Try again in 5 minutes" in answer.text
    console.clock.advance(timedelta(seconds=int(answer.headers["retry-after"])))
    assert console.browser("203.0.113.67").sign_in().status_code == 303


def test_after_three_mistakes_each_next_one_waits_longer(console: Console, alice: Browser) -> None:
    browser = console.browser("203.0.113.66")
    assert [browser.sign_in(password=WRONG).status_code for _ in range(4)] == [403, 403, 403, 429]
    assert browser.sign_in(password=WRONG).headers["retry-after"] == "1"
    console.clock.advance(timedelta(seconds=1))
    assert browser.sign_in(password=WRONG).status_code == 403
    assert browser.sign_in(password=WRONG).headers["retry-after"] == "2"


def test_the_right_password_clears_the_count(console: Console, alice: Browser) -> None:
    for _ in range(4):
        browser = console.browser("203.0.113.66")
        assert [browser.sign_in(password=WRONG).status_code for _ in range(2)] == [403, 403]
        assert browser.sign_in().status_code == 303


def test_one_address_gets_thirty_guesses_over_all_accounts(console: Console, alice: Browser) -> None:
    browser = console.browser("203.0.113.66")
    statuses = [browser.sign_in(f"person{number}@example.org", WRONG).status_code for number in range(32)]
    assert statuses == [403] * 30 + [429] * 2
    assert console.browser("203.0.113.67").sign_in().status_code == 303


def test_an_ipv6_network_counts_as_one_address(console: Console, alice: Browser) -> None:
    statuses = [
        console.browser(f"2001:db8::{number:x}").sign_in(f"person{number}@example.org", WRONG).status_code
        for number in range(31)
    ]
    assert statuses[-1] == 429


def test_an_account_of_ones_own_does_not_clear_the_count_of_the_address(console: Console, alice: Browser) -> None:
    mallory = console.browser("203.0.113.66")
    for number in range(29):
        mallory.sign_in(f"person{number}@example.org", WRONG)
    assert mallory.sign_in().status_code == 303
    statuses = [console.browser("203.0.113.66").sign_in(f"more{n}@example.org", WRONG).status_code for n in range(2)]
    assert statuses == [403, 429]


def test_a_stranger_can_not_end_or_disturb_a_session(console: Console, alice: Browser) -> None:
    _guess(console, 12)
    assert alice.is_signed_in()
    form = {"current": PASSWORD, "new": "another tractor in spring", "again": "another tractor in spring"}
    assert alice.submit("/account/password", form, page="/account").status_code == 303


def test_a_stranger_can_not_keep_alice_from_signing_in_where_she_was_before(console: Console, alice: Browser) -> None:
    _guess(console, 12)
    assert console.browser("203.0.113.67").sign_in().status_code == 429
    assert console.browser("203.0.113.7").sign_in().status_code == 303


def test_guesses_of_the_current_password_inside_a_session_are_limited_too(console: Console, alice: Browser) -> None:
    form = {"current": WRONG, "new": "another tractor in spring", "again": "another tractor in spring"}
    statuses = [alice.submit("/account/password", form, page="/account").status_code for _ in range(4)]
    assert statuses == [422, 422, 422, 429]


def test_all_replicas_count_together(console: Console, alice: Browser) -> None:
    other = console.another()
    for number in range(15):
        console.browser("203.0.113.66").sign_in(f"a{number}@example.org", WRONG)
        other.browser("203.0.113.66").sign_in(f"b{number}@example.org", WRONG)
    assert other.browser("203.0.113.66").sign_in("c@example.org", WRONG).status_code == 429


def test_many_guesses_at_the_same_instant_gain_nothing(console: Console, alice: Browser) -> None:
    allowed: list[bool] = []
    barrier = threading.Barrier(12)

    def guess() -> None:
        barrier.wait()
        with console.database.begin() as session:
            attempt = Identity(session, console.clock, console.settings).attempt(
                ALICE["email"], Peer("203.0.113.66", "")
            )
        allowed.append(attempt.wait <= timedelta(0))

    threads = [threading.Thread(target=guess) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert allowed.count(True) == 3


def test_a_storm_leaves_one_fact_of_the_pause_not_thousands(console: Console, alice: Browser) -> None:
    _guess(console, 10)
    for _ in range(5):
        console.browser("203.0.113.66").sign_in(password=WRONG)
    reasons = [fact.data["reason"] for fact in console.facts("identity.sign_in_refused")]
    assert reasons == ["wrong_password"] * 10 + ["paused"]


def test_what_is_counted_holds_no_email_and_is_forgotten_after_a_day(console: Console, alice: Browser) -> None:
    console.browser("203.0.113.66").sign_in(password=WRONG)
    rows = console.look(lambda session: session.execute(tallies.select()).all())
    assert rows
    assert "alice" not in repr(rows)
    console.clock.advance(timedelta(days=1, seconds=1))
    console.change(lambda session: Identity(session, console.clock, console.settings).forget())
    assert console.look(lambda session: session.execute(tallies.select()).all()) == []
