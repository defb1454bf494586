"""The shell in a real browser: live, reachable by keyboard, usable on a phone and without JavaScript."""

import os
import time
from pathlib import Path

import pytest

from tests.kernel.web.shell_demo import demo_app, serving
from watchkeeper.kernel.web.sse import Streams

CHROMIUM = Path("/usr/bin/chromium")
pytestmark = pytest.mark.skipif(
    not CHROMIUM.exists() and os.environ.get("CI") != "true", reason="Chromium is not installed"
)


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    return demo_app(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def address(app):
    with serving(app) as address:
        yield address


@pytest.fixture
def streams(app):
    return app.state.parts[Streams]


def wait_until(condition) -> None:
    for _ in range(100):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to that")


def hide(page, hidden: bool) -> None:
    page.evaluate(
        """hidden => { Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
        document.dispatchEvent(new Event("visibilitychange")); }""",
        hidden,
    )


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium, address):
    """Opens the page; at the end no error and no broken policy may have been reported."""
    contexts, complaints, expected = [], [], []

    def open_it(width=1280, height=800, **options):
        context = chromium.new_context(
            viewport={"width": width, "height": height}, timezone_id="Asia/Tokyo", locale="en-GB", **options
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.expected_errors = expected
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
        page.goto(address)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert [line for line in complaints if not any(text in line for text in expected)] == []


def test_a_chart_is_drawn_and_told_in_words(open_page):
    page = open_page()
    page.wait_for_selector(".wk-chart canvas")
    label = page.get_attribute(".wk-chart-plot >> nth=0", "aria-label")
    assert label == "Latency. p50: latest 49 ms, highest 49 ms. p95: latest 196 ms, highest 196 ms."
    assert page.inner_text(".wk-chart >> nth=1 >> .wk-chart-empty") == "Nothing was measured in this time."


def test_a_charts_numbers_are_there_as_a_table_and_a_series_can_be_hidden(open_page):
    page = open_page()
    page.click("text=As a table")
    assert page.locator(".wk-chart-table tbody tr").count() == 30
    assert page.inner_text(".wk-chart-table tbody tr >> nth=0 >> td >> nth=2") == "196 ms"
    page.click(".wk-legend >> text=p95")
    assert page.get_attribute(".wk-legend >> nth=1", "aria-pressed") == "false"


def test_a_click_on_a_bucket_opens_its_traces(open_page, address):
    page = open_page()
    page.route("**/traces?*", lambda route: route.fulfill(body="traces", content_type="text/html"))
    page.wait_for_selector(".wk-chart-click .u-over")
    page.click(".u-over >> nth=0")
    page.wait_for_url("**/traces?since=*")
    assert page.url.startswith(f"{address}/traces?since=2023-11-14T22%3A")


def test_a_live_list_says_so_and_puts_the_newest_first(open_page):
    page = open_page()
    page.wait_for_selector("text=event 3")
    assert page.locator(".wk-feed li").all_inner_texts() == ["event 3", "event 2", "event 1"]
    assert page.inner_text("#live") == "live"


def test_a_table_sorts_numbers_as_numbers(open_page):
    page = open_page()
    page.click("th >> text=Size")
    assert page.locator(".wk-cards tbody td:first-child").all_inner_texts() == ["alpha", "beta", "gamma"]
    assert page.get_attribute("th >> nth=1", "aria-sort") == "descending"
    page.click("th >> text=Name")
    page.click("th >> text=Name")
    assert page.locator(".wk-cards tbody td:first-child").all_inner_texts() == ["gamma", "beta", "alpha"]


def test_times_are_in_the_viewers_zone_with_utc_on_hover(open_page):
    page = open_page()
    assert "09:00:00" in page.inner_text("time")
    assert "2020-01-01T00:00:00" in page.get_attribute("time", "title")


def test_the_theme_follows_the_system_until_somebody_chooses(open_page):
    page = open_page(color_scheme="dark")
    theme = "document.documentElement.dataset.bsTheme"
    assert page.evaluate(theme) == "dark"
    page.click("[data-theme-toggle]")
    page.reload()
    assert page.evaluate(theme) == "light"


def test_the_keyboard_reaches_everything(open_page):
    page = open_page()
    page.route("**/services", lambda route: route.fulfill(body="services", content_type="text/html"))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "wk-skip"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.type") == "search"
    page.keyboard.press("g")
    assert page.input_value("[data-search]") == "g"
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("?")
    assert page.is_visible("#wk-help")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("s")
    page.wait_for_url("**/services")


def test_forms_and_htmx_prove_that_this_page_sent_them(open_page):
    page = open_page()
    page.click("#hx")
    page.wait_for_selector("#out >> text=received")
    page.click("#send")
    page.wait_for_selector("text=received")


def test_a_refusal_to_htmx_is_shown_and_read_aloud(open_page):
    page = open_page()
    problem = '{"detail": "The shelf is full."}'
    page.route(
        "**/form", lambda route: route.fulfill(status=422, body=problem, content_type="application/problem+json")
    )
    page.click("#hx")
    page.wait_for_selector("[role=alert] >> text=The shelf is full.")
    page.expected_errors.append("422")


def test_a_command_can_be_copied(open_page, address):
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    page.click("text=Copy")
    page.wait_for_selector("text=Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "export A=" + "x" * 300


def test_a_tab_that_nobody_looks_at_holds_no_connection(open_page, streams):
    page = open_page()
    page.wait_for_selector("#live >> text=live")
    hide(page, True)
    wait_until(lambda: streams.open == 0)
    hide(page, False)
    wait_until(lambda: streams.open == 1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_scrolls_down_and_never_sideways(open_page, scheme):
    page = open_page(375, 812, color_scheme=scheme)
    page.wait_for_selector(".wk-chart canvas")
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    assert not page.is_visible(".wk-nav")
    page.click(".wk-menu")
    for box in (page.locator(selector).bounding_box() for selector in (".wk-nav a >> nth=0", ".wk-menu", "#send")):
        assert box["height"] >= 44


@pytest.mark.parametrize("width", [1280, 375])
def test_the_way_to_other_pages_stays_in_sight(open_page, width):
    page = open_page(width, 500)
    page.wait_for_selector(".wk-chart canvas")
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    assert page.evaluate("window.scrollY") > 300
    assert page.locator(".wk-side").bounding_box()["y"] == 0


def test_without_javascript_everything_is_there(open_page):
    page = open_page(375, 812, java_script_enabled=False)
    assert page.is_visible("h1")
    assert page.is_visible("text=gamma")
    page.click(".wk-menu")
    assert page.is_visible(".wk-nav a >> nth=1")
    page.click("#send")
    page.wait_for_selector("text=received")
