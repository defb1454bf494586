"""`watchkeeper incident`, as it is typed on the machine without a running server."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from watchkeeper.app.cli import cli


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data directory."""
    for name in [name for name in os.environ if name.startswith("WATCHKEEPER_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("WATCHKEEPER_DATA", str(folder))
    monkeypatch.setenv("WATCHKEEPER_SELF_TELEMETRY", "false")
    return folder


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["incident", *words])


def test_an_incident_from_the_first_word_to_the_last(data: Path, tmp_path: Path) -> None:
    assert run("list").output == "No incident is open.\n"
    made = run("open", "Nobody can pay", "--severity", "sev-2", "--service", "shop")
    assert made.exit_code == 0, made.output
    one = made.output.split()[3]
    graph = tmp_path / "trace.log"
    graph.write_text("line 1")
    for words in (
        ("ack", one),
        ("severity", one, "SEV-1"),
        ("status", one, "identified"),
        ("update", one, "We roll back", "--public", "--key", "k1"),
        ("note", one, "Roll back", "--decision"),
        ("attach", one, str(graph)),
        ("resolve", one, "--reason", "rolled back"),
        ("reopen", one),
    ):
        done = run(*words)
        assert done.exit_code == 0, (words, done.output)
    shown = run("show", one).output
    for words in ("SEV-1", "identified (public): We roll back", "decision: Roll back", "trace.log"):
        assert words in shown, shown
    assert json.loads(run("list", "--json").output)[0]["id"] == one
    refused = run("merge", one, one)
    assert (refused.exit_code, "itself" in refused.output) == (1, True)
    assert "person-hours" in run("measures").output


def test_a_drill_is_told_line_by_line(data: Path) -> None:
    played = run("drill", "--service", "shop", "--severity", "SEV-1")
    assert played.exit_code == 0, played.output
    for words in ("Nobody was called.", "Problem: the catalog has no service shop", "an update is due"):
        assert words in played.output
    assert run("list").output == "No incident is open.\n"
    assert run("drill", "--severity", "SEV-7").exit_code == 1
