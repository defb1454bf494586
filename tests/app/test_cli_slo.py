"""`watchkeeper slo`, as it is typed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from watchkeeper.app.cli import cli
from watchkeeper.modules.slo.definition import Definition
from watchkeeper.modules.slo.files.openslo_export import text_of

WEB = Definition.model_validate(
    {
        "name": "web",
        "service": "web",
        "indicator": {"kind": "availability", "service": "web"},
        "objectives": [{"target": 0.999}],
        "window": {"rolling": "30d"},
    }
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Watchkeeper, and a directory with an SLO beside it."""
    for name in [name for name in os.environ if name.startswith("WATCHKEEPER_")]:
        monkeypatch.delenv(name)
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("WATCHKEEPER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("WATCHKEEPER_SELF_TELEMETRY", "false")
    (tmp_path / "ops" / "slos").mkdir(parents=True)
    (tmp_path / "ops" / "slos" / "web.yaml").write_text(text_of([WEB]), encoding="utf-8")
    return tmp_path


def _run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def test_what_files_say_is_applied_listed_shown_and_judged(place: Path) -> None:
    assert "No objectives." in _run("slo", "list").stdout
    applied = _run("apply", place / "ops", "--yes")
    assert applied.exit_code == 0, applied.output
    listed = _run("slo", "list")
    assert "no data    web     nothing, target 99.9%   100.0% left" in listed.stdout
    (one,) = json.loads(_run("slo", "list", "--json").stdout)
    assert (one["slo"], one["objective"], one["target"]) == ("web", "main", 0.999)
    assert json.loads(_run("slo", "list", "--service", "other", "--json").stdout) == []
    shown = _run("slo", "show", "web").stdout
    assert "service web; the last 30d; from ops" in shown
    assert "0 of 0 events were good since" in shown
    assert "No alert is open." in _run("slo", "alerts").stdout
    assert json.loads(_run("slo", "alerts", "--slo", "web", "--all", "--json").stdout) == []
    judged = _run("slo", "policy", "web", "--check")
    assert (judged.exit_code, judged.stdout) == (0, "web may deploy (built-in).\n")


def test_what_is_not_there_is_one_line_and_exit_code_1(place: Path) -> None:
    refused = _run("slo", "show", "nope")
    assert (refused.exit_code, refused.stderr) == (1, "There is no SLO 'nope'.\n")
    too_few = _run("slo", "suggest", "web")
    assert (too_few.exit_code, "fewer than 100 requests" in too_few.stderr) == (1, True)


def test_files_are_checked_without_a_server(place: Path) -> None:
    valid = _run("slo", "validate", place / "ops" / "slos")
    assert (valid.exit_code, valid.stdout) == (0, "Valid: 1 SLO in 1 file, 0 warnings.\n")
    lax = place / "lax.yaml"
    lax.write_text(text_of([WEB]).replace("0.999", "0.9"), encoding="utf-8")
    warned = _run("slo", "validate", lax)
    assert (warned.exit_code, f"{lax}:" in warned.stderr, "can never fire at 0.9" in warned.stderr) == (0, True, True)
    assert _run("slo", "validate", lax, "--strict").exit_code == 1
    lax.write_text(text_of([WEB]).replace("0.999", "99.9"), encoding="utf-8")
    wrong = _run("slo", "validate", lax, "--json")
    told = json.loads(wrong.stdout)
    assert (wrong.exit_code, told["valid"], told["mistakes"][0]["where"]) == (1, False, f"{lax}:24:15")
    assert _run("slo", "validate", place / "nope.yaml").exit_code == 2


def test_rules_of_files_and_of_the_server_are_the_same(place: Path) -> None:
    of_files = _run("slo", "rules", "--format", "prometheus", place / "ops" / "slos")
    assert of_files.exit_code == 0, of_files.output
    assert [one["name"] for one in yaml.safe_load(of_files.stdout)["groups"]] == ["watchkeeper-slo-web"]
    _run("apply", place / "ops", "--yes")
    assert _run("slo", "rules").stdout == of_files.stdout
    assert 'service_name="web"' in _run("slo", "rules", "--service-label", "service_name").stdout
    assert _run("slo", "rules", "--service-label", "a b", place / "ops").exit_code == 1
    assert _run("slo", "rules", "--format", "other").exit_code == 2


def test_the_example_of_a_new_directory_is_valid_once_its_comments_are_taken_away(place: Path) -> None:
    _run("init", place / "new")
    example = place / "new" / "slos" / "example.yaml"
    lines = example.read_text(encoding="utf-8").splitlines()
    example.write_text(
        "\n".join(one[1:] if one[:2] != "# " or one[:3] == "#  " else one for one in lines) + "\n", encoding="utf-8"
    )
    checked = _run("slo", "validate", example)
    assert (checked.exit_code, checked.stdout) == (0, "Valid: 2 SLOs in 1 file, 0 warnings.\n"), checked.output
