"""What somebody on call does at three in the morning: look, find, follow."""

from __future__ import annotations

import re

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open, keep_picture
from tests.browser.shop import GATEWAY, ORDERS, Shop
from tests.support.running import RunningServer, eventually

sizes = pytest.mark.parametrize("size", ["desktop", "phone"])


@sizes
def test_home_shows_each_service_with_its_traffic(visit: Open, size: str) -> None:
    page = visit("/", size)
    rows = page.locator("#services tbody tr")
    names = rows.locator("td:first-child").all_inner_texts()
    assert {GATEWAY, ORDERS} <= {name.strip() for name in names}
    keep_picture(page, f"home-{size}")
    page.get_by_role("link", name=GATEWAY, exact=True).click()
    page.wait_for_url(f"**/services/{GATEWAY}?*")
    assert page.inner_text("h1").split()[0] == GATEWAY


@sizes
def test_a_service_shows_requests_errors_and_latency(visit: Open, size: str) -> None:
    page = visit(f"/services/{GATEWAY}", size)
    labels = [label.strip() for label in page.locator(".wk-stat-label").all_inner_texts()]
    assert labels == ["Requests", "Failed", "p50", "p95", "p99"]
    expect(page.locator(".wk-chart canvas")).to_have_count(3)
    assert "GET /orders/{id}" in page.locator("main").inner_text()
    keep_picture(page, f"service-{size}")


def test_a_slow_request_leads_to_its_trace(visit: Open) -> None:
    page = visit(f"/services/{GATEWAY}")
    page.locator("section", has_text="Slowest requests").locator("tbody a").first.click()
    page.wait_for_url("**/traces/*")
    assert page.locator(".wk-span-row").count() == 4


@sizes
def test_a_trace_is_a_waterfall_across_services(visit: Open, server: RunningServer, shop: Shop, size: str) -> None:
    trace = shop.serve(fails=True)
    eventually(lambda: _is_whole(server, trace))
    page = visit(f"/traces/{trace}", size)
    assert page.locator(".wk-span-service").all_inner_texts() == [GATEWAY, GATEWAY, ORDERS, ORDERS]
    assert page.locator(".wk-failed").count() >= 1
    page.locator(".wk-span-row").nth(2).locator("summary").click()
    page.locator(".wk-span-row[open]").get_by_text("http.response.status_code").wait_for()
    assert "The order could not be read" in page.locator("#logs").inner_text()
    keep_picture(page, f"trace-{size}")


@sizes
def test_a_log_line_is_found_and_leads_to_its_trace(visit: Open, size: str) -> None:
    page = visit("/logs?since=1h", size)
    page.get_by_label("Text").fill("database is locked")
    page.get_by_label("Least severity").select_option("error")
    page.get_by_role("button", name="Search").click()
    page.wait_for_url("**q=database+is+locked**")
    lines = page.locator(".wk-line")
    assert lines.count() >= 5
    keep_picture(page, f"logs-{size}")
    lines.first.locator("summary").click()
    lines.first.get_by_role("link", name=re.compile("^Trace")).click()
    page.wait_for_url("**/traces/*")
    assert page.locator(".wk-span-row").count() == 4


@sizes
def test_the_timeline_shows_what_happens_while_one_looks(visit: Open, server: RunningServer, size: str) -> None:
    page = visit("/timeline", size)
    page.wait_for_selector("#live-state >> text=live")
    made = server.client.post("/api/v1/tokens", json={"name": f"live-{size}", "scopes": ["read"]})
    assert made.is_success, made.text
    first = page.locator(".wk-feed li").first
    first.filter(has_text="Made an API token for read").wait_for()
    keep_picture(page, f"timeline-{size}")


@sizes
def test_the_catalog_shows_who_owns_what_and_can_be_edited(visit: Open, size: str) -> None:
    page = visit("/services", size)
    assert page.get_by_role("link", name=ORDERS).count() >= 1
    keep_picture(page, f"services-{size}")
    page.goto(page.url + f"/{ORDERS}/about")
    keep_picture(page, f"about-{size}")
    assert page.inner_text("h1").split()[0] == ORDERS


def test_a_token_is_shown_once_and_works(visit: Open, server: RunningServer) -> None:
    page = visit("/settings/tokens")
    page.get_by_label("Name").fill("report-script")
    page.locator("input[name=scope][value=read]").check()
    page.get_by_role("button", name="Make the token").click()
    secret = page.locator("#made .wk-command code").first.inner_text().strip()
    keep_picture(page, "tokens-desktop")
    assert secret.startswith("wkt_")
    headers = {"Authorization": f"Bearer {secret}"}
    assert httpx.get(f"{server.url}/api/v1/services", headers=headers, trust_env=False).status_code == 200
    page.goto(f"{server.url}/settings/tokens")
    assert secret not in page.content()
    page.get_by_role("button", name="Revoke the token report-script").click()
    page.wait_for_selector("text=revoked")


def _is_whole(server: RunningServer, trace: str) -> bool:
    found = server.client.get(f"/api/v1/telemetry/traces/{trace}")
    lines = server.client.get("/api/v1/telemetry/logs", params={"trace_id": trace})
    return found.is_success and len(found.json()["spans"]) == 4 and bool(lines.json()["items"])
