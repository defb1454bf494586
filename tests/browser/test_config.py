"""Runtime configuration as somebody changes it: at a desk, on a phone, by keyboard and without JavaScript."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import Open, keep_picture
from tests.browser.parameters import FLAG, LIMITS, OTHER_FLAG, PARAMETER
from tests.support.running import RunningServer

if TYPE_CHECKING:
    from playwright.sync_api import Page

sizes = pytest.mark.parametrize("size", ["desktop", "phone"])
MADE = re.compile(r"/config/changes/chg_")


def value_of(server: RunningServer, key: str, user: str = "") -> object:
    """What somebody gets in production."""
    answer = server.client.get(f"/api/v1/config/parameters/{key}/explain", params={"user": user} if user else {})
    return answer.raise_for_status().json()["value"]


def look(page: Page, section: str) -> None:
    page.locator(f"{section} form").first.get_by_role("button", name="Look at the change").click()
    page.get_by_role("heading", name="Look before you change").wait_for()


def test_the_list_is_filtered_while_one_chooses_and_the_address_can_be_sent_on(visit: Open) -> None:
    page = visit("/config")
    page.locator('select[name="show"]').select_option("flags")
    page.wait_for_url("**show=flags*")
    assert page.locator("#list tbody tr:not(.wc-group)").count() == 2
    page.keyboard.press("/")
    page.keyboard.type("gift_wrap")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=gift_wrap*")
    assert page.locator("#list tbody tr:not(.wc-group)").count() == 1
    page.get_by_role("link", name="staging").click()
    page.wait_for_url("**environment=staging*")
    assert "q=gift_wrap" in page.url
    assert "show=flags" in page.url


@sizes
def test_a_value_is_changed_after_a_look_and_set_back_by_one_button(
    visit: Open, server: RunningServer, size: str
) -> None:
    page = visit(f"/config/parameters/{LIMITS}", size)
    before = value_of(server, LIMITS)
    page.get_by_label("New value for everybody").fill('{"free": {"orders": 7}}')
    page.locator("#why-value").fill("more for everybody")
    look(page, "#now")
    assert "20 of 20 subjects" in page.inner_text("#reach")
    keep_picture(page, f"config-preview-{size}")
    page.get_by_role("button", name="Change it in production now").click()
    page.wait_for_url(MADE)
    assert value_of(server, LIMITS) == {"free": {"orders": 7}}
    page.get_by_label("Reason to undo it").fill("too many")
    page.get_by_role("button", name="Undo the change").click()
    page.get_by_text("Undoes").wait_for()
    assert value_of(server, LIMITS) == before


def test_going_back_from_a_look_keeps_what_was_typed(visit: Open) -> None:
    page = visit(f"/config/parameters/{PARAMETER}")
    page.get_by_label("New value for everybody").fill("44")
    page.locator("#why-value").fill("a try")
    look(page, "#now")
    page.get_by_role("link", name="Back", exact=True).click()
    page.get_by_role("heading", name=PARAMETER).wait_for()
    assert page.get_by_label("New value for everybody").input_value() == "44"


def test_the_slider_and_the_number_of_a_rollout_are_one(visit: Open) -> None:
    page = visit(f"/config/parameters/{OTHER_FLAG}")
    number, slider = page.get_by_label("Percentage of them"), page.get_by_label("Percentage as a slider")
    slider.fill("30")
    assert number.input_value() == "30"
    assert page.locator("#serve").input_value() == "percent:"
    assert page.locator('input[name="weight"]').first.input_value() == "1", "a percentage of nothing is nothing"
    number.fill("12.5")
    assert slider.input_value() == "12.5"
    page.locator("#why-state").fill("a try")
    look(page, "#edit")
    assert "on for 12.5 %" in page.inner_text("main")


@sizes
def test_a_flag_is_killed_by_one_button_with_a_reason(visit: Open, server: RunningServer, size: str) -> None:
    page = visit(f"/config/parameters/{OTHER_FLAG}", size)
    assert value_of(server, OTHER_FLAG) == "on" or value_of(server, OTHER_FLAG) is True
    kill = page.get_by_role("button", name=re.compile("Kill it"))
    kill.click()
    assert page.url.endswith(OTHER_FLAG), "the browser asks for the reason first"
    page.get_by_label("Reason to switch it off").fill("it burns")
    kill.click()
    page.wait_for_url(MADE)
    assert value_of(server, OTHER_FLAG) in (False, "off")
    page.get_by_label("Reason to undo it").fill("the fire is out")
    page.get_by_role("button", name="Undo the change").click()
    page.get_by_text("Undoes").wait_for()


def test_a_rule_that_is_wrong_is_marked_and_mended(visit: Open, open_page: Open) -> None:
    open_page.expected_errors.append("422")  # type: ignore[attr-defined]
    page = visit(f"/config/parameters/{FLAG}")
    page.get_by_text("Another rule").click()
    condition = page.get_by_label(re.compile("Or whom this condition fits")).first
    condition.fill('{"attribute": "country", "op": "is", "value": "NO"}')
    page.locator("#why-state").fill("a try")
    page.locator("#edit form").first.get_by_role("button", name="Look at the change").click()
    page.locator(".wc-broken").wait_for()
    assert "when.op: expected one of equals" in page.inner_text(".wc-broken")
    keep_picture(page, "config-flag-wrong")
    condition.fill('{"attribute": "country", "op": "equals", "value": "SE"}')
    look(page, "#edit")
    assert page.get_by_role("button", name="Send it for approval").count() == 1


def test_another_rule_is_added_by_segment(visit: Open) -> None:
    page = visit(f"/config/parameters/{OTHER_FLAG}")
    page.get_by_text("Another rule").click()
    page.get_by_label("Who is in segment").last.select_option("all_users")
    page.locator("#why-state").fill("a try")
    look(page, "#edit")
    assert "all_users" in page.inner_text("#reach")


def test_what_waits_is_shown_with_its_content_and_who_may_decide(visit: Open) -> None:
    page = visit("/config/changes")
    page.locator("#waiting").get_by_role("link", name=re.compile("Look at and decide")).first.click()
    page.wait_for_url(MADE)
    assert page.get_by_role("button", name=re.compile("Approve [0-9a-f]{12}")).count() == 1


def test_the_timeline_shows_before_and_after_and_leads_to_the_undo(visit: Open) -> None:
    page = visit("/timeline?kind=config.changed")
    page.get_by_text(f"{PARAMETER} in staging: nothing → 60").first.wait_for()
    page.locator("li", has_text=f"{PARAMETER} in staging").get_by_role("link", name="undo").first.click()
    page.wait_for_url("**/config/changes/*#undo")
    assert page.get_by_role("button", name="Undo the change").count() == 1


def test_values_are_taken_over_from_another_environment(visit: Open) -> None:
    page = visit("/config/diff?from=staging&to=production")
    box = page.get_by_label(f"Take over {LIMITS}")
    assert box.is_checked()
    assert not page.get_by_label(f"Take over {PARAMETER}").is_checked(), "production would lose its segments"
    page.get_by_label("Reason to take them over").fill("it was good")
    page.get_by_role("button", name=re.compile("takes over")).click()
    page.get_by_role("heading", name="Look before you change").wait_for()
    assert LIMITS in page.inner_text("main")
    assert PARAMETER not in page.inner_text("main")


def test_everything_works_without_javascript(visit: Open, server: RunningServer) -> None:
    page = visit(f"/config/parameters/{PARAMETER}?user=u1", java_script_enabled=False)
    assert "u1 gets" in page.inner_text("#explain")
    page.fill("#override-target", "u7")
    page.fill("#override-value", "77")
    page.fill("#why-override", "they asked")
    page.click("#override button.btn-primary")
    page.click("form button.btn-primary")
    assert value_of(server, PARAMETER, "u7") == 77
    page.goto(f"{server.url}/config/parameters/{OTHER_FLAG}")
    page.select_option("#serve", "percent:")
    page.fill("#percent", "50")
    page.locator('input[name="weight"]').first.fill("1")
    page.fill("#why-state", "half of them")
    page.click("#edit form >> nth=0 >> button.btn-primary")
    assert "on for 50 %" in page.inner_text("main")


@sizes
def test_each_page_has_its_picture(visit: Open, size: str) -> None:
    page = visit(f"/config/parameters/{FLAG}", size)
    keep_picture(page, f"config-flag-{size}")
    page.goto(page.url.replace(FLAG, PARAMETER))
    keep_picture(page, f"config-parameter-{size}")
