"""A password alone has 15 characters, beside a second factor 8, and never stands alone when it is short."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.identity.factors import Device, add_passkey, set_up_app
from tests.identity.support import ALICE, PASSWORD, Browser, Console
from watchkeeper.kernel.keys import InstallationKey
from watchkeeper.modules.identity import store, store_factors
from watchkeeper.modules.identity.errors import FactorNeeded, WrongPassword
from watchkeeper.modules.identity.factors import Factors
from watchkeeper.modules.identity.model import Attempt, Person
from watchkeeper.modules.identity.passwords import (
    LONGEST,
    SHORTEST,
    SHORTEST_WITH_FACTOR,
    complaints,
    normalise,
    stands_alone,
)
from watchkeeper.modules.identity.service import Identity

SHORT = "kelp7!mo"


def change(browser: Browser, current: str, new: str) -> int:
    form = {"current": current, "new": new, "again": new}
    return browser.submit("/account/password", form, page="/account").status_code


def alice_of(console: Console) -> Person:
    person: Person = console.look(store.person_by_email, ALICE["email"])
    return person


@pytest.mark.parametrize(
    ("password", "alone", "beside"),
    [
        ("kelp7!m", False, False),
        ("kelp7!mo", False, True),
        ("kelp7!mo+rig9=", False, True),
        ("kelp7!mo+rig9=x", True, True),
    ],
)
def test_the_limits_are_fifteen_and_eight(password: str, alone: bool, beside: bool) -> None:
    assert (SHORTEST, SHORTEST_WITH_FACTOR) == (15, 8)
    assert (complaints(password) == []) is alone
    assert (complaints(password, has_factor=True) == []) is beside


@given(st.text(max_size=LONGEST + 20))
def test_a_second_factor_never_makes_more_demands(password: str) -> None:
    refused_alone, refused_beside = complaints(password), complaints(password, has_factor=True)
    assert refused_alone or not refused_beside
    assert refused_alone or stands_alone(password)


@given(st.text(max_size=SHORTEST - 1))
def test_nothing_short_stands_alone(password: str) -> None:
    assume(len(normalise(password)) < SHORTEST)  # some letters become several in the form that is measured
    assert complaints(password)
    assert not stands_alone(password)


@pytest.mark.parametrize("password", ["SUNSHINE", "Sunshine", "sUnShInE", "PASSW0RD", "Football1"])
def test_the_case_of_a_common_password_makes_it_no_better(password: str) -> None:
    assert "attacker's list" in complaints(password, has_factor=True)[0]


def test_the_account_page_says_which_length_counts(console: Console, alice: Browser) -> None:
    assert "At least 15 characters" in alice.get("/account").text
    add_passkey(alice, Device())
    assert "At least 8 characters" in alice.get("/account").text


def test_an_app_that_was_not_confirmed_counts_for_nothing(console: Console, alice: Browser) -> None:
    alice.submit("/account/factors/app", {}, page="/account/factors")
    assert change(alice, PASSWORD, SHORT) == 422


def test_a_passkey_allows_a_short_password_and_holds_it(console: Console, alice: Browser) -> None:
    add_passkey(alice, Device())
    assert change(alice, PASSWORD, SHORT) == 303
    page = alice.get("/account/factors").text
    where = page.split('action="/account/factors/passkeys/')[1].split('"')[0]
    gone = alice.submit(f"/account/factors/passkeys/{where}", {"password": SHORT}, page="/account/factors")
    assert gone.status_code == 409
    assert "15 characters" in gone.text
    assert len(console.look(store_factors.passkeys_of, alice_of(console).id)) == 1
    assert console.facts("identity.passkey_removed") == []


def test_one_of_two_factors_may_go_whatever_the_password(console: Console, alice: Browser) -> None:
    set_up_app(console, alice)
    add_passkey(alice, Device())
    assert change(alice, PASSWORD, SHORT) == 303
    assert alice.submit("/account/factors/app/remove", {}, page="/account/factors").status_code == 303
    assert console.look(store_factors.has_factor, alice_of(console).id)


def test_a_password_that_was_long_when_it_was_asked_for_may_be_short_by_now(console: Console, alice: Browser) -> None:
    set_up_app(console, alice)
    before = alice_of(console).password_hash
    assert change(alice, PASSWORD, SHORT) == 303
    with pytest.raises(FactorNeeded):
        console.change(lambda db: factors(db, console).remove_totp(alice_of(console), long_password=before))
    assert console.look(store_factors.has_factor, alice_of(console).id)


def test_a_short_password_and_the_last_factor_never_pass_each_other(console: Console, alice: Browser) -> None:
    """Two browsers at once: one sets a short password, the other removes the last factor. One of them is refused."""
    set_up_app(console, alice)
    person = alice_of(console)
    session = console.look(store.sessions_of, person.id)[0].id
    start, refused = threading.Barrier(2), []

    def shorten() -> None:
        start.wait()
        try:
            console.change(
                lambda db: Identity(db, console.clock, console.settings).change_password(
                    person, session, "a hash of a short one", Attempt(person, timedelta(0)), is_short=True
                )
            )
        except (FactorNeeded, WrongPassword) as refusal:
            refused.append(refusal)

    def remove() -> None:
        start.wait()
        try:
            console.change(lambda db: factors(db, console).remove_totp(person, long_password=person.password_hash))
        except FactorNeeded as refusal:
            refused.append(refusal)

    threads = [threading.Thread(target=shorten), threading.Thread(target=remove)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    is_short = alice_of(console).password_hash != person.password_hash
    assert console.look(store_factors.has_factor, person.id) is is_short


def factors(db, console: Console) -> Factors:  # type: ignore[no-untyped-def]
    return Factors(db, console.clock, console.settings, InstallationKey(b"k" * 32))
