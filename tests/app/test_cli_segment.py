"""`watchkeeper segment`, as it is typed on the machine without a running server."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from watchkeeper.app.cli import cli
from watchkeeper.app.configuration import load_configuration
from watchkeeper.app.server import Watchkeeper
from watchkeeper.modules.subjects.model import Definition, Rule
from watchkeeper.modules.subjects.segments import Segments
from watchkeeper.modules.subjects.service import Subjects, Update

PREMIUM = 'attributes.plan == "premium"'


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four users, of whom one pays, and two segments."""
    for name in [name for name in os.environ if name.startswith("WATCHKEEPER_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "data"
    monkeypatch.setenv("WATCHKEEPER_DATA", str(folder))
    monkeypatch.setenv("WATCHKEEPER_SELF_TELEMETRY", "false")
    opened = Watchkeeper.open(load_configuration({}, data=folder), background=False)
    with opened as watchkeeper, watchkeeper.db.begin() as session:
        plans = ("premium", "free", "free", "free")
        users = [Update(f"u{number}", {"attributes": {"plan": plan}}) for number, plan in enumerate(plans)]
        Subjects(session, watchkeeper.clock).take(users, by="x", source="api")
        segments = Segments(session, watchkeeper.clock)
        paying = Definition("custom", "Who pays.", Rule(expression=PREMIUM))
        segments.create("premium", paying, by="x", source="api")
        segments.create("testers", Definition("manual"), ["u1"], by="x", source="api")
    return folder


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["segment", *words])


def test_the_list_shows_name_type_and_description(data: Path) -> None:
    listed = run("list")
    assert [line.split() for line in listed.output.splitlines()] == [
        ["premium", "custom", "Who", "pays."],
        ["testers", "manual"],
    ]
    assert [one["name"] for one in json.loads(run("list", "--json").output)] == ["premium", "testers"]


def test_one_is_shown_with_its_rule(data: Path) -> None:
    assert f"expression: {PREMIUM}" in run("show", "premium").output
    assert "members: 1" in run("show", "testers").output
    assert "type: built_in" in run("show", "country_NO").output
    missing = run("show", "gone")
    assert (missing.exit_code, "no segment" in missing.output) == (1, True)


def test_an_expression_is_counted_or_refused_with_its_place(data: Path) -> None:
    assert run("preview", PREMIUM).output.strip() == "1 of 4 users, 25.0%"
    refused = run("preview", "plan == 1")
    assert (refused.exit_code, "column 1" in refused.output) == (1, True)
