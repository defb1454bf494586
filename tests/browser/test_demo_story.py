"""The whole of it, with real processes: bad release, page, incident, suspect, undo, recovery and postmortem."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.app.test_demo import demo

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the demo's helpers read /proc")
# Nobody is measured here: the machine may be busy. `bench.demo_story` measures.
PATIENCE = 240_000


@pytest.mark.timeout(900)
def test_a_bad_release_is_found_undone_and_learned_from(tmp_path: Path, chromium: Browser) -> None:
    with demo(tmp_path, "--rate", "20") as running:
        page = chromium.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(running.link())
        page.get_by_role("button").first.click()
        # The good release is known before the bad one comes.
        page.wait_for_url("**/")
        base = page.url.rstrip("/")
        page.goto(f"{base}/services/duet-chat")
        page.get_by_role("heading", name="duet-chat").wait_for()

        page.goto(f"{base}/demo")
        page.get_by_role("button", name="Deploy the bad release").click()
        for chapter in ("burning", "paged", "incident", "suspect"):
            page.locator(f"[data-chapter={chapter}]").wait_for()
        phones = [json.loads(line) for line in (running.data / "logs" / "phones.jsonl").read_text().splitlines()]
        assert phones, "somebody's phone rang"

        page.locator("[data-chapter=incident] a").click()
        first = page.locator("#suspects li").first
        first.wait_for()
        assert "duet-chat" in first.inner_text()
        assert "v2" in first.inner_text()
        first.locator("summary").click()
        first.get_by_label("Reason").fill("v2 forgets about pictures")
        first.get_by_label("Yes, do it now").check()
        with page.expect_navigation():
            first.locator(".st-undo form button").click()

        page.goto(f"{base}/demo")
        page.locator("[data-chapter=undone]").wait_for()
        page.locator("[data-chapter=recovered]").wait_for()
        page.locator("[data-chapter=incident] a").click()
        page.locator(".wi-actions summary", has_text="Resolve").click()
        page.locator("#wi-resolve-why").fill("v1 runs again, and nothing fails")
        page.get_by_role("button", name="Call it over").click()
        page.get_by_text("Open it again").wait_for()

        page.goto(f"{base}/demo")
        page.locator("[data-chapter=postmortem] a").click()
        causes = page.get_by_text("duet-chat runs version v2", exact=False).locator("visible=true").first
        causes.wait_for()
