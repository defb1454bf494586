"""What every answer carries, and which requests are not for this server."""

from ipaddress import ip_address
from typing import Annotated

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.kernel.web.support import PAGE, bearer, browser, small_app
from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.kernel.web.access import Actor, public
from watchkeeper.kernel.web.headers import HostGuard
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.settings import WebSettings
from watchkeeper.kernel.web.wire import api_router, page_router

api = api_router("echo")
pages = page_router()
Anybody = Annotated[Actor | None, public("a test")]


@api.get("/echo")
async def echo(request: Request, who: Anybody) -> dict[str, str | None]:
    client = request.client.host if request.client else None
    return {"client": client, "scheme": request.url.scheme, "host": request.url.netloc}


@pages.get("/page")
async def page(request: Request, who: Anybody):
    return render(request, "shell/plain.html")


def app_with(base_url: str | None = None, **web: str):
    parts = {ServerSettings: ServerSettings(base_url=base_url), WebSettings: WebSettings(**web)}
    return small_app(api, pages, parts=parts)


@pytest.mark.parametrize("path", ["/page", "/api/v1/echo", "/nothing", "/healthz"])
def test_every_answer_keeps_the_browser_on_our_side(path):
    headers = browser(app_with()).get(path, headers=PAGE).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "strict-transport-security" not in headers


def test_over_https_browsers_are_told_to_stay_there():
    answer = browser(app_with("https://ops.example.org")).get("/healthz", headers={"host": "ops.example.org"})
    assert "max-age" in answer.headers["strict-transport-security"]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8700",
        "localhost",
        "[::1]:8700",
        "10.1.2.3",
        "watchkeeper",
        "watchkeeper:8700",
        "wk.localhost",
        "ops.example.org",
    ],
)
def test_addresses_plain_names_and_the_own_name_are_answered(host):
    assert browser(app_with("https://ops.example.org")).get("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "ops.example.org.evil.example", "127.0.0.1.evil.example", "", "[::1", "a.b:80:80"]
)
def test_a_name_of_elsewhere_that_points_here_is_refused(host):
    answer = browser(app_with("https://ops.example.org")).get("/healthz", headers={"host": host})
    assert (answer.status_code, answer.json()["code"]) == (421, "kernel.misdirected")
    assert "web.allowed_hosts" in answer.json()["detail"]


def test_further_names_can_be_allowed_or_all():
    assert (
        browser(app_with(allowed_hosts="a.example, WK.Example"))
        .get("/healthz", headers={"host": "wk.example"})
        .status_code
        == 200
    )
    assert browser(app_with(allowed_hosts="*")).get("/healthz", headers={"host": "any.example"}).status_code == 200


@given(st.ip_addresses())
def test_an_address_is_never_taken_for_a_foreign_name(address):
    guard = HostGuard(lambda *_: None, base_url=None, allowed=frozenset())  # type: ignore[arg-type, return-value]
    text = f"[{address}]" if address.version == 6 else str(address)
    assert guard._is_ours(f"{text}:8700")


FORWARDED = {
    "x-forwarded-for": "203.0.113.9, 10.0.0.7",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "ops.example",
}


def test_forwarded_headers_of_strangers_are_ignored():
    client = browser(app_with(), client=("198.51.100.1", 5))
    assert client.get("/api/v1/echo", headers=FORWARDED).json() == {
        "client": "198.51.100.1",
        "scheme": "http",
        "host": "testserver",
    }


def test_a_trusted_proxy_is_believed_up_to_the_first_address_that_is_none():
    app = app_with(trusted_proxies="10.0.0.0/8", allowed_hosts="ops.example")
    answer = browser(app, client=("10.0.0.1", 5)).get("/api/v1/echo", headers=FORWARDED).json()
    assert answer == {"client": "203.0.113.9", "scheme": "https", "host": "ops.example"}


def test_a_visitor_can_not_hide_behind_an_address_of_the_proxies():
    app = app_with(trusted_proxies="10.0.0.0/8")
    spoofed = {"x-forwarded-for": "10.9.9.9, 203.0.113.9"}
    assert browser(app, client=("10.0.0.1", 5)).get("/api/v1/echo", headers=spoofed).json()["client"] == "203.0.113.9"


def test_nonsense_from_a_trusted_proxy_changes_nothing():
    app = app_with(trusted_proxies="10.0.0.1")
    headers = {"x-forwarded-for": "unknown", "x-forwarded-proto": "gopher"}
    answer = browser(app, client=("10.0.0.1", 5)).get("/api/v1/echo", headers=headers).json()
    assert (answer["client"], answer["scheme"]) == ("10.0.0.1", "http")


def test_the_forwarded_host_has_to_be_ours_as_well():
    app = app_with(trusted_proxies="10.0.0.1")
    answer = browser(app, client=("10.0.0.1", 5)).get("/api/v1/echo", headers={"x-forwarded-host": "evil.example"})
    assert answer.status_code == 421


def test_a_proxy_that_is_no_network_stops_the_start():
    with pytest.raises(ValidationError):
        WebSettings(trusted_proxies="my-proxy")
    assert WebSettings(trusted_proxies="10.0.0.1, fd00::/8").proxies()[1].supernet_of
    assert ip_address("10.0.0.1") in WebSettings(trusted_proxies="10.0.0.1").proxies()[0]


def test_each_request_has_an_id_of_ours():
    client = browser(app_with())
    first, second = (client.get("/api/v1/echo", headers={**bearer("read"), "x-request-id": "theirs"}) for _ in range(2))
    assert first.headers["x-request-id"].startswith("req_")
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
