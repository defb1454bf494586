"""From an empty data directory to a signed-in administrator, and out again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.browser.conftest import PASSWORD, Open, keep_picture, set_up, setup_link
from tests.support.running import RunningServer, running_server


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("first") / "data"


@pytest.fixture(scope="module")
def empty(data: Path) -> Iterator[RunningServer]:
    with running_server(data) as server:
        yield server


def test_the_first_person_sets_a_password_signs_out_and_in_again(
    empty: RunningServer, data: Path, open_page: Open
) -> None:
    link = setup_link(data)
    page = open_page(empty.url)
    page.wait_for_url("**/login**")
    assert page.is_visible("text=Open the set-up link")

    page.goto(link)
    keep_picture(page, "setup-desktop")
    set_up(page, link)
    assert page.inner_text("h1") == "Welcome to Watchkeeper"
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in page.inner_text("main")
    keep_picture(page, "home-empty-desktop")

    page.goto(f"{empty.url}/account")
    assert page.is_visible("text=alice@example.com")
    page.locator(".wk-actions").get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login**")
    page.goto(f"{empty.url}/traces")
    page.wait_for_url("**/login?next=**")

    page.get_by_label("E-mail").fill("alice@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(re.compile(r"/traces$"))
    keep_picture(page, "traces-empty-desktop")


def test_the_set_up_link_works_once(empty: RunningServer, data: Path) -> None:
    assert httpx.get(setup_link(data), trust_env=False).status_code in (404, 409, 410)


def test_a_wrong_password_is_refused_in_words(empty: RunningServer, open_page: Open) -> None:
    open_page.expected_errors.append("403")  # type: ignore[attr-defined]
    page = open_page(f"{empty.url}/login", "phone")
    keep_picture(page, "login-phone")
    page.get_by_label("E-mail").fill("alice@example.com")
    page.get_by_label("Password").fill("not the password at all")
    page.get_by_role("button", name="Sign in", exact=True).click()
    assert page.locator(".invalid-feedback").inner_text()
    assert page.locator("[aria-invalid=true], .is-invalid").count() >= 1
    assert page.get_by_label("Password").input_value() == ""
