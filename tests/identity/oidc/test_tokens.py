"""ID tokens that are not what they should be, each from a provider that really sends it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.identity.oidc.support import require_refused, sign_in
from tests.identity.support import Console
from tests.support.oidc_provider import CLIENT, RunningProvider

# What is refused before anything is kept is refused on any engine.
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


LIES: dict[str, tuple[dict[str, Any], str]] = {
    "another sign-in's nonce": ({"claims": {"nonce": "wkn_other"}}, "another sign-in"),
    "no nonce": ({"claims": {"nonce": None}}, "another sign-in"),
    "another audience": ({"claims": {"aud": "other"}}, "another client"),
    "no audience": ({"claims": {"aud": None}}, "another client"),
    "two audiences and no party": ({"claims": {"aud": [CLIENT, "other"]}}, "another client"),
    "another party": ({"claims": {"azp": "other"}}, "another client"),
    "another issuer": ({"claims": {"iss": "https://other.example"}}, "another issuer"),
    "the issuer with a slash": ({"claims": {"iss": "{issuer}/"}}, "another issuer"),
    "nobody": ({"claims": {"sub": ""}}, "names nobody"),
    "a number for somebody": ({"claims": {"sub": 7}}, "names nobody"),
    "no end": ({"claims": {"exp": None}}, "when it is valid"),
    "an end that is a text": ({"claims": {"exp": "tomorrow"}}, "when it is valid"),
    "an end that is true": ({"claims": {"exp": True}}, "when it is valid"),
    "no signature": ({"algorithm": "none"}, "signed in a way"),
    "HMAC with the public key": ({"algorithm": "HS256 by public key"}, "signed in a way"),
    "HMAC with the client's secret": ({"algorithm": "HS256 by client secret"}, "signed in a way"),
    "a broken signature": ({"broken_signature": True}, "no key of the provider"),
    "an unknown key": ({"kid": "unheard-of"}, "no key of the provider"),
    "no token": ({"answers": {"/token": [200, "{}", {}]}}, "no ID token"),
    "something else for a token": ({"answers": {"/token": [200, '{"id_token": "a.b.c"}', {}]}}, "be read"),
    "no JSON": ({"answers": {"/token": [200, "hello", {}]}}, "no JSON object"),
    "an answer without end": ({"answers": {"/token": [200, "[" * 300_000, {}]}}, "larger than"),
    "a redirect": ({"answers": {"/token": [307, "", {"Location": "/elsewhere"}]}}, "redirects"),
    "an error with a script": ({"answers": {"/token": [400, '{"error": "<script>"}', {}]}}, "did not take the code"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_token_that_does_not_fit_signs_nobody_in(
    console: Console, provider: RunningProvider, now: float, lie: str
) -> None:
    knobs, words = LIES[lie]
    claims = {
        name: value.replace("{issuer}", provider.issuer) if isinstance(value, str) else value
        for name, value in knobs.get("claims", {}).items()
    }
    provider.set(**{"now": now} | knobs | {"claims": claims})
    browser = console.browser()
    answer = sign_in(browser, provider)
    require_refused(console, browser, answer, 403, words)
    assert "<script>" not in answer.text


@pytest.mark.parametrize(
    ("minutes", "claims", "words"),
    [
        (-7, {}, "expired"),
        (-12, {"exp": 4_000_000_000}, "too old"),
        (+2, {}, "of the future"),
        (0, {"nbf": 4_000_000_000}, "of the future"),
    ],
)
def test_a_token_of_another_time_signs_nobody_in(
    console: Console, provider: RunningProvider, now: float, minutes: int, claims: dict[str, Any], words: str
) -> None:
    provider.set(now=now + minutes * 60, claims=claims)
    browser = console.browser()
    require_refused(console, browser, sign_in(browser, provider), 403, words)


def test_clocks_that_differ_by_half_a_minute_do_no_harm(
    console: Console, provider: RunningProvider, now: float
) -> None:
    provider.set(now=now + 30)
    assert sign_in(console.browser(), provider).status_code == 303


def test_a_token_for_several_audiences_is_accepted_when_it_was_made_for_this_client(
    console: Console, provider: RunningProvider, now: float
) -> None:
    provider.set(now=now, claims={"aud": [CLIENT, "other"], "azp": CLIENT})
    assert sign_in(console.browser(), provider).status_code == 303


def test_a_token_that_names_no_key_is_tried_with_all(console: Console, provider: RunningProvider, now: float) -> None:
    provider.set(now=now, kid=None)
    assert sign_in(console.browser(), provider).status_code == 303
