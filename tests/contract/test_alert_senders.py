"""Real senders pointed at a real server: Alertmanager both ways, PagerDuty's own client, curl."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import missing
from tests.support.running import RunningServer, eventually, running_server

ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("senders") / "data") as server:
        yield server


def key_of(server: RunningServer, name: str, kind: str) -> str:
    made = server.client.post("/api/v1/alerts/integrations", json={"name": name, "kind": kind, "service": name})
    assert made.status_code == 201, made.text
    return str(made.json()["key"])


def groups(server: RunningServer, service: str, status: str) -> list[Any]:
    found = server.client.get("/api/v1/alerts", params={"service": service, "status": status})
    items: list[Any] = found.raise_for_status().json()["items"]
    return items


@pytest.fixture
def alertmanager(tmp_path: Path, server: RunningServer) -> Iterator[str]:
    """Debian's Alertmanager, which sends everything by webhook and as PagerDuty's client."""
    if ALERTMANAGER is None:
        missing("Alertmanager is not installed: scripts/test-deps.sh installs Debian's")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    hook, pager = key_of(server, "by-webhook", "alertmanager"), key_of(server, "as-pagerduty", "pagerduty")
    config = tmp_path / "alertmanager.yml"
    config.write_text(
        json.dumps(
            {
                "global": {"pagerduty_url": f"{server.url}/v2/enqueue"},
                "route": {"receiver": "both", "group_wait": "0s", "group_interval": "1s", "group_by": ["alertname"]},
                "receivers": [
                    {
                        "name": "both",
                        "webhook_configs": [
                            {"url": f"{server.url}/integrations/alertmanager/{hook}", "send_resolved": True}
                        ],
                        "pagerduty_configs": [{"routing_key": pager, "severity": "error"}],
                    }
                ],
            }
        )
    )
    command = [str(ALERTMANAGER), f"--config.file={config}", f"--storage.path={tmp_path / 'am'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", "--log.level=error"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: _is_ready(url), within=60)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def ago(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds))


def test_alertmanager_sends_both_ways_what_fires_and_what_ended(server: RunningServer, alertmanager: str) -> None:
    alert = {
        "labels": {"alertname": "HighErrors", "severity": "page", "instance": "a:1"},
        "annotations": {"summary": "Too many errors"},
        "generatorURL": "http://prometheus.example/graph",
        "startsAt": ago(60),
    }

    def send(**more: str) -> None:
        sent = httpx.post(f"{alertmanager}/api/v2/alerts", json=[{**alert, **more}], trust_env=False)
        assert sent.status_code == 200, sent.text

    send()
    for service in ("by-webhook", "as-pagerduty"):
        (group,) = eventually(lambda service=service: groups(server, service, "triggered"), within=180)  # type: ignore[misc]
        assert group["alert_count"] == 1
    (hook,) = groups(server, "by-webhook", "triggered")
    assert (hook["title"], hook["severity"], hook["family"]) == (
        "HighErrors: Too many errors",
        "critical",
        "HighErrors",
    )
    send(endsAt=ago(1))
    for service in ("by-webhook", "as-pagerduty"):
        assert eventually(lambda service=service: groups(server, service, "resolved"), within=180)  # type: ignore[misc]


def test_pagerdutys_own_client_needs_only_another_address(server: RunningServer) -> None:
    import pagerduty

    class OnLoopback(pagerduty.EventsApiV2Client):
        # The client insists on https, for which a server on loopback has no certificate; nothing else of it is changed.
        url = ""

    key = key_of(server, "own-client", "pagerduty")
    client = OnLoopback(key, base_url=server.url)
    dedup = client.trigger("Disk full", "db-1", severity="critical", custom_details={"free": "0 MB"})
    (group,) = groups(server, "own-client", "triggered")
    assert (group["title"], group["severity"]) == ("Disk full", "critical")
    client.acknowledge(dedup)
    assert len(groups(server, "own-client", "acknowledged")) == 1
    client.resolve(dedup)
    assert len(groups(server, "own-client", "resolved")) == 1
    client.send_change_event(payload={"summary": "Deployed 42", "source": "ci"})
    facts = server.client.get("/api/v1/timeline", params={"kind": "alerts.change_recorded"}).json()["items"]
    assert [one["service"] for one in facts] == ["own-client"]


def test_curl_pings_as_in_a_crontab(server: RunningServer) -> None:
    if shutil.which("curl") is None:
        missing("curl is not installed")
    order = {"name": "copy", "period_seconds": 3600, "service": "jobs"}
    path = server.client.post("/api/v1/alerts/heartbeats", json=order).raise_for_status().json()["ping_path"]

    def curl(*more: str) -> str:
        command = ["curl", "-fsS", "-m", "20", "--noproxy", "*", *more]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    url = f"{server.url}{path}"
    assert curl(f"{url}/start") == "OK"
    assert curl("--data-raw", "all well", url) == "OK"
    assert curl("--head", url).startswith("HTTP/1.1 200")
    assert curl(f"{url}/7") == "OK"
    (group,) = groups(server, "jobs", "triggered")
    assert group["title"] == "copy: it failed with exit status 7"
    assert curl(f"{url}/0") == "OK"
    assert groups(server, "jobs", "triggered") == []
