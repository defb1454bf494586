"""An authenticator app and recovery codes: each code once, few guesses, and a password alone is no longer enough."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.identity.factors import code_of, codes_on, recovery_codes, set_up_app, shown_secret
from tests.identity.support import ALICE, PASSWORD, Browser, Console
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.keys import InstallationKey
from watchkeeper.modules.identity import store, store_factors
from watchkeeper.modules.identity.factors import Factors
from watchkeeper.modules.identity.model import Peer, SignInMethod
from watchkeeper.modules.identity.settings import IdentitySettings

KEY = InstallationKey(b"k" * 32)
ELSEWHERE = "198.51.100.50"


@pytest.fixture
def secret(console: Console, alice: Browser) -> str:
    """The secret of Alice's app."""
    return set_up_app(console, alice)


def _half_way(console: Console, address: str = ELSEWHERE) -> Browser:
    """A browser that has shown Alice's password."""
    browser = console.browser(address)
    answer = browser.sign_in()
    assert answer.headers["location"].startswith("/login/second")
    return browser


def test_the_password_alone_is_no_longer_enough(console: Console, secret: str) -> None:
    browser = _half_way(console)
    assert browser.session_cookie is None
    assert not browser.is_signed_in()
    done = browser.submit("/login/second", {"code": code_of(console, secret)})
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert browser.is_signed_in()


def test_the_way_goes_on_to_where_it_began(console: Console, secret: str) -> None:
    browser = console.browser(ELSEWHERE)
    where = browser.sign_in(next_path="/settings/tokens").headers["location"]
    done = browser.submit("/login/second", {"code": code_of(console, secret)}, page=where)
    assert done.headers["location"] == "/settings/tokens"


def test_an_app_counts_only_once_it_has_shown_a_right_code(console: Console, alice: Browser) -> None:
    alice.submit("/account/factors/app", {}, page="/account/factors")
    begun = shown_secret(alice)
    wrong = alice.submit("/account/factors/app/confirm", {"code": "000000"}, page="/account/factors")
    assert wrong.status_code == 422
    assert shown_secret(alice) == begun
    assert console.browser(ELSEWHERE).sign_in().headers["location"] == "/"


def test_the_secret_is_never_kept_or_told_in_clear(console: Console, alice: Browser, secret: str) -> None:
    person = console.look(store.person_by_email, ALICE["email"])
    held = console.look(store_factors.totp_of, person.id)
    assert secret not in held.secret
    assert secret not in repr(console.facts())
    assert "Secret:" not in alice.get("/account/factors").text


@pytest.mark.parametrize("drift", [-1, 0, 1])
def test_a_phone_may_be_half_a_minute_off(console: Console, secret: str, drift: int) -> None:
    console.clock.advance(timedelta(minutes=2))
    done = _half_way(console).submit("/login/second", {"code": code_of(console, secret, drift)})
    assert done.status_code == 303


@pytest.mark.parametrize("drift", [-20, -2, 2, 20])
def test_a_code_of_another_time_is_refused(console: Console, secret: str, drift: int) -> None:
    console.clock.advance(timedelta(minutes=20))
    done = _half_way(console).submit("/login/second", {"code": code_of(console, secret, drift)})
    assert done.status_code == 403


def test_a_code_works_once(console: Console, secret: str) -> None:
    code = code_of(console, secret)
    assert _half_way(console).submit("/login/second", {"code": code}).status_code == 303
    assert _half_way(console, "198.51.100.51").submit("/login/second", {"code": code}).status_code == 403


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tries=st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 1)), min_size=1, max_size=12))
def test_no_order_of_tries_takes_a_step_twice(console: Console, secret: str, tries: list[tuple[int, int]]) -> None:
    """Each try waits some steps and shows a code that may be one step off."""
    person = console.look(store.person_by_email, ALICE["email"])
    taken: list[int] = []
    for number, (wait, drift) in enumerate(tries):
        console.clock.advance(timedelta(seconds=30 * wait))
        step = int(console.clock.now().timestamp()) // 30 + drift
        code, peer = code_of(console, secret, drift), Peer(f"203.0.113.{number}", "")
        checked = console.change(lambda db, c=code, p=peer: _factors(db, console).check(person.id, c, p))
        if checked.method is not None:
            taken.append(step)
    assert taken == sorted(set(taken))
    console.clock.advance(timedelta(hours=1))


def _factors(db, console: Console) -> Factors:  # type: ignore[no-untyped-def]
    return Factors(db, console.clock, console.settings, KEY)


def test_of_two_servers_that_see_a_code_at_once_one_takes_it(console: Console, secret: str) -> None:
    person = console.look(store.person_by_email, ALICE["email"])
    code, won = code_of(console, secret), []
    start = threading.Barrier(4)

    def try_it(number: int) -> None:
        start.wait()
        peer = Peer(f"203.0.113.{number}", "")
        checked = console.change(lambda db: _factors(db, console).check(person.id, code, peer))
        won.append(checked.method)

    threads = [threading.Thread(target=try_it, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won.count(SignInMethod.SECOND_FACTOR) == 1


def test_codes_can_not_be_guessed_in_numbers(console: Console, secret: str) -> None:
    browser = _half_way(console)
    answers = [browser.submit("/login/second", {"code": f"{number:06}"}).status_code for number in range(12)]
    assert answers[:3] == [403] * 3
    assert set(answers[4:]) == {429}
    assert browser.submit("/login/second", {"code": code_of(console, secret)}).status_code == 429
    refused = [fact.data["reason"] for fact in console.facts("identity.second_factor_refused")]
    assert refused.count("wrong_code") <= console.settings.code_failures
    console.clock.advance(timedelta(minutes=15))
    assert _half_way(console).submit("/login/second", {"code": code_of(console, secret)}).status_code == 303


def test_half_a_sign_in_is_over_after_five_minutes(console: Console, secret: str) -> None:
    browser = _half_way(console)
    page = browser.get("/login/second").text
    console.clock.advance(timedelta(minutes=5))
    from tests.identity.support import hidden_fields

    late = browser.client.post("/login/second", data={**hidden_fields(page), "code": code_of(console, secret)})
    assert late.status_code == 403
    assert not browser.is_signed_in()


def test_half_a_sign_in_belongs_to_its_browser(console: Console, secret: str) -> None:
    _half_way(console)
    assert console.browser(ELSEWHERE).get("/login/second").status_code == 403


def test_a_disabled_person_does_not_finish(console: Console, secret: str) -> None:
    from sqlalchemy import update

    from watchkeeper.modules.identity.tables import people

    browser = _half_way(console)
    console.change(lambda db: db.execute(update(people).values(disabled_at=console.clock.now())))
    assert browser.submit("/login/second", {"code": code_of(console, secret)}).status_code == 403
    assert not browser.is_signed_in()


# --- recovery codes ---------------------------------------------------------------------------------------------------


def test_recovery_codes_come_with_the_first_factor_and_are_shown_once(console: Console, alice: Browser) -> None:
    alice.submit("/account/factors/app", {}, page="/account/factors")
    code = code_of(console, shown_secret(alice))
    page = alice.submit("/account/factors/app/confirm", {"code": code}, page="/account/factors").text
    codes = codes_on(page)
    assert len(set(codes)) == 10
    assert codes_on(alice.get("/account/factors").text) == []
    assert not any(one in repr(console.facts()) for one in codes)


def test_a_recovery_code_works_once_however_it_is_typed(console: Console, alice: Browser, secret: str) -> None:
    codes = recovery_codes(alice)
    typed = f" {codes[0].upper().replace('-', ' ')} "
    assert _half_way(console).submit("/login/second", {"code": typed}).status_code == 303
    assert _half_way(console, "198.51.100.51").submit("/login/second", {"code": codes[0]}).status_code == 403
    assert "9 left" in alice.get("/account/factors").text


def test_new_recovery_codes_kill_the_old_ones(console: Console, alice: Browser, secret: str) -> None:
    old, new = recovery_codes(alice), recovery_codes(alice)
    assert _half_way(console).submit("/login/second", {"code": old[0]}).status_code == 403
    assert _half_way(console, "198.51.100.51").submit("/login/second", {"code": new[0]}).status_code == 303


# --- the password beside a factor -------------------------------------------------------------------------------------

SHORT = "kelp7!mo"


def _change(browser: Browser, current: str, new: str) -> int:
    form = {"current": current, "new": new, "again": new}
    return browser.submit("/account/password", form, page="/account").status_code


def test_a_shorter_password_is_enough_beside_a_factor(console: Console, alice: Browser) -> None:
    assert _change(alice, PASSWORD, SHORT) == 422
    set_up_app(console, alice)
    assert _change(alice, PASSWORD, "kelp7!m") == 422
    assert _change(alice, PASSWORD, SHORT) == 303


@pytest.mark.parametrize(
    "common", ["sunshine", "Passw0rd", "qwertyui", "12345678", "football1", "alicearc", "iloveyou1"]
)
def test_a_short_password_from_the_lists_is_refused(console: Console, alice: Browser, common: str) -> None:
    set_up_app(console, alice)
    assert _change(alice, PASSWORD, common) == 422


def test_the_last_factor_stays_while_the_password_is_short(console: Console, alice: Browser) -> None:
    set_up_app(console, alice)
    assert _change(alice, PASSWORD, SHORT) == 303
    gone = alice.submit("/account/factors/app/remove", {"password": SHORT}, page="/account/factors")
    assert gone.status_code == 409
    assert "15 characters" in gone.text
    assert _change(alice, SHORT, PASSWORD) == 303
    wrong = alice.submit("/account/factors/app/remove", {"password": "not it at all, no"}, page="/account/factors")
    assert wrong.status_code == 422
    silent = alice.submit("/account/factors/app/remove", {}, page="/account/factors")
    assert silent.status_code == 409
    assert "Enter your password" in silent.text
    done = alice.submit("/account/factors/app/remove", {"password": PASSWORD}, page="/account/factors")
    assert done.status_code == 303
    assert console.browser(ELSEWHERE).sign_in().headers["location"] == "/"


def test_a_changed_password_ends_what_the_old_one_has_begun(console: Console, alice: Browser, secret: str) -> None:
    thief = _half_way(console)
    assert _change(alice, PASSWORD, "another tractor in spring") == 303
    late = thief.submit("/login/second", {"code": code_of(console, secret)})
    assert late.status_code == 403
    assert not thief.is_signed_in()


def test_a_recovery_code_is_worth_eighty_bits(console: Console, alice: Browser, secret: str) -> None:
    codes = recovery_codes(alice)
    assert {len(code.replace("-", "")) for code in codes} == {16}
    assert set("".join(codes)) <= set("0123456789abcdefghjkmnpqrstvwxyz-")


def test_letters_that_look_alike_are_taken_for_each_other(console: Console, alice: Browser, secret: str) -> None:
    codes: list[str] = []
    while not codes:
        codes = [one for one in recovery_codes(alice) if {"0", "1"} & set(one)]
    typed = codes[0].replace("0", "O").replace("1", "l")
    assert _half_way(console).submit("/login/second", {"code": typed}).status_code == 303


# --- when everybody needs one -----------------------------------------------------------------------------------------


@pytest.fixture
def strict(database: Database, clock: ManualClock) -> Iterator[Console]:
    """A console where everybody needs a second factor."""
    with Console.open(database, clock, settings=IdentitySettings(require_second_factor=True)) as opened:
        yield opened


def test_who_has_none_is_led_to_add_one_before_anything_else(strict: Console) -> None:
    alice = strict.set_up()
    led = alice.get("/settings/tokens")
    assert (led.status_code, led.headers["location"].split("?")[0]) == (303, "/account/factors")
    told = alice.client.get("/api/v1/tokens", headers={"Accept": "application/json"})
    assert (told.status_code, told.json()["code"]) == (403, "identity.factor_required")
    assert "asks everybody" in alice.get("/account/factors").text
    set_up_app(strict, alice)
    assert alice.get("/settings/tokens").status_code == 200


def test_who_has_one_and_a_program_go_on(strict: Console) -> None:
    alice = strict.set_up()
    secret = set_up_app(strict, alice)
    browser = _half_way(strict)
    browser.submit("/login/second", {"code": code_of(strict, secret)})
    assert browser.get("/settings/tokens").status_code == 200
    assert strict.program(strict.token("admin")[1]).get("/api/v1/tokens").status_code == 200
