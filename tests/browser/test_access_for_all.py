"""Every page on a phone, by keyboard, for screen readers and for weak eyes: WCAG 2.2 AA where a machine can tell."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.conftest import Open, keep_picture, opening
from tests.browser.emergencies import RULE, RUNBOOK, places
from tests.browser.objectives import BURNING, TARGETS
from tests.browser.parameters import FLAG, LIMITS, PARAMETER
from tests.browser.shop import GATEWAY

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.support.running import RunningServer

PAGES = [
    "/",
    "/services",
    f"/services/{GATEWAY}",
    f"/services/{GATEWAY}/routes",
    f"/services/{GATEWAY}/metrics",
    f"/services/{GATEWAY}/about",
    "/traces",
    "/logs",
    "/timeline",
    "/config",
    "/config?show=flags&sort=changed",
    f"/config/parameters/{PARAMETER}?user=u1",
    f"/config/parameters/{LIMITS}?environment=staging",
    f"/config/parameters/{FLAG}",
    "/config/changes",
    "/config/diff",
    "/config/environments",
    "/config/stale",
    "/slos",
    f"/slos/{BURNING}",
    f"/slos/{TARGETS}?objective=bearable&over=nonsense",
    f"/slos/{BURNING}/edit",
    "/slos/new?service=shop-gateway",
    "/slos/dashboard",
    "/slos/tv",
    "/slos/exclusions",
    "/slos/adjustments",
    "/slos/policies",
    "/slos/data-sources",
    "/incidents",
    "/incidents/{incident}",
    "/incidents/new",
    "/runbooks",
    f"/runbooks/{RUNBOOK}",
    f"/runbooks/{RUNBOOK}/start",
    "/runs/{run}",
    "/recovery",
    f"/recovery/rules/{RULE}",
    "/recovery/attempts/{attempt}",
    "/postmortems",
    "/postmortems/{postmortem}",
    "/postmortems/{postmortem}/public",
    "/postmortems/actions",
    "/status",
    "/status/history",
    "/status/subscribe",
    "/status-page",
    "/status-page/components",
    "/status-page/maintenance",
    "/account",
    "/settings/ops",
    "/settings/tokens",
    "/settings",
]
pages = pytest.mark.parametrize("path", PAGES)

AUDIT = (Path(__file__).parent / "audit.js").read_text(encoding="utf-8").partition("\n")[2].strip()


def named(path: str) -> str:
    """A file's name for a path."""
    return re.sub(r"[/?&={}]", "-", path)


def audit(page: Page, question: str) -> Any:
    """What audit.js finds on the page."""
    return page.evaluate(f"{AUDIT}.{question}()")


@pytest.fixture(scope="module")
def found(server: RunningServer) -> Callable[[str], str]:
    """A path with the ids of what befell."""
    ids = places(server.client)
    return lambda path: path.format(**ids)


@pages
def test_a_phone_scrolls_down_and_never_sideways(visit: Open, found: Callable[[str], str], path: str) -> None:
    page = visit(found(path), "phone")
    page.wait_for_load_state("networkidle") if path != "/timeline" else page.wait_for_load_state()
    assert audit(page, "sideways") == []
    keep_picture(page, f"phone{named(path)}")


@pytest.fixture(scope="module", params=PAGES)
def desktop(
    request: pytest.FixtureRequest,
    chromium: Browser,
    server: RunningServer,
    alice: Any,
    found: Callable[[str], str],
) -> Iterator[tuple[str, Page]]:
    """A path and its page at a desk, opened once for all that is looked at there."""
    with opening(chromium) as open_it:
        yield request.param, open_it(f"{server.url}{found(request.param)}", storage_state=alice, color_scheme="light")


def test_everything_that_can_be_used_has_a_name(desktop: tuple[str, Page]) -> None:
    path, page = desktop
    assert audit(page, "nameless") == []
    assert page.get_attribute("html", "lang") == "en"
    # The public page goes by the product's name.
    assert page.title().endswith("· Watchkeeper") or path in ("/status", "/status/history")
    assert audit(page, "repeated") == []


def test_a_desk_scrolls_down_and_never_sideways(desktop: tuple[str, Page]) -> None:
    assert audit(desktop[1], "sideways") == []


def test_headings_are_an_outline(desktop: tuple[str, Page]) -> None:
    levels = audit(desktop[1], "headings")
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels)), levels


def test_text_can_be_read_by_weak_eyes(desktop: tuple[str, Page]) -> None:
    path, page = desktop
    assert audit(page, "pale") == []
    keep_picture(page, f"light{named(path)}")


def test_whoever_uses_the_keyboard_sees_where_they_are(desktop: tuple[str, Page]) -> None:
    """The last one: it moves the focus."""
    for _ in range(25):
        desktop[1].keyboard.press("Tab")
        seen, element = audit(desktop[1], "focus")
        assert seen, element


@pages
def test_text_can_be_read_by_weak_eyes_in_the_dark(visit: Open, found: Callable[[str], str], path: str) -> None:
    page = visit(found(path), color_scheme="dark")
    assert audit(page, "pale") == []
    keep_picture(page, f"dark{named(path)}")


def test_the_console_is_useful_without_javascript(visit: Open) -> None:
    page = visit("/", java_script_enabled=False)
    assert GATEWAY in page.inner_text("#services")
    page.click(f"text={GATEWAY}")
    assert page.inner_text("h1").split()[0] == GATEWAY
    page.goto(page.url.split("/services")[0] + "/logs?q=locked&since=1h")
    assert page.locator(".wk-line").count() >= 5


def test_the_audit_finds_what_is_wrong(open_page: Open) -> None:
    page = open_page("about:blank", "phone")
    page.set_content(
        '<h2 id="a">Title</h2><h4 id="a">Deep</h4><button><svg></svg></button><p style="color:#999">pale</p>'
        '<main><div style="width:600px">wide</div></main>'
    )
    assert audit(page, "repeated") == ["a"]
    assert audit(page, "headings") == [2, 4]
    assert len(audit(page, "nameless")) == 1
    assert [line.split()[0] for line in audit(page, "pale")] == ["2.85"]
    assert audit(page, "sideways")[-1] == "the page scrolls sideways"
