"""A passkey in a real browser, by its own virtual authenticator: added, used instead of a password, and asked again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import PASSWORD, keep_picture, set_up, setup_link
from tests.support.running import RunningServer, running_server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("passkey") / "data"


@pytest.fixture(scope="module")
def here(data: Path) -> Iterator[RunningServer]:
    with running_server(data) as server:
        yield server


def _with_authenticator(browser: Browser) -> Page:
    """A page of a browser whose device verifies its owner by itself."""
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return page


def test_a_passkey_is_added_and_signs_in_without_a_password(here: RunningServer, data: Path, chromium: Browser) -> None:
    page = _with_authenticator(chromium)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    # Browsers bind passkeys to names, not to addresses.
    url = here.url.replace("127.0.0.1", "localhost")
    set_up(page, setup_link(data).replace("127.0.0.1", "localhost"))
    page.goto(f"{url}/account/factors")
    page.fill("#passkey-name", "My phone")
    page.get_by_role("button", name="Add a passkey").click()
    page.wait_for_url("**/account/factors?done=passkey")
    assert page.is_visible("text=My phone")
    keep_picture(page, "factors-phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390

    page.goto(f"{url}/account")
    page.locator(".wk-actions").get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login**")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url(f"{url}/")
    page.goto(f"{url}/account")
    assert page.is_visible("text=by passkey")

    page.locator(".wk-actions").get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login**")
    page.get_by_label("E-mail").fill("alice@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/login/second**")
    keep_picture(page, "second-step-phone")
    page.get_by_role("button", name="Use a passkey instead").click()
    page.wait_for_url(f"{url}/")
    assert errors == []
    page.context.close()
