"""An unattended browser can't change what protects the account: that asks once more who is there."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.identity.factors import code_of, set_up_app
from tests.identity.support import PASSWORD, Browser, Console

LATE = timedelta(minutes=11)


@pytest.mark.parametrize("path", ["/account/factors", "/settings/tokens"])
def test_a_page_that_protects_the_account_asks_again_after_ten_minutes(
    console: Console, alice: Browser, path: str
) -> None:
    if path == "/account/factors":
        assert alice.get(path).status_code == 200
        console.clock.advance(LATE)
        answer = alice.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/account/prove?next=%2Faccount%2Ffactors")
    console.clock.advance(LATE)
    assert alice.get("/account").status_code == 200


def test_a_change_that_comes_late_is_not_made(console: Console, alice: Browser) -> None:
    page = alice.get("/account").text
    console.clock.advance(LATE)
    from tests.identity.support import hidden_fields

    form = {**hidden_fields(page), "email": "mallory@example.org"}
    answer = alice.client.post("/account/email", data=form, headers={"Referer": "http://console/account"})
    assert answer.headers["location"] == "/account/prove?next=%2Faccount"
    assert "alice@example.org" in alice.get("/account").text


def test_a_program_gets_a_problem_with_a_code(console: Console, alice: Browser) -> None:
    console.clock.advance(LATE)
    answer = alice.client.get("/account/factors", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (403, "identity.prove_again")


def test_a_password_proves_it_and_the_cookie_before_dies(console: Console, alice: Browser) -> None:
    console.clock.advance(LATE)
    stolen = alice.session_cookie
    done = alice.submit("/account/prove", {"password": PASSWORD}, page="/account/prove?next=/account/factors")
    assert (done.status_code, done.headers["location"]) == (303, "/account/factors")
    assert alice.get("/account/factors").status_code == 200
    thief = console.browser("198.51.100.99")
    thief.client.cookies.set("wk_session", stolen or "")
    assert not thief.is_signed_in()


def test_a_wrong_password_proves_nothing_and_is_counted(console: Console, alice: Browser) -> None:
    console.clock.advance(LATE)
    answers = [alice.submit("/account/prove", {"password": "wrong but long enough"}).status_code for _ in range(12)]
    assert answers[0] == 422
    assert answers[-1] == 429
    assert alice.get("/account/factors").status_code == 303


def test_a_code_proves_it(console: Console, alice: Browser) -> None:
    secret = set_up_app(console, alice)
    console.clock.advance(LATE)
    assert alice.submit("/account/prove", {"code": "000000"}).status_code == 403
    assert alice.submit("/account/prove", {"code": code_of(console, secret)}).status_code == 303
    assert alice.get("/account/factors").status_code == 200


def test_it_never_leads_elsewhere(console: Console, alice: Browser) -> None:
    form = {"password": PASSWORD, "next": "//evil.example/"}
    answer = alice.submit("/account/prove", form)
    assert answer.headers["location"] == "/account"


def test_an_email_is_changed_once_and_told_without_itself(console: Console, alice: Browser) -> None:
    done = alice.submit("/account/email", {"email": "Alice@Example.net"}, page="/account")
    assert done.status_code == 303
    assert console.browser("198.51.100.9").sign_in("alice@example.net").status_code == 303
    assert "example.net" not in repr(console.facts()).lower()
    wrong = alice.submit("/account/email", {"email": "no address"}, page="/account")
    assert wrong.status_code == 422
