"""A page of another origin in a real browser, with the provider made for browsers: answers and the stream."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.conftest import CHROMIUM, FLAGS
from tests.conftest import missing
from tests.contract.ofrep.conftest import Ofrep
from tests.support.running import running_server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NODE = Path(__file__).parent / "node"
SWEDEN = {"targetingKey": "u1", "country": "SE"}
NORWAY = {"targetingKey": "u1", "country": "NO"}
DEFINED: tuple[dict[str, Any], ...] = (
    {"key": "COUNT", "type": "integer", "default": 3},
    {"key": "RATIO", "type": "float", "default": 2.0},
    {"key": "FLAG", "type": "flag"},
)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    """The origin of a web shop: its page and the files of the provider."""
    if not (NODE / "node_modules").exists():
        missing("The clients of tests/contract/ofrep/node are missing: scripts/test-deps.sh brings them")
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(NODE))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        missing("Chromium is not installed: scripts/test-deps.sh installs Debian's")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, shop: str) -> Iterator[Page]:
    context = chromium.new_context()
    opened = context.new_page()
    opened.set_default_timeout(15_000)
    opened.goto(f"{shop}/page.html")
    opened.wait_for_function("window.loaded")
    yield opened
    context.close()


@contextmanager
def platform(data: Path, origins: str, *, port: int = 0) -> Iterator[Ofrep]:
    """Watchkeeper on this data, with three parameters and a token."""
    with running_server(data, {"WATCHKEEPER_CONFIG_OFREP_ORIGINS": origins}, port=port) as server:
        if server.client.get("/api/v1/config/parameters/FLAG").status_code == 404:
            for one in DEFINED:
                server.client.post("/api/v1/config/parameters", json=one).raise_for_status()
        made = server.client.post("/api/v1/tokens", json={"name": "shop", "scopes": ["read"]}).json()
        running = Ofrep(server, made["secret"])
        running.put("FLAG", {"value": "on", "priority": 0}, "segment:country_NO")
        yield running


def start(page: Page, ofrep: Ofrep, context: dict[str, Any]) -> str:
    return str(page.evaluate("([url, token, who]) => start(url, token, who)", [ofrep.server.url, ofrep.token, context]))


def shown(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate("show()")
    return found


def test_a_page_follows_who_asks_and_what_is_changed(page: Page, shop: str, tmp_path: Path) -> None:
    with platform(tmp_path / "data", shop) as ofrep:
        assert start(page, ofrep, SWEDEN) == "ready"
        assert shown(page) == {"flag": False, "count": 3, "ratio": 2, "status": "READY"}

        # Another country of the same user: the provider sends the ETag of before along.
        with page.expect_response("**/ofrep/v1/evaluate/flags") as answered:
            page.evaluate("who => become(who)", NORWAY)
        assert answered.value.request.header_value("if-none-match") is not None
        assert answered.value.status == 200
        assert shown(page)["flag"] is True

        ofrep.put("COUNT", 7)
        page.wait_for_function("show().count === 7", timeout=5_000)
        assert ["ConfigurationChanged", ["COUNT"]] in [
            [name, [one for one in flags or [] if one == "COUNT"]] for name, flags in page.evaluate("events")
        ]
        assert shown(page)["status"] == "READY"


def test_a_change_while_the_stream_was_away_reaches_the_page_when_it_is_back(
    page: Page, shop: str, tmp_path: Path
) -> None:
    with platform(tmp_path / "data", shop) as ofrep:
        assert start(page, ofrep, SWEDEN) == "ready"
        port = int(ofrep.server.url.rpartition(":")[2])
    with platform(tmp_path / "data", shop, port=port) as ofrep:
        ofrep.put("COUNT", 9)
        page.wait_for_function("show().count === 9", timeout=20_000)


def test_a_revoked_token_ends_the_stream_and_is_refused_another(page: Page, shop: str, tmp_path: Path) -> None:
    with platform(tmp_path / "data", shop) as ofrep:
        assert start(page, ofrep, SWEDEN) == "ready"
        tokens = ofrep.server.client.get("/api/v1/tokens").json()["items"]
        mine = next(one["id"] for one in tokens if one["name"] == "shop")
        with page.expect_response(lambda answer: answer.status == 401, timeout=25_000) as refused:
            ofrep.server.client.delete(f"/api/v1/tokens/{mine}").raise_for_status()
        assert "/ofrep/v1/" in refused.value.url


def test_a_page_of_an_origin_that_is_not_listed_gets_nothing(page: Page, tmp_path: Path) -> None:
    with platform(tmp_path / "data", "https://other.example") as ofrep:
        assert start(page, ofrep, SWEDEN) != "ready"
        assert shown(page)["count"] == 0
