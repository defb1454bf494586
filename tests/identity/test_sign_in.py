"""Signing in and out with a password, and those who try without one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from tests.identity.support import ALICE, PASSWORD, Browser, Console
from watchkeeper.modules.identity import store
from watchkeeper.modules.identity.model import digest
from watchkeeper.modules.identity.tables import people


def test_the_right_password_opens_the_console(console: Console, alice: Browser) -> None:
    browser = console.browser()
    answer = browser.sign_in()
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert browser.is_signed_in()


def test_the_email_may_be_typed_in_any_case(console: Console, alice: Browser) -> None:
    assert console.browser().sign_in("  ALICE@example.ORG ").status_code == 303


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(console: Console, alice: Browser) -> None:
    cookie = console.browser().sign_in().headers["set-cookie"]
    assert cookie.startswith("wk_session=wks_")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie


def test_over_https_the_cookie_is_bound_to_the_host(database, clock) -> None:  # type: ignore[no-untyped-def]
    with Console.open(database, clock, base_url="https://console") as console:
        browser = console.browser(https=True)
        cookie = browser.submit(f"/setup/{console.setup_secret()}", ALICE).headers["set-cookie"]
        assert cookie.startswith("__Host-wk_session=wks_")
        assert "; Secure" in cookie
        assert browser.is_signed_in()


def test_the_secret_of_a_session_is_not_in_the_database(console: Console, alice: Browser) -> None:
    secret = alice.session_cookie
    assert secret is not None
    assert console.look(store.session_by_digest, digest(secret)) is not None
    assert console.look(store.session_by_digest, secret) is None


def test_after_sign_in_the_page_that_was_asked_for_comes(console: Console, alice: Browser) -> None:
    assert console.browser().sign_in(next_path="/account").headers["location"] == "/account"


@pytest.mark.parametrize("evil", ["//evil.example", "/%5Cevil.example", "https:evil.example", "https://evil.example"])
def test_sign_in_never_leads_to_another_site(console: Console, alice: Browser, evil: str) -> None:
    assert console.browser().sign_in(next_path=evil).headers["location"] == "/"
    assert alice.get(f"/login?next={evil}").headers["location"] == "/"


def test_a_tampered_hidden_field_leads_nowhere_either(console: Console, alice: Browser) -> None:
    form = {"email": ALICE["email"], "password": PASSWORD, "next": "//evil.example"}
    assert console.browser().submit("/login", form).headers["location"] == "/"


def test_a_wrong_password_is_refused_beside_the_field(console: Console, alice: Browser) -> None:
    answer = console.browser().sign_in(password="plum tractor winter eight")
    assert answer.status_code == 403
    assert "The e-mail or the password is not right." in answer.text
    assert 'value="alice@example.org"' in answer.text
    assert "plum tractor" not in answer.text
    assert "set-cookie" not in answer.headers


def test_an_unknown_email_gets_the_very_same_answer(console: Console, alice: Browser) -> None:
    browser = console.browser()
    known = browser.sign_in("alice@example.org", "wrong but long enough")
    unknown = browser.sign_in("zelda@example.org", "wrong but long enough")
    assert known.status_code == unknown.status_code
    assert known.text.replace("alice", "zelda") == unknown.text


def test_an_unknown_email_takes_the_same_path_through_the_hash(console: Console, alice: Browser, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    from watchkeeper.modules.identity import hashing

    looked_at = []
    verify = hashing._verify
    monkeypatch.setattr(hashing, "_verify", lambda *args: looked_at.append(args[1]) or verify(*args))
    console.browser().sign_in("zelda@example.org", "wrong but long enough")
    console.browser().sign_in("alice@example.org", "wrong but long enough")
    assert len(looked_at) == 2
    assert all(stored.startswith("$argon2id$") for stored in looked_at)


@pytest.mark.parametrize(
    "email", ["", "alice", "' OR 1=1 --", "a@b\x01.example", "a" * 5000, "<script>alert(1)</script>@x"]
)
def test_a_hostile_email_is_just_a_wrong_one(console: Console, alice: Browser, email: str) -> None:
    answer = console.browser().sign_in(email, "wrong but long enough")
    assert answer.status_code == 403
    assert "<script>alert" not in answer.text


def test_a_nul_is_refused_before_it_reaches_a_database(console: Console, alice: Browser) -> None:
    facts = len(console.facts())
    assert console.browser().sign_in("a@b\x00.example", "wrong but long enough").status_code == 422
    assert console.browser().get("/setup/%00").status_code == 400
    assert len(console.facts()) == facts


def test_spaces_around_a_password_belong_to_it(console: Console, alice: Browser) -> None:
    assert console.browser().sign_in(password=f" {PASSWORD}").status_code == 403


# --- session fixation, and other old sessions ---


def test_a_planted_cookie_is_worth_nothing_after_sign_in(console: Console, alice: Browser) -> None:
    browser = console.browser()
    browser.client.cookies.set("wk_session", "wks_planted-by-mallory")
    browser.sign_in()
    mallory = console.browser()
    mallory.client.cookies.set("wk_session", "wks_planted-by-mallory")
    assert not mallory.is_signed_in()


def test_signing_in_again_gives_a_new_session_and_ends_the_old_one(console: Console, alice: Browser) -> None:
    before = alice.session_cookie
    page = alice.get("/account").text
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    answer = alice.client.post("/login", data={"email": ALICE["email"], "password": PASSWORD, "csrf_token": token})
    assert answer.status_code == 303
    assert alice.session_cookie != before
    thief = console.browser()
    thief.client.cookies.set("wk_session", str(before))
    assert not thief.is_signed_in()


def test_every_sign_in_has_a_secret_of_its_own(console: Console, alice: Browser) -> None:
    secrets = set()
    for _ in range(3):
        browser = console.browser()
        browser.sign_in()
        secrets.add(browser.session_cookie)
    assert len(secrets) == 3


def test_signing_out_ends_the_session_and_not_just_the_cookie(console: Console, alice: Browser) -> None:
    kept = alice.session_cookie
    answer = alice.submit("/logout", {}, page="/account")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert alice.session_cookie is None
    thief = console.browser()
    thief.client.cookies.set("wk_session", str(kept))
    assert not thief.is_signed_in()


def test_an_unused_session_ends_by_itself(console: Console, alice: Browser) -> None:
    console.clock.advance(timedelta(hours=12))
    answer = alice.get("/account")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Faccount")


def test_a_used_session_ends_after_two_weeks_all_the_same(console: Console, alice: Browser) -> None:
    for _ in range(14 * 4 - 1):
        console.clock.advance(timedelta(hours=6))
        assert alice.is_signed_in()
        console.settle(alice.client)
    console.clock.advance(timedelta(hours=6))
    assert not alice.is_signed_in()


def test_last_seen_is_written_at_most_once_a_minute(console: Console, alice: Browser) -> None:
    def seen():  # type: ignore[no-untyped-def]
        return console.look(store.session_by_digest, digest(str(alice.session_cookie)))[0].seen_at

    start = console.clock.now()
    console.clock.advance(timedelta(seconds=59))
    assert alice.is_signed_in()
    console.settle(alice.client)
    assert seen() == start
    console.clock.advance(timedelta(seconds=1))
    assert alice.is_signed_in()
    console.settle(alice.client)
    assert seen() == start + timedelta(minutes=1)


def test_sessions_are_shared_by_all_replicas(console: Console, alice: Browser) -> None:
    elsewhere = console.another().browser()
    elsewhere.client.cookies.set("wk_session", str(alice.session_cookie))
    assert elsewhere.is_signed_in()


@pytest.mark.parametrize("cookie", ["", "wks_", "wks_" + "a" * 43, "x" * 5000, "wkt_" + "a" * 43, "%00", "../.."])
def test_a_made_up_cookie_is_nobody(console: Console, alice: Browser, cookie: str) -> None:
    browser = console.browser()
    browser.client.cookies.set("wk_session", cookie)
    assert browser.get("/account").headers["location"].startswith("/login")
    assert browser.get("/login").status_code == 200


# --- forged requests ---


def test_a_form_without_its_token_is_refused(console: Console, alice: Browser) -> None:
    assert alice.client.post("/logout").status_code == 403
    assert console.browser().client.post("/login", data=ALICE).status_code == 403
    assert alice.is_signed_in()


def test_the_token_of_another_session_does_not_fit(console: Console, alice: Browser) -> None:
    other = console.browser()
    other.sign_in()
    token = other.get("/account").text.split('name="csrf_token" value="')[1].split('"')[0]
    assert alice.client.post("/logout", data={"csrf_token": token}).status_code == 403


def test_another_site_can_not_send_our_forms(console: Console, alice: Browser) -> None:
    token = alice.get("/account").text.split('name="csrf_token" value="')[1].split('"')[0]
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        assert alice.client.post("/logout", data={"csrf_token": token}, headers=headers).status_code == 403


# --- the journal ---


def test_signing_in_and_out_are_facts_without_names_or_addresses(console: Console, alice: Browser) -> None:
    alice.submit("/logout", {}, page="/account")
    console.browser("203.0.113.99").sign_in(password="wrong but long enough")
    facts = console.facts()
    assert [fact.kind for fact in facts] == [
        "identity.setup_link_made",
        "identity.person_created",
        "identity.signed_in",
        "identity.signed_out",
        "identity.sign_in_refused",
    ]
    text = " ".join(repr(fact) for fact in facts)
    for private in ("Alice", "alice", "example.org", "203.0.113", "Firefox", "wks_", "wku_", "plum"):
        assert private not in text
    assert facts[-1].data == {"person": facts[1].subject_id, "reason": "wrong_password"}


def test_a_refused_unknown_email_is_a_fact_about_nobody(console: Console, alice: Browser) -> None:
    console.browser().sign_in("zelda@example.org", "wrong but long enough")
    fact = console.facts("identity.sign_in_refused")[0]
    assert (fact.actor, fact.subject_id, fact.data["person"]) == ("anonymous", None, None)


# --- hashes grow ---


def test_a_hash_of_an_older_cost_is_replaced_at_the_next_sign_in(console: Console, alice: Browser) -> None:
    from argon2 import PasswordHasher

    older = PasswordHasher(1, 16, 1).hash(PASSWORD)
    console.change(lambda session: session.execute(update(people).values(password_hash=older)))
    assert console.browser().sign_in().status_code == 303
    person = console.look(store.person_by_email, ALICE["email"])
    assert person.password_hash != older
    assert "m=8,t=1,p=1" in person.password_hash
    assert console.browser().sign_in().status_code == 303
