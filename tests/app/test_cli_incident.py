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


def test_without_a_server_it_is_declared_and_shown_all_the_same(data: Path) -> None:
    assert run("list").output == "No incident is open.\n"
    made = run("open", "Nobody can pay", "--severity", "sev-2", "--service", "shop")
    assert made.exit_code == 0, made.output
    assert json.loads(run("list", "--json").output)[0]["id"] == made.output.split()[3]
