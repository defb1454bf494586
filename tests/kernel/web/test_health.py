"""Alive, ready, measured: to whom it is told, and how much."""

import asyncio

import pytest

from tests.kernel.web.support import bearer, browser, small_app
from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.kernel.web import health
from watchkeeper.kernel.web.health import ReadyChecks
from watchkeeper.kernel.web.settings import WebSettings


class Check:
    def __init__(self, name: str, trouble: str | None = None, crash: bool = False, slow: bool = False) -> None:
        self.name, self.trouble, self.crash, self.slow = name, trouble, crash, slow

    async def check(self) -> str | None:
        if self.crash:
            raise OSError("the path /secret/place is gone")
        if self.slow:
            await asyncio.sleep(60)
        return self.trouble


def client_with(*checks: Check, host: str = "127.0.0.1", rule: str = "auto"):
    parts = {
        ReadyChecks: ReadyChecks(checks),
        ServerSettings: ServerSettings(host=host),
        WebSettings: WebSettings(metrics_public=rule),
    }
    return browser(small_app(parts=parts))


def test_a_living_process_says_so_to_anybody():
    assert client_with(Check("database", "gone")).get("/healthz").json() == {"status": "alive"}


def test_ready_means_that_every_check_passes():
    assert client_with(Check("database"), Check("migrations")).get("/readyz").json() == {"status": "ready"}


def test_not_ready_is_told_to_all_and_the_reason_to_those_signed_in():
    client = client_with(Check("database"), Check("migrations", "2 migrations are pending"))
    stranger = client.get("/readyz")
    assert (stranger.status_code, stranger.json()) == (503, {"status": "not ready"})
    known = client.get("/readyz", headers=bearer("read")).json()
    assert known["checks"] == {"database": "ok", "migrations": "2 migrations are pending"}


def test_a_check_that_breaks_is_a_check_that_fails_without_its_details():
    answer = client_with(Check("disk", crash=True)).get("/readyz", headers=bearer("read"))
    assert (answer.status_code, answer.json()["checks"]) == (503, {"disk": "failed: OSError"})


def test_a_check_that_hangs_is_a_check_that_fails(monkeypatch):
    monkeypatch.setattr(health, "_CHECK_SECONDS", 0.05)
    answer = client_with(Check("disk", slow=True)).get("/readyz", headers=bearer("read"))
    assert answer.json()["checks"]["disk"].startswith("no answer within")


@pytest.mark.parametrize(
    ("rule", "host", "headers", "status"),
    [
        ("auto", "127.0.0.1", {}, 200),
        ("auto", "::1", {}, 200),
        ("auto", "0.0.0.0", {}, 401),
        ("auto", "0.0.0.0", bearer("read"), 200),
        ("auto", "0.0.0.0", bearer("intake"), 403),
        ("always", "0.0.0.0", {}, 200),
        ("never", "127.0.0.1", {}, 401),
        ("never", "127.0.0.1", bearer("admin"), 200),
    ],
)
def test_metrics_are_open_on_loopback_or_by_setting_and_else_need_read(rule, host, headers, status):
    assert client_with(host=host, rule=rule).get("/metrics", headers=headers).status_code == status


def test_metrics_are_prometheus_text_with_the_duration_of_requests_by_route():
    client = client_with()
    client.get("/openapi.json")
    client.get("/no/such/route/7")
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert 'http_server_request_duration_seconds_count{http_request_method="GET"' in answer.text
    assert 'http_route="/openapi.json"' in answer.text
    assert "/no/such/route" not in answer.text
    assert "process_resident_memory_bytes" in answer.text


def test_openmetrics_is_given_to_those_who_ask():
    answer = client_with().get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")
