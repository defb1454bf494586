"""Providers that are down, lie about themselves, or say no."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.identity.oidc.support import begin, come_back, opened, require_refused, sign_in
from tests.identity.support import PASSWORD, Console
from tests.support.oidc_provider import CLIENT, RunningProvider
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database

# What is refused before anything is kept is refused on any engine.
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


DISCOVERY = "/.well-known/openid-configuration"


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"issuer": "https://other.example"}, "another issuer"),
        ({"token_endpoint": "http://evil.example/token"}, "no usable token_endpoint"),
        ({"jwks_uri": "file:///etc/passwd"}, "no usable jwks_uri"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "no usable authorization_endpoint"),
        ({"code_challenge_methods_supported": ["plain"]}, "PKCE"),
    ],
)
def test_a_discovery_document_that_can_not_be_trusted_is_refused(
    console: Console, provider: RunningProvider, now: float, document: dict[str, Any], words: str
) -> None:
    provider.set(now=now, document=document)
    answer = console.browser().get("/login/oidc")
    assert answer.status_code == 403
    assert words in answer.text


def test_a_provider_that_is_down_keeps_nobody_from_their_password(console: Console, provider: RunningProvider) -> None:
    provider.set(answers={DISCOVERY: [503, "", {}]})
    browser = console.browser()
    answer = browser.get("/login/oidc")
    assert answer.status_code == 503
    assert 'href="/login"' in answer.text
    assert "Sign in with Example ID" in browser.get("/login").text
    assert browser.sign_in(password=PASSWORD).status_code == 303


def test_a_provider_that_does_not_answer_is_not_asked_again_at_once(
    console: Console, provider: RunningProvider, clock: ManualClock, now: float
) -> None:
    provider.set(now=now, answers={DISCOVERY: [500, "", {}]})
    for _ in range(3):
        assert console.browser().get("/login/oidc").status_code == 503
    assert provider.seen(DISCOVERY) == 1
    provider.set(now=now)
    clock.advance(timedelta(seconds=6))
    begin(console.browser())


def test_nobody_at_the_providers_address_is_a_clear_refusal(database: Database, clock: ManualClock) -> None:
    with opened(database, clock, oidc_issuer="http://127.0.0.1:9", oidc_client_id=CLIENT) as console:
        answer = console.browser().get("/login/oidc")
        assert answer.status_code == 503
        # autoescape writes the apostrophe in another way
        assert "be reached" in answer.text


def test_a_secret_that_can_not_be_read_is_a_clear_refusal(
    console: Console, provider: RunningProvider, secret_file: Path
) -> None:
    browser = console.browser()
    back = provider.sign_in(begin(browser))
    secret_file.unlink()
    answer = come_back(browser, back)
    require_refused(console, browser, answer, 503, "its secret")
    assert str(secret_file) not in answer.text


def test_a_wrong_secret_is_a_clear_refusal(console: Console, provider: RunningProvider, secret_file: Path) -> None:
    secret_file.write_text("another", encoding="utf-8")
    browser = console.browser()
    require_refused(console, browser, sign_in(browser, provider), 403, "invalid_client")


def test_who_says_no_at_the_provider_is_not_signed_in(console: Console, provider: RunningProvider) -> None:
    browser = console.browser()
    answer = come_back(browser, provider.sign_in(begin(browser), answer="no"))
    require_refused(console, browser, answer, 403, "said no")
    assert "secret" not in answer.text


@pytest.mark.parametrize(("error", "shown"), [("server_error", True), ("<img src=x>", False), ("a" * 500, False)])
def test_an_error_of_the_provider_is_shown_only_as_a_plain_code(
    console: Console, provider: RunningProvider, now: float, error: str, shown: bool
) -> None:
    provider.set(now=now, authorize_error=error)
    browser = console.browser()
    answer = come_back(browser, provider.http.get(begin(browser)).headers["location"])
    require_refused(console, browser, answer, 403, "ended the sign-in")
    assert (error in answer.text) is shown
    assert "secret" not in answer.text
