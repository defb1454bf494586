"""Signing in with an OpenID provider, over HTTP, with a real provider on the other side."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta
from typing import Any

import pytest

from tests.identity.oidc.support import begin, opened, require_refused, sign_in
from tests.identity.support import ALICE, Console
from tests.support.oidc_provider import SECRET, RunningProvider
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.modules.identity import store, store_external
from watchkeeper.modules.identity.external import ExternalAccounts, JustLinked
from watchkeeper.modules.identity.model import Peer
from watchkeeper.modules.identity.oidc_model import ExternalAccount

# --- people who are let in --------------------------------------------------------------------------------------------


def test_alice_signs_in_with_the_provider_and_goes_where_she_wanted(
    console: Console, provider: RunningProvider
) -> None:
    browser = console.browser()
    answer = sign_in(browser, provider, next_path="/account?tab=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/account?tab=1")
    assert ALICE["email"] in browser.get("/account").text


def test_the_first_time_links_the_account_and_later_ones_only_sign_in(
    console: Console, provider: RunningProvider
) -> None:
    for _ in range(2):
        assert sign_in(console.browser(), provider).status_code == 303
    kinds = [fact.kind for fact in console.facts()]
    assert kinds.count("identity.external_account_linked") == 1
    assert kinds.count("identity.person_created") == 1
    assert [fact.data["method"] for fact in console.facts("identity.signed_in")] == ["setup", "oidc", "oidc"]


def test_the_journal_knows_neither_the_account_elsewhere_nor_the_provider_in_clear(
    console: Console, provider: RunningProvider
) -> None:
    sign_in(console.browser(), provider)
    linked = console.facts("identity.external_account_linked")[0]
    assert set(linked.data) == {"person", "issuer"}
    everything = str([fact.data for fact in console.facts()])
    assert "a-1" not in everything
    assert "127.0.0.1" not in everything
    assert "example.org" not in everything


def test_a_person_stays_the_same_when_the_provider_changes_their_e_mail(
    console: Console, provider: RunningProvider, now: float
) -> None:
    sign_in(console.browser(), provider)
    provider.set(now=now, claims={"email": "married@example.org"})
    assert sign_in(console.browser(), provider).status_code == 303
    assert len(console.look(store.all_people)) == 1


def test_a_verified_e_mail_counts_as_verified_here(console: Console, provider: RunningProvider) -> None:
    sign_in(console.browser(), provider)
    assert console.look(store.person_by_email, ALICE["email"]).email_verified_at is not None


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_signatures_by_key_pairs_are_accepted(
    console: Console, provider: RunningProvider, now: float, algorithm: str
) -> None:
    provider.set(now=now, algorithm=algorithm)
    assert sign_in(console.browser(), provider).status_code == 303


def test_a_provider_that_tells_the_e_mail_only_when_asked_is_asked(
    console: Console, provider: RunningProvider, now: float
) -> None:
    provider.set(now=now, email_in_userinfo=True)
    assert sign_in(console.browser(), provider).status_code == 303
    assert provider.seen("/userinfo") == 1


def test_user_information_about_somebody_else_is_refused(
    console: Console, provider: RunningProvider, now: float
) -> None:
    theirs = '{"sub": "b-2", "email": "alice@example.org", "email_verified": true}'
    provider.set(now=now, email_in_userinfo=True, answers={"/userinfo": [200, theirs, {}]})
    browser = console.browser()
    require_refused(console, browser, sign_in(browser, provider), 403, "somebody else")


def test_a_secret_is_sent_in_the_body_where_the_provider_takes_it_nowhere_else(
    console: Console, provider: RunningProvider, now: float
) -> None:
    provider.set(now=now, document={"token_endpoint_auth_methods_supported": ["client_secret_post"]})
    assert sign_in(console.browser(), provider).status_code == 303


def test_a_public_client_needs_no_secret(
    database: Database, clock: ManualClock, provider: RunningProvider, configured: dict[str, Any], now: float
) -> None:
    provider.set(now=now, public_client=True)
    with opened(database, clock, **configured | {"oidc_client_secret_file": None}) as console:
        console.set_up()
        assert sign_in(console.browser(), provider).status_code == 303


def test_the_secret_may_stand_in_an_environment_variable(
    database: Database,
    clock: ManualClock,
    provider: RunningProvider,
    configured: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EXAMPLE_CLIENT_SECRET", SECRET)
    with opened(database, clock, **configured | {"oidc_client_secret_file": "env:EXAMPLE_CLIENT_SECRET"}) as console:
        console.set_up()
        assert sign_in(console.browser(), provider).status_code == 303


def test_a_session_made_elsewhere_replaces_the_one_that_the_browser_had(
    console: Console, provider: RunningProvider
) -> None:
    browser = console.browser()
    browser.sign_in()
    before = browser.session_cookie
    sign_in(browser, provider)
    assert browser.session_cookie != before
    assert [fact.data["reason"] for fact in console.facts("identity.session_revoked")] == ["replaced"]


def test_keys_that_the_provider_has_changed_are_fetched_once(console: Console, provider: RunningProvider) -> None:
    sign_in(console.browser(), provider)
    assert provider.seen("/jwks") == 1
    provider.rotate()
    assert sign_in(console.browser(), provider).status_code == 303
    assert provider.seen("/jwks") == 2


def test_the_discovery_document_is_fetched_once_an_hour(
    console: Console, provider: RunningProvider, clock: ManualClock
) -> None:
    path = "/.well-known/openid-configuration"
    for _ in range(3):
        begin(console.browser())
    assert provider.seen(path) == 1
    clock.advance(timedelta(minutes=61))
    begin(console.browser())
    assert provider.seen(path) == 2


# --- people who are new, and people who are not let in ----------------------------------------------------------------


def test_a_stranger_is_told_that_nobody_here_knows_them(console: Console, provider: RunningProvider) -> None:
    browser = console.browser()
    require_refused(console, browser, sign_in(browser, provider, "bob"), 403, "Ask an admin for an account")
    refused = console.facts("identity.sign_in_refused")
    assert [(fact.data["person"], fact.data["reason"]) for fact in refused] == [(None, "unknown_person")]
    assert len(console.look(store.all_people)) == 1


def test_somebody_new_of_an_allowed_domain_gets_an_account(welcoming: Console, provider: RunningProvider) -> None:
    browser = welcoming.browser()
    assert sign_in(browser, provider, "bob").status_code == 303
    assert "Bob Baker" in browser.get("/account").text
    bob = welcoming.look(store.person_by_email, "bob@example.org")
    assert (bob.role.value, bob.password_hash) == ("viewer", None)
    assert [fact.data["role"] for fact in welcoming.facts("identity.person_created")] == ["viewer"]


@pytest.mark.parametrize("email", ["bob@example.org.evil.test", "bob@evil-example.org", "bob@sub.example.org"])
def test_somebody_new_of_another_domain_gets_none(
    welcoming: Console, provider: RunningProvider, now: float, email: str
) -> None:
    provider.set(now=now, claims={"email": email})
    browser = welcoming.browser()
    require_refused(welcoming, browser, sign_in(browser, provider, "bob"), 403, "Ask an admin")


@pytest.mark.parametrize("verified", [False, None, "true", "false", 1])
def test_an_e_mail_that_the_provider_has_not_verified_is_nobodys(
    console: Console, provider: RunningProvider, now: float, verified: object
) -> None:
    provider.set(now=now, claims={"email_verified": verified})
    browser = console.browser()
    require_refused(console, browser, sign_in(browser, provider), 403, "verified")
    assert console.facts("identity.external_account_linked") == []


def test_mallory_is_not_alice_for_having_entered_her_e_mail(console: Console, provider: RunningProvider) -> None:
    sign_in(console.browser(), provider)
    browser = console.browser()
    answer = sign_in(browser, provider, "mallory")
    assert answer.status_code == 403
    assert not browser.is_signed_in()


def test_who_inherits_an_e_mail_at_the_provider_does_not_inherit_the_account(
    console: Console, provider: RunningProvider, now: float
) -> None:
    sign_in(console.browser(), provider)
    provider.set(now=now, claims={"sub": "a-2"})
    browser = console.browser()
    answer = sign_in(browser, provider)
    assert answer.status_code == 403
    assert "Another account of the provider" in answer.text
    assert not browser.is_signed_in()


def test_an_admin_unlinks_an_account_and_the_next_one_is_linked(
    console: Console, provider: RunningProvider, now: float
) -> None:
    sign_in(console.browser(), provider)
    alice = console.look(store.person_by_email, ALICE["email"])
    token = console.token("admin")[1]
    path = f"/api/v1/people/{alice.id}/external-accounts"
    assert console.program(console.token("write")[1]).delete(path).status_code == 403
    assert [console.program(token).delete(path).status_code for _ in range(2)] == [204, 204]
    assert len(console.facts("identity.external_account_unlinked")) == 1
    provider.set(now=now, claims={"sub": "a-2"})
    assert sign_in(console.browser(), provider).status_code == 303


@pytest.mark.parametrize("person", ["per_" + "0" * 26, "nobody", "tok_" + "0" * 26])
def test_nobodys_accounts_can_not_be_unlinked(console: Console, person: str) -> None:
    token = console.token("admin")[1]
    assert console.program(token).delete(f"/api/v1/people/{person}/external-accounts").status_code == 404


def test_groups_give_the_highest_role_that_they_are_mapped_to(
    database: Database, clock: ManualClock, provider: RunningProvider, configured: dict[str, Any], now: float
) -> None:
    mapped = {
        "oidc_allowed_domains": "example.org",
        "oidc_role_claim": "groups",
        "oidc_roles": "on-call=responder, shop operators=operator",
    }
    provider.set(now=now, claims={"groups": ["on-call", "shop operators", "choir"]})
    with opened(database, clock, **configured, **mapped) as console:
        assert sign_in(console.browser(), provider, "bob").status_code == 303
        assert console.look(store.person_by_email, "bob@example.org").role.value == "operator"
        provider.set(now=now, claims={"groups": "choir"})
        assert sign_in(console.browser(), provider).status_code == 403


def disable(session: Any, email: str, clock: ManualClock) -> None:
    from sqlalchemy import update

    from watchkeeper.modules.identity.tables import people

    session.execute(update(people).where(people.c.email == email).values(disabled_at=clock.now()))


@pytest.mark.parametrize("linked", [True, False])
def test_who_is_disabled_here_is_not_let_in(
    console: Console, provider: RunningProvider, clock: ManualClock, linked: bool
) -> None:
    if linked:
        sign_in(console.browser(), provider)
    console.change(disable, ALICE["email"], clock)
    browser = console.browser()
    answer = sign_in(browser, provider)
    assert answer.status_code == 403
    assert "disabled" in answer.text
    assert not browser.is_signed_in()
    assert console.facts("identity.sign_in_refused")[-1].data["reason"] == "disabled"
    assert len(console.facts("identity.external_account_linked")) == linked


def test_two_first_times_at_once_make_one_person(welcoming: Console, clock: ManualClock) -> None:
    account = ExternalAccount(issuer="https://id.example", subject="b-2", email="bob@example.org", name="Bob")
    peer = Peer("203.0.113.7", "Firefox on Linux")

    def admit(session: Any) -> str:
        return ExternalAccounts(session, clock, welcoming.settings).admit(account, peer).person.id

    with ThreadPoolExecutor(1) as other:
        with welcoming.database.begin() as session:
            first = admit(session)
            later = other.submit(welcoming.change, admit)
            wait([later], timeout=0.3)  # it meets the row that is not there yet for others
        try:
            second = later.result(10)
        except JustLinked:
            second = welcoming.change(admit)
    assert first == second
    assert len(welcoming.look(store.all_people)) == 1
    assert list(welcoming.look(store_external.issuers_of, first)) == ["https://id.example"]
