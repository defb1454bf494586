"""A server is killed while it opens an incident, and again while it announces it: there is one, and all are told."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.notify.support import Asked, Provider
from tests.support import mortal
from tests.support.running import RunningServer, eventually, running_server

OPENS = {
    "WATCHKEEPER_INCIDENTS_OPEN_FOR": "critical=SEV-1",
    "WATCHKEEPER_INCIDENTS_SLACK_CHANNEL": "slack",
    "WATCHKEEPER_OUTBOUND_PRIVATE_NETWORKS": "127.0.0.0/8",
    "WATCHKEEPER_SELF_TELEMETRY": "false",
}


@dataclass
class Slack:
    """Answers as Slack does; kills a process when it is asked for the announcement, before it answers."""

    provider: Provider
    names: list[str] = field(default_factory=list)
    announced: list[str] = field(default_factory=list)
    kills: int | None = None

    def answer(self, asked: Asked) -> tuple[int, Any]:
        method = asked.path.strip("/")
        said = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
        if method == "conversations.create":
            if said["name"] in self.names:
                return 200, {"ok": False, "error": "name_taken"}
            self.names.append(said["name"])
            return 200, {"ok": True, "channel": {"id": "C0000001", "name": said["name"]}}
        if method == "conversations.list":
            found = [{"id": "C0000001", "name": name} for name in self.names]
            return 200, {"ok": True, "channels": found, "response_metadata": {"next_cursor": ""}}
        if method == "chat.postMessage":
            self.announced.append(said["text"])
            if self.kills is not None:
                os.kill(self.kills, signal.SIGKILL)
                self.kills = None
        return 200, {"ok": True}


@pytest.fixture
def slack() -> Iterator[Slack]:
    made = Slack(Provider())
    made.provider.answer = made.answer
    yield made
    made.provider.close()


def incidents(server: RunningServer) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.client.get("/api/v1/incidents").raise_for_status().json()["items"]
    return found


def die(server: RunningServer, *words: str) -> None:
    """Have the server kill itself before the next statement that begins with these words."""
    assert server.process.stdin is not None
    server.process.stdin.write(f"die {' '.join(words)}\n".encode())
    server.process.stdin.flush()
    time.sleep(0.3)


def test_an_incident_is_opened_once_and_announced_over_two_deaths(tmp_path: Path, slack: Slack) -> None:
    data = tmp_path / "data"
    with ExitStack() as running:
        first = running.enter_context(running_server(data, OPENS, program=(mortal.__file__,)))
        channel = {"kind": "slack", "settings": {"url": slack.provider.url}, "secrets": {"token": "xoxb-12345678901"}}
        first.client.put("/api/v1/notify/channels/slack", json=channel).raise_for_status()
        key = first.client.post("/api/v1/alerts/integrations", json={"name": "shop", "kind": "pagerduty"})
        die(first, "INSERT", "INTO", "incidents")
        event = {
            "routing_key": key.raise_for_status().json()["key"],
            "event_action": "trigger",
            "payload": {"summary": "Nobody can pay", "severity": "critical", "source": "shop"},
        }
        first.client.post("/v2/enqueue", json=event).raise_for_status()
        assert first.process.wait(60) == -signal.SIGKILL
    with running_server(data, OPENS) as second:
        slack.kills = second.process.pid
        assert second.process.wait(60) == -signal.SIGKILL
    assert len(slack.announced) == 1
    with running_server(data, OPENS) as third:
        (one,) = eventually(lambda: incidents(third))
        eventually(lambda: len(slack.announced) == 2 or _is_told(third, one))
        assert (one["severity"], one["title"]) == ("SEV-1", "Nobody can pay")
        assert slack.names == [one["name"]]
        facts = third.client.get("/api/v1/timeline", params={"kind": "incidents.opened"}).json()["items"]
        assert len(facts) == 1
    assert all("Nobody can pay" in text for text in slack.announced)


def _is_told(server: RunningServer, one: dict[str, Any]) -> bool:
    facts = server.client.get("/api/v1/timeline", params={"kind": "incidents.channel_opened"}).json()["items"]
    return bool(facts)
