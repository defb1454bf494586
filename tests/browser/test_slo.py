"""Objectives as somebody on call meets them: on a phone, at a desk, by keyboard, on the wall, without JavaScript."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import Open, keep_picture
from tests.browser.objectives import BURNING, TARGETS
from tests.browser.parameters import PARAMETER
from tests.browser.shop import GATEWAY, ORDERS, Shop
from tests.support.running import RunningServer, eventually

if TYPE_CHECKING:
    from playwright.sync_api import Page

sizes = pytest.mark.parametrize("size", ["desktop", "phone"])
UNDO = re.compile(r"/config/changes/chg_")


def names(page: Page) -> list[str]:
    return [name.strip() for name in page.locator(".ws-list .ws-name").all_inner_texts()]


@sizes
def test_the_list_has_the_worst_first_and_the_address_can_be_sent_on(visit: Open, size: str) -> None:
    page = visit("/slos", size)
    assert names(page)[0] == "Orders can be read"
    assert "burning" in page.locator(".ws-list tbody tr").first.inner_text().lower()
    keep_picture(page, f"slos-{size}")
    page.locator('select[name="service"]').select_option(GATEWAY)
    page.wait_for_url("**service=shop-gateway*")
    assert "Orders can be read" not in names(page)
    page.locator("[data-search]").fill("bearable")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=bearable*")
    assert "service=shop-gateway" in page.url
    assert names(page) == ["gateway-latency · bearable"]


@sizes
def test_what_burns_leads_to_the_change_before_it_and_its_undo(visit: Open, size: str) -> None:
    page = visit("/", size)
    assert re.search(r"needs? attention", page.inner_text("h1"))
    page.get_by_role("link", name="Orders can be read").click()
    page.wait_for_url(f"**/slos/{BURNING}*")
    suspects = page.locator("#suspects")
    assert PARAMETER in suspects.inner_text()
    keep_picture(page, f"slo-{size}")
    suspects.get_by_role("link", name="Undo it").first.click()
    page.wait_for_url(UNDO)
    page.get_by_role("button", name="Undo the change").wait_for()


@sizes
def test_charts_are_drawn_with_marks_of_changes_and_can_be_had_as_a_table(visit: Open, size: str) -> None:
    page = visit(f"/slos/{BURNING}?range=1h", size)
    page.wait_for_selector(".wk-chart canvas")
    page.wait_for_function("document.querySelectorAll('.wk-chart canvas').length === 2")
    indicator = page.locator(".wk-chart").first
    assert re.search(r"bad: latest [\d.]+ %", indicator.locator(".wk-chart-plot").get_attribute("aria-label") or "")
    assert indicator.locator("a.wk-legend").filter(has_text=PARAMETER).count() >= 1
    indicator.get_by_role("button", name="As a table").click()
    assert indicator.locator("table tr").count() > 30
    drawn = page.evaluate(
        "[...document.querySelectorAll('.wk-chart canvas')].every((one) =>"
        " one.getContext('2d').getImageData(0, 0, one.width, one.height).data.some((byte) => byte))"
    )
    assert drawn


def test_the_targets_of_an_slo_are_chosen_above_its_numbers(visit: Open) -> None:
    page = visit(f"/slos/{TARGETS}")
    page.get_by_role("navigation", name="Objectives of this SLO").get_by_text("bearable").click()
    page.wait_for_url("**objective=bearable*")
    assert "90 % within 2s" in page.inner_text("#now")
    page.get_by_label("Over any other window").fill("7m")
    page.get_by_role("button", name="Show its burn").click()
    page.wait_for_url("**over=7m*")
    assert "objective=bearable" in page.url
    page.locator("#burn td", has_text="7m").wait_for()


def test_an_slo_is_suggested_looked_at_defined_and_deleted_by_keyboard_alone(
    visit: Open, server: RunningServer, shop: Shop
) -> None:
    shop.be_busy(calm=True)  # fewer than a hundred requests suggest nothing
    eventually(lambda: server.client.get(f"/api/v1/slos/suggest?service={GATEWAY}").json()["items"])
    page = visit("/slos")
    page.get_by_role("link", name="New objective").focus()
    page.keyboard.press("Enter")
    page.locator("#suggested select").select_option(GATEWAY)
    page.get_by_role("button", name="Suggest targets").press("Enter")
    page.wait_for_url("**service=shop-gateway*")
    page.locator("#suggested").get_by_role("link", name="Use it").first.press("Enter")
    page.wait_for_url("**take=*")
    assert page.get_by_label("Name", exact=True).input_value() == "shop-gateway-availability"
    page.get_by_label("Target in %").fill("90")
    page.keyboard.press("Enter")  # in a field it looks, and defines nothing
    page.get_by_role("heading", name="as it would be").wait_for()
    assert "can never fire" in page.inner_text("#preview")
    keep_picture(page, "slo-preview-desktop")
    page.get_by_role("button", name="Define it").first.press("Enter")
    page.wait_for_url("**/slos/shop-gateway-availability")
    page.get_by_text("Delete this SLO").press("Enter")
    page.get_by_label("Reason to delete it").fill("it was a try")
    page.keyboard.press("Enter")
    page.wait_for_url("**/slos")
    assert "shop-gateway: requests that do not fail" not in names(page)


def test_all_of_it_works_without_javascript(visit: Open, open_page: Open) -> None:
    open_page.expected_errors.append("422")  # type: ignore[attr-defined]
    page = visit("/slos/new", java_script_enabled=False)
    page.get_by_label("Name", exact=True).fill("without-scripts")
    page.get_by_label("Service", exact=True).last.fill(GATEWAY)
    page.get_by_label("Target in %").fill("100")
    page.get_by_role("button", name="Define it").first.click()
    assert "100 % leaves no budget" in page.inner_text("#fields")
    page.get_by_label("Target in %").fill("99")
    page.get_by_role("button", name="Define it").first.click()
    page.wait_for_url("**/slos/without-scripts")
    assert "numbers are at" in page.locator(".wk-chart noscript, .wk-chart").first.inner_text()
    page.get_by_role("link", name="30 days").click()
    page.wait_for_url("**range=30d*")
    page.get_by_text("Delete this SLO").click()
    page.get_by_label("Reason to delete it").fill("it was a try")
    page.get_by_role("button", name="Delete without-scripts").click()
    page.wait_for_url("**/slos")
    assert len(names(page)) >= 4


def test_an_outage_of_somebody_else_is_recorded_and_ended_on_a_phone(visit: Open) -> None:
    page = visit("/slos/exclusions", "phone")
    page.get_by_label("What it is").select_option("third_party_outage")
    page.get_by_label("Of a service").fill(GATEWAY)
    page.get_by_label("Reason, such as whose outage").fill("the bank was away")
    page.get_by_role("button", name="Leave it out").click()
    row = page.locator("tr", has_text="the bank was away")
    row.get_by_text("runs").wait_for()
    row.get_by_role("button", name="End it now").click()
    row.get_by_text("over", exact=True).wait_for()
    row.get_by_text("Withdraw").click()
    row.get_by_label("Reason to let its events count").fill("it was us")
    row.get_by_role("button", name="Let its events count").click()
    row.get_by_text("withdrawn").wait_for()


def test_who_proposed_to_give_events_back_is_told_that_somebody_else_approves(visit: Open) -> None:
    page = visit(f"/slos/{BURNING}")
    page.get_by_role("link", name="propose").click()
    page.wait_for_url("**/slos/adjustments?slo=*")
    assert page.get_by_label("SLO", exact=True).input_value() == BURNING
    page.get_by_label("Bad events to give back").fill("1")
    page.get_by_label("Reason", exact=True).fill("it was a drill")
    page.get_by_role("button", name="Propose it").click()
    mine = page.locator("#waiting li", has_text="it was a drill")
    mine.get_by_text("You proposed it; somebody else approves it.").wait_for()
    theirs = page.locator("#waiting li", has_text="a load test of ours")
    theirs.get_by_role("button", name="Approve").click()
    page.locator("#decided li", has_text="a load test of ours").wait_for()
    mine.get_by_role("button", name="Take it back").click()
    page.locator("#decided li", has_text="it was a drill").wait_for()


@sizes
def test_whoever_is_on_call_sees_only_what_needs_them_and_it_stays_fresh(visit: Open, size: str) -> None:
    page = visit("/slos/dashboard", size)
    card = page.locator(".ws-card", has_text="Orders can be read")
    assert "of the budget left" in card.inner_text()
    assert card.get_by_role("link", name="Undo it").count() >= 1
    assert TARGETS not in page.inner_text("#board")
    keep_picture(page, f"slos-on-call-{size}")
    with page.expect_response("**/slos/dashboard", timeout=20_000):
        pass
    card.wait_for()


def test_the_screen_on_the_wall_needs_nobody_even_while_the_server_is_away(visit: Open, open_page: Open) -> None:
    open_page.expected_errors.append("ERR_FAILED")  # type: ignore[attr-defined]
    page = visit("/slos/tv")
    page.clock.install()
    page.reload()
    tile = page.locator(".ws-tile", has_text="Orders can be read")
    tile.wait_for()
    keep_picture(page, "slos-tv-desktop")
    old = page.locator("[data-tv-old]")
    assert old.is_hidden()
    page.route("**/slos/tv", lambda route: route.abort())
    page.clock.run_for(60_000)
    tile.wait_for()
    assert old.is_hidden()
    page.clock.run_for(90_000)
    old.wait_for()
    assert re.search(r"no answer from Watchkeeper for \d min", old.inner_text())
    tile.wait_for()
    page.unroute("**/slos/tv")
    page.clock.run_for(16_000)
    old.wait_for(state="hidden")
    tile.wait_for()


@sizes
def test_a_service_shows_its_objectives(visit: Open, server: RunningServer, size: str) -> None:
    page = visit(f"/services/{ORDERS}", size)
    block = page.locator("#objectives")
    assert "Orders can be read" in block.inner_text()
    assert block.get_by_role("link", name="Undo it").count() >= 1
    block.get_by_role("link", name="Orders can be read").click()
    page.wait_for_url(f"**/slos/{BURNING}*")
