"""An unattended browser can't change what protects the account: that asks once more who is there."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.identity.factors import code_of, set_up_app
from tests.identity.support import ALICE, PASSWORD, Browser, Console, hidden_fields
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.modules.identity import public, store
from watchkeeper.modules.identity.external import ExternalAccounts
from watchkeeper.modules.identity.model import Peer
from watchkeeper.modules.identity.oidc_model import ExternalAccount
from watchkeeper.modules.identity.settings import IdentitySettings

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
    wrong = alice.submit("/account/prove", {"code": "000000"})
    assert wrong.status_code == 403
    assert wrong.text.index("does not fit") > wrong.text.index("Or a code")
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


def test_how_long_a_proof_lasts_is_a_setting(database: Database, clock: ManualClock) -> None:
    with Console.open(database, clock, settings=IdentitySettings(proof_minutes=2)) as console:
        alice = console.set_up()
        clock.advance(timedelta(seconds=119))
        assert alice.get("/account/factors").status_code == 200
        clock.advance(timedelta(seconds=1))
        assert alice.get("/account/factors").status_code == 303


def test_a_token_is_not_made_in_an_unattended_browser(console: Console, alice: Browser) -> None:
    page = alice.get("/settings/tokens").text
    console.clock.advance(LATE)
    form = {**hidden_fields(page), "name": "mine", "scope": "admin", "expires": "90"}
    answer = alice.client.post("/settings/tokens", data=form, headers={"Referer": "http://console/settings/tokens"})
    assert answer.headers["location"] == "/account/prove?next=%2Fsettings%2Ftokens"
    assert console.facts("identity.token_created") == []


def test_programs_are_not_asked_again(console: Console, alice: Browser) -> None:
    _, secret = console.token("admin")
    console.clock.advance(timedelta(days=1))
    order = {"name": "another", "scopes": ["read"]}
    assert console.program(secret).post("/api/v1/tokens", json=order).status_code == 201


def test_proof_is_on_record(console: Console, alice: Browser) -> None:
    console.clock.advance(LATE)
    alice.submit("/account/prove", {"password": PASSWORD})
    [fact] = console.facts("identity.proved_again")
    assert fact.data["method"] == "password"


def test_nobody_takes_a_colleagues_address_before_the_provider_vouches_for_it(
    database: Database, clock: ManualClock
) -> None:
    """The colleague's first sign-in with the provider would be linked to whoever has the address here."""
    provider = IdentitySettings(oidc_issuer="https://id.example", oidc_client_id="watchkeeper")
    with Console.open(database, clock, settings=provider) as console:
        alice = console.set_up()
        wait = alice.submit("/account/email", {"email": "ceo@example.org"}, page="/account")
        assert wait.status_code == 422
        assert "Sign in with your provider once" in wait.text
        [person] = console.look(public.people)
        account = ExternalAccount(issuer="https://id.example", subject="a-1", email=ALICE["email"])
        peer = Peer("198.51.100.8", "")
        console.change(lambda db: ExternalAccounts(db, clock, provider).admit(account, peer))
        done = alice.submit("/account/email", {"email": "alice@example.net"}, page="/account")
        assert done.status_code == 303
        assert console.look(store.person, person.id).email_verified_at is None
