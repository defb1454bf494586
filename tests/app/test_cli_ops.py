"""`watchkeeper plan` and `watchkeeper apply`, as they are typed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from watchkeeper.app.cli import cli

WEB = "name: web\nowner: Team Web\ntier: 2\n"


@pytest.fixture
def ops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of files, and an empty Watchkeeper beside it."""
    for name in [name for name in os.environ if name.startswith("WATCHKEEPER_")]:
        monkeypatch.delenv(name)
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("WATCHKEEPER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("WATCHKEEPER_SELF_TELEMETRY", "false")
    (tmp_path / "ops" / "services").mkdir(parents=True)
    (tmp_path / "ops" / "services" / "web.yaml").write_text(WEB, encoding="utf-8")
    return tmp_path / "ops"


def _run(*words: str | Path, typed: str | None = None) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words], input=typed)


def test_a_plan_shows_each_field_and_how_much_there_is_to_do(ops: Path) -> None:
    result = _run("plan", ops)
    assert result.exit_code == 0, result.output
    assert "+ service web" in result.stdout
    assert "    owner: Team Web" in result.stdout
    assert "Plan: 1 to create, 0 unchanged." in result.stdout


def test_a_plan_needs_no_data_directory_and_leaves_none(ops: Path, tmp_path: Path) -> None:
    result = _run("plan", ops, "--data", tmp_path / "nowhere")
    assert (result.exit_code, (tmp_path / "nowhere").exists()) == (0, False)


def test_apply_asks_first_and_does_nothing_on_no(ops: Path) -> None:
    result = _run("apply", ops, typed="n\n")
    assert result.exit_code == 1
    assert "Nothing was changed." in result.stderr
    assert "1 to create" in _run("plan", ops).stdout


def test_apply_does_what_it_showed_and_then_there_is_nothing_to_do(ops: Path) -> None:
    result = _run("apply", ops, typed="y\n")
    assert result.exit_code == 0, result.output
    assert "Applied: 1 created, 0 unchanged." in result.stdout
    again = _run("apply", ops, typed="")
    assert (again.exit_code, "Nothing to change: 1 as the files say." in again.stdout) == (0, True)


def test_programs_get_json_and_never_a_question(ops: Path) -> None:
    planned = json.loads(_run("plan", ops, "--json").stdout)
    assert planned["changes"][0]["name"] == "web"
    refused = _run("apply", ops, "--json")
    assert (refused.exit_code, "--yes" in refused.stderr) == (2, True)
    applied = json.loads(_run("apply", ops, "--json", "--yes", "--fingerprint", planned["fingerprint"]).stdout)
    assert applied["fingerprint"] == planned["fingerprint"]


def test_an_outdated_fingerprint_is_refused_with_the_plan_of_now(ops: Path) -> None:
    result = _run("apply", ops, "--yes", "--fingerprint", "0" * 32)
    assert result.exit_code == 1
    assert "+ service web" in result.stdout
    assert "Something changed since this plan was made" in result.stderr


def test_a_program_that_is_refused_gets_the_plan_of_now_as_json(ops: Path) -> None:
    result = _run("apply", ops, "--yes", "--json", "--fingerprint", "0" * 32)
    assert (result.exit_code, json.loads(result.stdout)["changes"][0]["action"]) == (1, "create")


def test_a_check_fails_when_anything_would_change(ops: Path) -> None:
    assert _run("plan", ops, "--check").exit_code == 1
    assert _run("apply", ops, "--yes").exit_code == 0
    assert _run("plan", ops, "--check").exit_code == 0


def test_a_mistake_is_named_as_file_line_and_column_at_the_start_of_a_line(ops: Path) -> None:
    (ops / "services" / "bad.yaml").write_text("name: bad\ntier: 7\n", encoding="utf-8")
    for verb in (("plan", ops), ("apply", ops, "--yes")):
        result = _run(*verb)
        assert result.exit_code == 1
        lines = result.stderr.splitlines()
        assert lines[0] == f"{ops.as_posix()}/services/bad.yaml:2:7: expected 1, 2, 3 or 4 for tier, found 7"
        assert lines[-1] == "There is one mistake in the files; nothing was changed."


def test_what_can_not_be_read_is_named_the_same_way(ops: Path) -> None:
    (ops / "services" / "bad.yaml").write_bytes(b"name: caf\xe9\n")
    result = _run("plan", ops)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{ops.as_posix()}/services/bad.yaml:1:10: expected text in UTF-8")


def test_wrong_use_is_exit_code_2(ops: Path) -> None:
    assert _run("plan").exit_code == 2
    assert _run("plan", ops / "nowhere").exit_code == 2
    assert _run("apply", ops / "services" / "web.yaml").exit_code == 2


def test_a_later_versions_files_are_noticed_on_the_side(ops: Path) -> None:
    (ops / "cohorts.yaml").write_text("x", encoding="utf-8")
    result = _run("plan", ops)
    assert result.exit_code == 0
    assert "cohorts.yaml: not read by this version" in result.stderr
