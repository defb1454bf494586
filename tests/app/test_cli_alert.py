"""`watchkeeper alert` and `watchkeeper heartbeat`, as they are typed on the machine without a running server."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.alerts.support import signal
from watchkeeper.app.cli import cli
from watchkeeper.app.configuration import load_configuration
from watchkeeper.app.server import Watchkeeper
from watchkeeper.modules.alerts.model import Severity
from watchkeeper.modules.alerts.public import Alerting


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two alerts are open."""
    for name in [name for name in os.environ if name.startswith("WATCHKEEPER_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "data"
    monkeypatch.setenv("WATCHKEEPER_DATA", str(folder))
    monkeypatch.setenv("WATCHKEEPER_SELF_TELEMETRY", "false")
    opened = Watchkeeper.open(load_configuration({}, data=folder), background=False)
    with opened as watchkeeper, watchkeeper.db.begin() as session:
        alerts = watchkeeper.app.state.parts[Alerting].on(session, watchkeeper.clock)
        now = watchkeeper.clock.now()
        slow = signal("b", title="Slow", severity=Severity.WARNING, at=now)
        alerts.take([signal("a", details={"free": "0 MB"}, at=now), slow])
    return folder


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, [*words])


def test_what_is_open_is_listed_taken_and_called_over(data: Path) -> None:
    listed = run("alert", "list").output.splitlines()
    assert ["Disk full" in listed[0], "Slow" in listed[1], len(listed)] == [True, True, 2]
    worst = listed[0].split()[0]
    assert "free: 0 MB" in run("alert", "show", worst).output
    assert run("alert", "ack", worst, "--for", "30m").output == "Acknowledged: Disk full\n"
    assert json.loads(run("alert", "list", "--json").output)[0]["status"] == "acknowledged"
    assert run("alert", "ack", worst, "--for", "soon").exit_code == 1
    assert run("alert", "resolve", worst, "--reason", "fixed").output == "Resolved: Disk full\n"
    assert len(run("alert", "list").output.splitlines()) == 1
    gone = run("alert", "show", "alg_nobody")
    assert (gone.exit_code, "no alert" in gone.output) == (1, True)


def test_a_silence_is_looked_at_and_made(data: Path) -> None:
    words = ("alert", "silence", "service=shop", 'title=~"Slo.*"', "--reason", "planned")
    assert run(*words, "--dry-run").output.startswith("1 alerts in 1 groups now")
    assert run(*words, "--for", "1h").output.startswith("Silenced until ")
    assert "silence: pages nobody" in run("alert", "list").output
    refused = run("alert", "silence", "x=~(", "--reason", "planned")
    assert (refused.exit_code, "RE2" in refused.output) == (1, True)


def test_heartbeats_are_listed(data: Path) -> None:
    assert run("heartbeat", "list").exit_code == 0
    assert json.loads(run("heartbeat", "list", "--json").output) == []
