"""What tests of OpenID sign-in do over and over: begin, sign in at the provider, come back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

from tests.identity.support import Browser, Console
from tests.support.oidc_provider import RunningProvider
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.modules.identity.settings import IdentitySettings


@contextmanager
def opened(database: Database, clock: ManualClock, **settings: Any) -> Iterator[Console]:
    with Console.open(database, clock, settings=IdentitySettings(**settings)) as console:
        yield console


def begin(browser: Browser, next_path: str = "") -> str:
    """Where the console sends the browser."""
    answer = browser.get("/login/oidc?" + urlencode({"next": next_path}))
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def come_back(browser: Browser, url: str) -> httpx.Response:
    """The browser follows the provider's redirect to the console."""
    parsed = urlsplit(url)
    return browser.get(f"{parsed.path}?{parsed.query}")


def sign_in(browser: Browser, provider: RunningProvider, user: str = "alice", next_path: str = "") -> httpx.Response:
    return come_back(browser, provider.sign_in(begin(browser, next_path), user))


def require_refused(console: Console, browser: Browser, answer: httpx.Response, status: int, words: str) -> None:
    assert answer.status_code == status, answer.text
    assert words in answer.text
    assert browser.session_cookie is None
    assert not browser.is_signed_in()
    assert [fact for fact in console.facts("identity.signed_in") if fact.data["method"] == "oidc"] == []
