"""`watchkeeper backup` and `watchkeeper restore`, as they are typed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from tests.app.backup.support import PASSPHRASE
from tests.support.running import running_server
from watchkeeper.app.cli import cli


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Watchkeeper in `data` with one fact, a place for backups, a passphrase in a file."""
    for name in [name for name in os.environ if name.startswith("WATCHKEEPER_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WATCHKEEPER_DATA", "data")
    monkeypatch.setenv("WATCHKEEPER_SELF_TELEMETRY", "false")
    for name in ("data", "target"):
        (tmp_path / name).mkdir()
    (tmp_path / "passphrase").write_text(PASSPHRASE + "\n", encoding="utf-8")
    assert _run("token", "create", "--name", "first", "--scope", "read").exit_code == 0
    return tmp_path


def _run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def _state() -> dict[str, object]:
    """What the journal of the Watchkeeper knows of drills."""
    from watchkeeper.app.configuration import load_configuration
    from watchkeeper.app.local import connect

    with connect(load_configuration(os.environ)) as client:
        found: dict[str, object] = client.get("/api/v1/backups/status").json()
    return found


def test_a_backup_with_a_passphrase_furnishes_a_new_machine(home: Path) -> None:
    made = _run("backup", "target", "--passphrase-file", "passphrase")
    assert made.exit_code == 0, made.output
    assert "1 facts, written and verified." in made.stdout
    restored = _run("restore", "target", "--passphrase-file", "passphrase", "--data", "new")
    assert restored.exit_code == 0, restored.output
    assert "Journal head: 1 " in restored.stdout
    assert "The journal verifies." in restored.stdout
    assert "first" in _run("token", "list", "--data", "new").stdout
    assert _run("audit", "verify", "--data", "new").exit_code == 0


def test_a_passphrase_file_of_the_environment_locks_and_opens(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHKEEPER_BACKUP_PASSPHRASE_FILE", "passphrase")
    assert json.loads(_run("backup", "target", "--json").stdout)["locked_by"] == "passphrase"
    assert _run("restore", "target", "--data", "new").exit_code == 0


def test_a_backup_without_passphrase_says_what_it_opens_with(home: Path) -> None:
    made = _run("backup", "target")
    assert "keep a copy of that key elsewhere" in made.stderr
    assert _run("restore", "target", "--data", "new").exit_code == 1
    assert not (home / "new").exists()
    assert _run("restore", "target", "--data", "new", "--key-file", "data/installation.key").exit_code == 0


def test_a_backup_of_a_running_server_and_its_drill_are_in_its_journal(home: Path) -> None:
    (home / "served").mkdir()
    with running_server(home / "served") as server:
        made = _run("backup", "target", "--data", "served", "--json")
        assert made.exit_code == 0, made.output
        drilled = _run("restore", "--check", "target", "--data", "served")
        assert drilled.exit_code == 0, drilled.output
        assert "was restored to a temporary place" in drilled.stdout
        status = server.client.get("/api/v1/backups/status").json()
        listed = server.client.get("/api/v1/backups").json()["items"]
    assert [one["id"] for one in listed] == [json.loads(made.stdout)["id"]]
    assert status["last_drill_ok"] is True


def test_a_drill_of_a_damaged_backup_names_the_part_and_is_recorded(home: Path) -> None:
    _run("backup", "target")
    file = next((home / "target").iterdir())
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    drilled = _run("restore", "--check", file)
    assert drilled.exit_code == 1
    assert "part state.sqlite.gz: chunk 1 of 1 was changed" in drilled.stderr
    assert _state()["last_drill_ok"] is False
    restored = _run("restore", file, "--data", "new", "--key-file", "data/installation.key")
    assert (restored.exit_code, "part state.sqlite.gz" in restored.stderr) == (1, True)
    assert not (home / "new" / "watchkeeper.db").exists()


def test_a_drill_on_another_machine_says_that_it_is_not_recorded(home: Path) -> None:
    _run("backup", "target", "--passphrase-file", "passphrase")
    drilled = _run("restore", "--check", "target", "--passphrase-file", "passphrase", "--data", "nowhere")
    assert drilled.exit_code == 0, drilled.output
    assert "Not recorded" in drilled.stderr
    assert not (home / "nowhere").exists()


def test_a_damaged_copy_under_another_name_is_still_named_part_by_part(home: Path) -> None:
    _run("backup", "target")
    content = bytearray(next((home / "target").iterdir()).read_bytes())
    content[len(content) // 2] ^= 1
    (home / "copy.wkbackup").write_bytes(content)
    drilled = _run("restore", "--check", "copy.wkbackup")
    assert drilled.exit_code == 1
    assert "Not recorded" in drilled.stderr
    assert "part state.sqlite.gz: chunk 1 of 1 was changed" in drilled.stderr


def test_a_place_that_is_not_empty_is_left_alone(home: Path) -> None:
    _run("backup", "target")
    restored = _run("restore", "target")
    assert restored.exit_code == 1
    assert "data is not empty" in restored.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["backup"], "Say where the backup goes"),
        (["backup", "nowhere"], "nowhere: make it, or mount what should be there. Nothing was kept of it."),
        (["backup", "target", "--passphrase-file", "nowhere"], "nowhere can't be read as a passphrase"),
        (["restore", "target", "--data", "new"], "There is no backup in target."),
        (["restore", "letter.wkbackup", "--data", "new"], "There is no letter.wkbackup"),
    ],
)
def test_what_can_not_be_done_is_said_in_one_line(home: Path, words: list[str], said: str) -> None:
    result = _run(*words)
    assert result.exit_code == 1
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_wrong_passphrase_restores_nothing(home: Path) -> None:
    _run("backup", "target", "--passphrase-file", "passphrase")
    (home / "passphrase").write_text("not the one that it was", encoding="utf-8")
    restored = _run("restore", "target", "--passphrase-file", "passphrase", "--data", "new")
    assert (restored.exit_code, "does not open" in restored.stderr) == (1, True)


def test_a_passphrase_is_asked_for_only_at_a_terminal(home: Path) -> None:
    _run("backup", "target", "--passphrase-file", "passphrase")
    restored = _run("restore", "target", "--data", "new")
    assert (restored.exit_code, "--passphrase-file" in restored.stderr) == (1, True)
