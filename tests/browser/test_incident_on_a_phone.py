"""An incident from the first tap to its end, on a phone; and what the public reads of it, with no script at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser.conftest import Open, keep_picture
from tests.browser.shop import ORDERS
from tests.browser.test_access_for_all import audit
from tests.support.running import RunningServer, eventually

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

TITLE = "Nobody <b>can</b> pay & nobody knows why"
UPDATE = "Payments fail since <i>noon</i>.\nCards are not charged."
_THUMB = 44


def test_an_incident_is_declared_told_and_resolved_with_one_thumb(
    visit: Open, open_page: Open, server: RunningServer
) -> None:
    page = visit("/incidents", "phone")
    _tap(page.get_by_role("link", name="Declare an incident"))
    page.get_by_label("What is wrong").fill(TITLE)
    page.get_by_label("SEV-3").check()
    page.get_by_label("Services").fill(ORDERS)
    _tap(page.get_by_role("button", name="Declare it, and call people"))
    page.wait_for_url("**/incidents/inc_*")
    incident = page.url.rpartition("/")[2]
    assert page.inner_text("h1") == TITLE
    _tap(page.get_by_role("button", name="I have it"))

    page.get_by_label("Update", exact=True).fill(UPDATE)
    page.get_by_label("also on the status page").check()
    page.locator("#update").get_by_role("combobox").select_option("identified")
    _tap(page.get_by_role("button", name="Post the update"))
    page.locator("#updates", has_text="Cards are not charged.").wait_for()
    assert UPDATE in page.inner_text("#updates")
    assert "identified" in page.inner_text("#state")
    assert audit(page, "sideways") == []
    keep_picture(page, "phone-incident-told")

    _publish(visit, server)
    public = open_page(f"{server.url}/status", "phone", java_script_enabled=False)
    told = public.locator("article", has_text=TITLE)
    assert UPDATE in told.inner_text()
    assert audit(public, "sideways") == []
    keep_picture(public, "phone-status-told")

    _tap(page.get_by_text("Resolve", exact=True))
    page.get_by_label("Reason").locator("visible=true").fill("the old certificate is back")
    _tap(page.get_by_role("button", name="Call it over"))
    page.get_by_text("Open it again").wait_for()
    assert "resolved" in page.inner_text("#state")
    keep_picture(page, "phone-incident-over")
    found = server.client.get(f"/api/v1/incidents/{incident}").raise_for_status().json()
    assert (found["title"], found["status"]) == (TITLE, "resolved")
    assert found["resolved_reason"] == "the old certificate is back"


def _publish(visit: Open, server: RunningServer) -> None:
    """What was marked public waits for somebody who publishes it: nothing is told to everybody by one tap."""
    drafts = "/api/v1/status/updates"
    eventually(lambda: any(one["body"] == UPDATE for one in server.client.get(drafts).json()["items"]))
    assert "Cards are not charged" not in server.client.get("/status").raise_for_status().text
    page: Page = visit("/status-page", "phone")
    draft = page.locator("#drafts > .wk-panel-body > div", has=page.get_by_role("heading", name=TITLE))
    draft.get_by_role("button", name="Publish it").click()
    page.locator("section", has=page.get_by_role("heading", name="Published")).get_by_text(TITLE).wait_for()
    eventually(lambda: "Cards are not charged" in server.client.get("/status").text, within=20)


def _tap(what: Locator) -> None:
    """As a thumb does, which needs some room."""
    box = what.bounding_box()
    assert box is not None
    assert box["height"] >= _THUMB
    what.click()
