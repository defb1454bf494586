"""`watchkeeper incident`, as it is typed on another machine than the server's, with alerts that are open."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.support.running import RunningServer, eventually, running_server
from watchkeeper.app.cli import cli

RULES = """\
rules:
  - {name: not-in-staging, environments: [staging], open: nothing, priority: 1}
  - {name: critical, severities: [critical], open: SEV-1}
"""
SETTINGS = {"WATCHKEEPER_SELF_TELEMETRY": "false", "WATCHKEEPER_OUTBOUND_PRIVATE_NETWORKS": "127.0.0.0/8"}


@dataclass(frozen=True)
class Elsewhere:
    """Somebody's terminal, and the server that it speaks to with a token that may respond."""

    server: RunningServer
    token: str
    key: str

    def run(self, *words: str) -> Result:
        there = ["--server", self.server.url, "--token", self.token]
        return CliRunner().invoke(cli, ["incident", *words, *there])

    def done(self, *words: str) -> str:
        found = self.run(*words)
        assert found.exit_code == 0, (words, found.output)
        return found.output

    def alert(self, name: str, action: str = "trigger") -> None:
        """Somebody's monitoring says so, of a host of this name."""
        about = {"summary": f"{name} is dead", "severity": "critical", "source": name, "component": name}
        said = {"routing_key": self.key, "event_action": action, "dedup_key": name, "payload": about}
        self.server.client.post("/v2/enqueue", json=said).raise_for_status()

    def incidents(self, words: str) -> list[dict[str, Any]]:
        found = self.server.client.get("/api/v1/incidents", params={"q": words}).raise_for_status().json()["items"]
        return [one for one in found if words in one["title"]]


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    with running_server(tmp_path_factory.mktemp("server") / "data", SETTINGS) as server:
        api = server.client
        api.post("/api/v1/ops/apply", json={"files": {"incidents.yaml": RULES}}).raise_for_status()
        token = api.post("/api/v1/tokens", json={"name": "terminal", "scopes": ["respond"]}).raise_for_status()
        way = {"name": "monitoring", "kind": "pagerduty", "group_by": ["component"]}
        key = api.post("/api/v1/alerts/integrations", json=way).raise_for_status()
        yield Elsewhere(server, token.json()["secret"], key.json()["key"])


def test_what_an_alert_opened_is_led_to_its_end_and_is_asked_why_while_it_fires(elsewhere: Elsewhere) -> None:
    elsewhere.alert("shop")
    (one,) = eventually(lambda: elsewhere.incidents("shop is dead"))
    assert one["id"] in elsewhere.done("list")
    assert "not-in-staging: environments: staging -> nothing" in elsewhere.done("rules")
    elsewhere.done("note", one["id"], "I look at it")
    elsewhere.done("status", one["name"], "identified")
    asked = [sys.executable, "-m", "watchkeeper", "incident", "resolve", one["id"], "--server", elsewhere.server.url]
    refused = subprocess.run(
        [*asked, "--token", elsewhere.token], capture_output=True, text=True, timeout=60, check=False, cwd=Path("/")
    )
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "Critical alerts are open: shop is dead. Say why" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert elsewhere.run("status", one["id"], "resolved").exit_code == 1
    assert "Resolved" in elsewhere.done("resolve", one["id"], "--reason", "the host is not used any more")
    assert "Open again" in elsewhere.done("reopen", one["id"], "--reason", "it is")
    shown = elsewhere.done("show", one["name"])
    for words in ("investigating", "note: I look at it", "alert_group: alg_"):
        assert words in shown, shown


def test_an_incident_is_declared_told_of_and_measured(elsewhere: Elsewhere, tmp_path: Path) -> None:
    made = elsewhere.done("open", "Nobody can pay", "--severity", "sev-2", "--service", "shop")
    one, graph = made.split()[3], tmp_path / "trace.log"
    graph.write_text("line 1")
    for words in (
        ("ack", one),
        ("severity", one, "SEV-1"),
        ("status", one, "identified"),
        ("update", one, "We roll back", "--public", "--key", "k1"),
        ("note", one, "Roll back", "--decision"),
        ("attach", one, str(graph)),
        ("resolve", one, "--reason", "rolled back"),
    ):
        elsewhere.done(*words)
    shown = elsewhere.done("show", one)
    for said in ("SEV-1", "identified (public): We roll back", "decision: Roll back", "trace.log"):
        assert said in shown, shown
    assert one in [each["id"] for each in json.loads(elsewhere.done("list", "--all", "--json"))]
    assert "person-hours" in elsewhere.done("measures")
    refused = elsewhere.run("merge", one, one)
    assert (refused.exit_code, "itself" in refused.output) == (1, True)


def test_two_that_are_one_are_merged_and_a_part_is_split_off(elsewhere: Elsewhere) -> None:
    for name in ("cart", "mail"):
        elsewhere.alert(name)
    (cart,) = eventually(lambda: elsewhere.incidents("cart is dead"))
    (mail,) = eventually(lambda: elsewhere.incidents("mail is dead"))
    assert mail["id"] in elsewhere.done("merge", cart["id"], mail["id"])
    assert elsewhere.run("resolve", cart["id"], "--reason", "x").exit_code == 1
    (group,) = [line.split()[1] for line in elsewhere.done("show", mail["id"]).splitlines() if "cart is dead" in line][
        :1
    ]
    made = elsewhere.done("split", mail["id"], "Only the cart", "--link", group, "--severity", "sev-2")
    assert made.startswith("SEV-2 is open: inc_")
    assert group in elsewhere.done("show", made.split()[3])
    nothing = elsewhere.run("link", mail["id"], "change", "chg_nothing")
    assert (nothing.exit_code, "the id of a change of configuration" in nothing.output) == (1, True)
    assert "https://graphs.example" in elsewhere.done("link", mail["id"], "url", "https://graphs.example")


def test_a_drill_is_told_line_by_line_and_counts_nowhere(elsewhere: Elsewhere) -> None:
    before = elsewhere.done("measures", "--json")
    played = elsewhere.done("drill", "--service", "nowhere", "--severity", "SEV-1")
    for words in ("Nobody was called.", "Problem: the catalog has no service nowhere", "an update is due"):
        assert words in played
    assert "Drill" not in elsewhere.done("list")
    assert json.loads(elsewhere.done("measures", "--json"))["total"] == json.loads(before)["total"]
    assert elsewhere.run("drill", "--severity", "SEV-7").exit_code == 1
