"""A person signs in with an OpenID provider, in a real browser between two real servers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Open, keep_picture, set_up, setup_link
from tests.support import oidc_provider
from tests.support.oidc_provider import CLIENT, SECRET, RunningProvider, running_provider
from tests.support.running import RunningServer, running_server


@pytest.fixture(scope="module")
def provider() -> Iterator[RunningProvider]:
    with running_provider() as running:
        running.set(users={"alice": {**oidc_provider.USERS["alice"], "email": "alice@example.com"}})
        yield running


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("oidc") / "data"


@pytest.fixture(scope="module")
def console(provider: RunningProvider, data: Path) -> Iterator[RunningServer]:
    secret = data.parent / "client-secret"
    secret.write_text(SECRET, encoding="utf-8")
    settings = {
        "WATCHKEEPER_IDENTITY_OIDC_ISSUER": provider.issuer,
        "WATCHKEEPER_IDENTITY_OIDC_CLIENT_ID": CLIENT,
        "WATCHKEEPER_IDENTITY_OIDC_CLIENT_SECRET_FILE": str(secret),
        "WATCHKEEPER_IDENTITY_OIDC_NAME": "Example ID",
    }
    with running_server(data, settings) as server:
        yield server


def sign_in_there(page: Page, user: str, answer: str = "Allow") -> None:
    page.get_by_label("User").fill(user)
    page.get_by_label("Password").fill(oidc_provider.PASSWORD)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name=answer).click()


def test_alice_signs_in_with_her_provider_and_lands_where_she_was_going(
    console: RunningServer, data: Path, open_page: Open
) -> None:
    link = setup_link(data)
    set_up(open_page(link), link)
    page = open_page(f"{console.url}/account")
    page.wait_for_url("**/login?next=**")
    page.get_by_role("link", name="Sign in with Example ID").click()
    sign_in_there(page, "alice")
    page.wait_for_url(re.compile(r"/account$"))
    assert page.is_visible("text=alice@example.com")


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_the_button_stands_below_the_password(console: RunningServer, open_page: Open, size: str) -> None:
    page = open_page(f"{console.url}/login", size)
    button = page.get_by_role("link", name="Sign in with Example ID").bounding_box()
    password = page.get_by_label("Password").bounding_box()
    assert button is not None
    assert password is not None
    assert button["y"] > password["y"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    keep_picture(page, f"login-with-provider-{size}")


def test_who_says_no_there_can_try_again_or_use_the_password(console: RunningServer, open_page: Open) -> None:
    open_page.expected_errors.append("403")  # type: ignore[attr-defined]
    page = open_page(f"{console.url}/login/oidc", "phone")
    sign_in_there(page, "bob", "Deny")
    assert "said no" in page.locator(".wk-refusal-detail").inner_text()
    keep_picture(page, "provider-said-no-phone")
    page.get_by_role("link", name="Sign in another way").click()
    page.wait_for_url("**/login")


def test_a_stranger_is_told_whom_to_ask(console: RunningServer, open_page: Open) -> None:
    open_page.expected_errors.append("403")  # type: ignore[attr-defined]
    page = open_page(f"{console.url}/login/oidc")
    sign_in_there(page, "bob")
    assert "Ask an admin for an account" in page.locator(".wk-refusal-detail").inner_text()
    keep_picture(page, "provider-stranger-desktop")
