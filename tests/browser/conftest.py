"""A real server with telemetry in it, and a real browser in front of it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.emergencies import befall
from tests.browser.objectives import burns, define_objectives
from tests.browser.parameters import configure
from tests.browser.shop import GATEWAY, ORDERS, Shop
from tests.conftest import missing
from tests.support.running import RunningServer, eventually, running_server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SCREENSHOTS = Path(__file__).parents[2] / "var/screenshots"
SIZES = {"desktop": (1280, 800), "phone": (375, 812)}
PASSWORD = "four unrelated garden verbs"
Open = Callable[..., "Page"]


# Not for the session: Playwright keeps an event loop running in its thread, and the tests that follow in this worker
# want their own.
@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        missing("Chromium is not installed: scripts/test-deps.sh installs Debian's")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


def setup_link(data: Path) -> str:
    """The link that `up` printed when it started."""
    printed = re.search(r"http://\S+/setup/\S+", (data.parent / f"{data.name}.log").read_text(encoding="utf-8"))
    assert printed, "no set-up link was printed"
    return printed.group()


def set_up(page: Page, link: str) -> None:
    """Follow the set-up link, become the first person, and end up signed in."""
    page.goto(link)
    page.get_by_label("Your name").fill("Alice Adler")
    page.get_by_label("E-mail").fill("alice@example.com")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("The same password again").fill(PASSWORD)
    page.get_by_role("button", name="Create my account").click()
    page.wait_for_url(re.compile(r"//[^/]+/$"))


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[RunningServer]:
    """`watchkeeper up`, as everybody starts it, with the shop's telemetry in it. Alice has an account."""
    with running_server(tmp_path_factory.mktemp("browser") / "data") as server:
        # So that every page has something on it, whichever test comes first. What is changed comes before what fails.
        Shop(server.url).be_busy(calm=True)
        configure(server.client)
        Shop(server.url).be_busy(120, minutes=0.02)
        server.client.post("/api/v1/tokens", json={"name": "weekly-report", "scopes": ["read"]}).raise_for_status()
        eventually(lambda: _is_visible(server))
        define_objectives(server.client)
        eventually(lambda: burns(server.client), within=60)
        befall(server.client)
        yield server


def _is_visible(server: RunningServer) -> bool:
    found = server.client.get("/api/v1/telemetry/services").raise_for_status().json()
    return {GATEWAY, ORDERS} <= {one["service"] for one in found}


@pytest.fixture
def shop(server: RunningServer) -> Shop:
    return Shop(server.url)


@pytest.fixture(scope="package")
def alice(server: RunningServer, chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Alice's cookies after the set-up."""
    data = Path(str(server.process.args[-1]))  # type: ignore[index]
    context = chromium.new_context()
    set_up(context.new_page(), setup_link(data))
    state = context.storage_state()
    context.close()
    return state


@contextmanager
def opening(chromium: Browser) -> Iterator[Open]:
    """Opens pages in contexts of their own; at the end no page may have reported an error or a broken policy."""
    contexts: list[Any] = []
    complaints: list[str] = []
    expected: list[str] = []

    def open_it(url: str, size: str = "desktop", **options: Any) -> Page:
        width, height = SIZES[size]
        context = chromium.new_context(viewport={"width": width, "height": height}, locale="en-GB", **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
        page.goto(url)
        return page

    open_it.expected_errors = expected  # type: ignore[attr-defined]
    yield open_it
    for context in contexts:
        context.close()
    assert [line for line in complaints if not any(text in line for text in expected)] == []


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Open]:
    with opening(chromium) as open_it:
        yield open_it


@pytest.fixture
def visit(open_page: Open, server: RunningServer, alice: Any) -> Open:
    """Alice opens a page of the console."""

    def visit_it(path: str, size: str = "desktop", **options: Any) -> Page:
        return open_page(f"{server.url}{path}", size, storage_state=alice, **options)

    return visit_it


def keep_picture(page: Page, name: str) -> None:
    """With PICTURES=yes, save what the page looks like, for people to look at: a whole page takes a second to draw."""
    if os.environ.get("PICTURES") != "yes":
        return
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(SCREENSHOTS / f"{name}.png"), full_page=True)
