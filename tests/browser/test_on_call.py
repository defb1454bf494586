"""Alerts, on-call and how people are reached, as whoever is woken meets them: on a phone, at a desk, by keyboard."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.conftest import SIZES, Open, keep_picture, set_up, setup_link
from tests.browser.test_access_for_all import audit, named
from tests.support.running import RunningServer, eventually, running_server
from watchkeeper.kernel.clock import SystemClock, rfc3339

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SMALL = "small phone"
SIZES[SMALL] = (375, 667)
SETTINGS = {"WATCHKEEPER_OUTBOUND_PRIVATE_NETWORKS": "127.0.0.1/32"}
PAGES = [
    "/alerts",
    "/alerts/silences",
    "/alerts/maintenance",
    "/alerts/integrations",
    "/alerts/heartbeats",
    "/oncall",
    "/oncall/pages?person=all",
    "/oncall/calendars",
    "/oncall/schedules/primary",
    "/oncall/schedules/primary/edit",
    "/oncall/policies",
    "/oncall/policies/shop",
    "/oncall/policies/shop/edit",
    "/notify/channels",
    "/account/notifications",
]


class Woken:
    """A server of its own, on which Alice is on call and something has failed."""

    def __init__(self, server: RunningServer, state: Any) -> None:
        self.server, self.state, self.client = server, state, server.client
        [alice] = self.client.get("/api/v1/people").json()["items"]
        week = {"name": "week", "people": [alice["id"]], "shift": "1w", "start": "2026-01-05"}
        self._post("/oncall/schedules", {"name": "primary", "time_zone": "Europe/Oslo", "layers": [week]})
        steps = [{"notify": [{"schedule": "primary"}]}, {"notify": [{"everyone": True}], "wait": "10m"}]
        self._post("/oncall/policies", {"name": "shop", "default": True, "steps": steps})
        said = {"kind": "ntfy", "settings": {"url": "http://127.0.0.1:9"}}
        self.client.put("/api/v1/notify/channels/phones", json=said).raise_for_status()
        self._post("/alerts/integrations", {"name": "prod", "kind": "alertmanager", "service": "shop"})
        self._post(
            "/alerts/silences",
            {
                "matchers": [{"label": "service", "operator": "=", "value": "old"}],
                "ends_at": rfc3339(SystemClock().now() + timedelta(hours=1)),
                "reason": "it is being taken down",
            },
        )
        self.fails("nightly-backup-of-all-the-databases-there-are")

    def fails(self, name: str) -> str:
        """A job fails and Alice is paged; the id of the alert group."""
        beat = self._post("/alerts/heartbeats", {"name": name, "period_seconds": 600, "service": "shop"})
        self.client.post(f"{beat['ping_path']}/fail").raise_for_status()

        def group() -> str | None:
            found = self.client.get("/api/v1/oncall/pages", params={"open": True}).json()["items"]
            groups = {one["id"] for one in self.client.get("/api/v1/alerts").json()["items"] if name in one["title"]}
            return next((one["group"] for one in found if one["group"] in groups), None)

        return str(eventually(group, within=60))

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        answer = self.client.post(f"/api/v1{path}", json=body)
        assert answer.is_success, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def woken(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[Woken]:
    folder = tmp_path_factory.mktemp("woken") / "data"
    with running_server(folder, SETTINGS) as server:
        context = chromium.new_context()
        set_up(context.new_page(), setup_link(folder))
        state = context.storage_state()
        context.close()
        yield Woken(server, state)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_serves_a_small_phone_the_keyboard_and_weak_eyes(open_page: Open, woken: Woken, path: str) -> None:
    phone = open_page(f"{woken.server.url}{path}", SMALL, storage_state=woken.state)
    assert audit(phone, "sideways") == []
    keep_picture(phone, f"small{named(path)}")
    phone.close()
    for scheme in ("light", "dark"):
        page = open_page(f"{woken.server.url}{path}", storage_state=woken.state, color_scheme=scheme)
        assert audit(page, "pale") == []
        keep_picture(page, f"{scheme}{named(path)}")
    assert audit(page, "nameless") == []
    assert audit(page, "repeated") == []
    levels = audit(page, "headings")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels)), levels
    for _ in range(25):
        page.keyboard.press("Tab")
        seen, element = audit(page, "focus")
        assert seen, element


def test_whoever_is_woken_sees_why_and_has_it_with_one_thumb(open_page: Open, woken: Woken) -> None:
    group = woken.fails("orders-import")
    page = open_page(f"{woken.server.url}/oncall", SMALL, storage_state=woken.state)
    card = page.locator(".wo-card", has_text="orders-import")
    assert "you are paged" in card.inner_text()
    assert "You are on call" in page.inner_text("main")
    button = card.get_by_role("button", name="Acknowledge")
    box = button.bounding_box()
    assert box is not None
    assert box["height"] >= 44
    assert box["width"] >= 300
    assert box["y"] + box["height"] < 667 * 2, "within a swipe of the top"
    keep_picture(page, "small-woken")
    button.click()
    page.wait_for_url(f"**/alerts/{group}*")
    found = woken.client.get(f"/api/v1/alerts/{group}").json()
    assert found["status"] == "acknowledged"
    assert audit(page, "sideways") == []
    keep_picture(page, "small-alert")


def test_last_month_is_replayed_beside_the_editors_picture(open_page: Open, woken: Woken) -> None:
    page = open_page(f"{woken.server.url}/oncall/policies/shop/edit", SMALL, storage_state=woken.state)
    page.get_by_role("button", name="Replay last month").click()
    page.locator("#replay").wait_for()
    text = page.inner_text("#replay")
    assert "nightly-backup" in text
    assert "Nobody whom a step calls has a verified contact." in text
    assert audit(page, "sideways") == []
    keep_picture(page, "small-replay")
    page.set_viewport_size({"width": 1280, "height": 800})
    keep_picture(page, "desktop-replay")
