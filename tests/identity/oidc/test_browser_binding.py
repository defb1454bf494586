"""An answer of the provider is good for one sign-in, in the browser that began it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.identity.oidc.support import begin, come_back, opened, require_refused, sign_in
from tests.identity.support import Console
from tests.support.oidc_provider import RunningProvider, query_of
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.modules.identity.settings import IdentitySettings

# --- answers that are not this browser's, or not of this sign-in ------------------------------------------------------


def test_an_answer_is_good_for_one_sign_in(console: Console, provider: RunningProvider) -> None:
    browser = console.browser()
    back = provider.sign_in(begin(browser))
    kept = browser.client.cookies.get("wk_oidc")
    assert come_back(browser, back).status_code == 303
    stranger = console.browser()
    stranger.client.cookies.set("wk_oidc", kept)
    assert come_back(stranger, back).status_code == 403
    assert not stranger.is_signed_in()


def test_an_answer_in_another_browser_signs_nobody_in(console: Console, provider: RunningProvider) -> None:
    mallory, victim = console.browser(), console.browser()
    back = provider.sign_in(begin(mallory), "alice")
    begin(victim)
    require_refused(console, victim, come_back(victim, back), 403, "another browser")
    # And it is used up.
    require_refused(console, mallory, come_back(mallory, back), 403, "Begin again")


def test_an_answer_without_the_browsers_cookie_signs_nobody_in(console: Console, provider: RunningProvider) -> None:
    browser = console.browser()
    back = provider.sign_in(begin(browser))
    browser.client.cookies.clear()
    require_refused(console, browser, come_back(browser, back), 403, "Begin again")


@pytest.mark.parametrize("state", ["", "made-up", "wkx_" + "a" * 43, "a" * 5000, "é"])
def test_a_made_up_state_is_refused(console: Console, provider: RunningProvider, state: str) -> None:
    browser = console.browser()
    begin(browser)
    answer = browser.get("/login/oidc/callback?" + urlencode({"state": state, "code": "x"}))
    require_refused(console, browser, answer, 403, "Begin again")


def test_a_sign_in_that_takes_too_long_is_over(console: Console, provider: RunningProvider, clock: ManualClock) -> None:
    browser = console.browser()
    back = provider.sign_in(begin(browser))
    clock.advance(timedelta(minutes=11))
    require_refused(console, browser, come_back(browser, back), 403, "took too long")


def test_a_code_of_another_sign_in_is_refused_by_its_proof_key(console: Console, provider: RunningProvider) -> None:
    alice, mallory = console.browser(), console.browser()
    stolen = query_of(provider.sign_in(begin(alice)))["code"]
    begun = query_of(begin(mallory))
    query = {"state": begun["state"], "code": stolen, "iss": provider.issuer}
    answer = mallory.get("/login/oidc/callback?" + urlencode(query))
    require_refused(console, mallory, answer, 403, "invalid_grant")


def test_an_answer_that_names_another_issuer_is_refused(console: Console, provider: RunningProvider) -> None:
    browser = console.browser()
    back = provider.sign_in(begin(browser))
    query = query_of(back) | {"iss": "https://other.example"}
    answer = browser.get("/login/oidc/callback?" + urlencode(query))
    require_refused(console, browser, answer, 403, "another provider")
    assert provider.seen("/token") == 0


def test_an_answer_that_names_no_issuer_is_refused_where_the_provider_always_names_itself(
    console: Console, provider: RunningProvider
) -> None:
    browser = console.browser()
    query = query_of(provider.sign_in(begin(browser)))
    del query["iss"]
    answer = browser.get("/login/oidc/callback?" + urlencode(query))
    require_refused(console, browser, answer, 403, "another provider")


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/login/oidc"]
)
def test_a_sign_in_never_leads_elsewhere(console: Console, provider: RunningProvider, wanted: str) -> None:
    assert sign_in(console.browser(), provider, next_path=wanted).headers["location"] == "/"


# --- the console's own side -------------------------------------------------------------------------------------------


def test_without_a_provider_there_is_no_button_and_no_way(database: Database, clock: ManualClock) -> None:
    with opened(database, clock) as console:
        browser = console.browser()
        assert "/login/oidc" not in browser.get("/login").text
        assert browser.get("/login/oidc").status_code == 404
        assert browser.get("/login/oidc/callback?state=x&code=y").status_code == 404


def test_the_button_leads_to_where_the_person_wanted(console: Console) -> None:
    page = console.browser().get("/login?next=/traces%3Fq%3D1").text
    assert "Sign in with Example ID" in page
    assert 'href="/login/oidc?next=%2Ftraces%3Fq%3D1"' in page or 'href="/login/oidc?next=/traces%3Fq%3D1"' in page


def test_the_browser_is_sent_with_a_proof_key_and_a_cookie_of_its_own(console: Console) -> None:
    answer = console.browser().get("/login/oidc")
    asked = query_of(answer.headers["location"])
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == "http://console/login/oidc/callback"
    assert len(asked["state"]) >= 43
    assert len(asked["nonce"]) >= 43
    cookie = next(line for line in answer.headers.get_list("set-cookie") if line.startswith("wk_oidc="))
    assert {"HttpOnly", "SameSite=lax", "Max-Age=600"} <= {part.strip() for part in cookie.split(";")}
    assert asked["state"] not in cookie


def test_over_https_the_cookie_is_bound_to_the_host(
    database: Database, clock: ManualClock, configured: dict[str, Any]
) -> None:
    with Console.open(database, clock, base_url="https://console", settings=IdentitySettings(**configured)) as console:
        answer = console.browser(https=True).get("/login/oidc")
        cookies = answer.headers.get_list("set-cookie")
        assert any(line.startswith("__Host-wk_oidc=") and "Secure" in line for line in cookies)
        assert query_of(answer.headers["location"])["redirect_uri"] == "https://console/login/oidc/callback"


def test_sign_ins_begun_without_end_are_paused_and_others_go_on(
    database: Database, clock: ManualClock, configured: dict[str, Any]
) -> None:
    with opened(database, clock, **configured, failures_per_address=3) as console:
        console.set_up()
        flood = console.browser("192.0.2.66")
        answers = [flood.get("/login/oidc").status_code for _ in range(5)]
        assert answers == [303, 303, 303, 429, 429]
        assert console.browser("203.0.113.9").get("/login/oidc").status_code == 303
        assert flood.sign_in().status_code == 303


def test_who_signs_in_does_not_use_up_the_sign_ins_of_their_network(
    database: Database, clock: ManualClock, provider: RunningProvider, configured: dict[str, Any]
) -> None:
    with opened(database, clock, **configured, failures_per_address=3) as console:
        console.set_up()
        for _ in range(5):
            assert sign_in(console.browser(), provider).status_code == 303
