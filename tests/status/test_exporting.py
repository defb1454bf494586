"""The page as files, in a directory that is replaced at once, and never one of somebody else's."""

from __future__ import annotations

import json
import os
import re
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from markupsafe import escape
from typer.testing import CliRunner, Result

from tests.status.support import Stage
from watchkeeper.app.cli import cli
from watchkeeper.kernel.clock import rfc3339
from watchkeeper.modules.status.errors import ExportRefused
from watchkeeper.modules.status.exporting import MARK, export_files, kept_export, write_export
from watchkeeper.modules.status.keeping import FILE
from watchkeeper.modules.status.model import State

ONE = {"index.html": "one", "api/v2/summary.json": "{}"}
TWO = {"index.html": "two"}


def held(folder: Path) -> dict[str, str]:
    found = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
    del found[MARK]
    return found


def test_a_new_an_empty_and_a_former_directory_are_written(tmp_path: Path) -> None:
    write_export(tmp_path / "deep/new", ONE)
    assert held(tmp_path / "deep/new") == ONE
    (tmp_path / "empty").mkdir()
    write_export(tmp_path / "empty", ONE)
    write_export(tmp_path / "empty", TWO)
    assert held(tmp_path / "empty") == TWO
    assert sorted(one.name for one in tmp_path.iterdir()) == ["deep", "empty"]


def test_a_directory_with_other_things_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/thesis.txt").write_text("years of work")
    with pytest.raises(ExportRefused, match="holds other things"):
        write_export(tmp_path / "home", ONE)
    assert [one.name for one in (tmp_path / "home").iterdir()] == ["thesis.txt"]
    assert [one.name for one in tmp_path.iterdir()] == ["home"]


def test_a_file_and_a_link_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ExportRefused):
        write_export(tmp_path / "file", ONE)
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(ExportRefused, match="is a link"):
        write_export(tmp_path / "link", ONE)


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "a/../../outside"])
def test_a_server_can_t_have_files_written_elsewhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(ExportRefused):
        write_export(tmp_path / "out", {**ONE, name: "x"})
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_can_t_be_written_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ExportRefused, match="can't be written"):
        write_export(tmp_path / "file/below", ONE)


def test_whoever_looks_meanwhile_sees_the_old_or_the_new_and_nothing_between(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    write_export(folder, ONE)
    seen: set[str] = set()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            seen.add((folder / "index.html").read_text())

    reader = threading.Thread(target=look)
    reader.start()
    for number in range(60):
        write_export(folder, TWO if number % 2 else ONE)
    done.set()
    reader.join(60)
    assert not reader.is_alive()
    assert seen <= {"one", "two"}
    assert seen


def files_now(stage: Stage) -> dict[str, str]:
    return export_files(stage.snapshot())


def files_kept(stage: Stage) -> dict[str, str]:
    stage.keeper.renew()
    kept = kept_export(stage.folder)
    assert kept is not None
    assert kept[0] == rfc3339(stage.clock.now())
    return kept[1]


@pytest.mark.parametrize("made", [files_now, files_kept])
def test_an_export_stands_by_itself(stage: Stage, tmp_path: Path, made: Callable[[Stage], dict[str, str]]) -> None:
    hostile = 'href="/status/history" <a href="/status/subscribe">Subscribe</a>'
    component = stage.component(title="Sign-in", description=hostile)
    stage.told(components={component.id: State.MAJOR})
    files = made(stage)
    write_export(tmp_path / "site", files)
    for page in ("index.html", "history.html"):
        text = (tmp_path / "site" / page).read_text()
        for link in re.findall(r'href="([^"#]+)"', text):
            if not link.startswith(("data:", "http")):
                assert not os.path.isabs(link), link
                assert (tmp_path / "site" / link).is_file(), link
        assert ">Subscribe<" not in text
        assert page != "index.html" or str(escape(hostile)) in text
    assert json.loads((tmp_path / "site/api/v2/summary.json").read_text())["status"]["indicator"] == "critical"


def export_without_anything(data: Path, to: Path) -> Result:
    """Neither a server nor a database answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = f"postgresql://watch:secret@127.0.0.1:{free.getsockname()[1]}/watch"
    return CliRunner().invoke(cli, ["status", "export", str(to), "--data", str(data), "--database-url", nobody])


def test_without_server_and_database_what_was_rendered_last_is_exported(stage: Stage, tmp_path: Path) -> None:
    stage.component(title="Sign-in")
    stage.keeper.renew()
    found = export_without_anything(stage.folder, tmp_path / "site")
    assert found.exit_code == 0, found.output
    assert rfc3339(stage.clock.now()) in found.output
    assert "secret" not in found.output
    assert "Sign-in" in (tmp_path / "site/index.html").read_text()


@pytest.mark.parametrize("kept", [b"", b"{", b'{"at": 1, "files": {}}'])
def test_where_nothing_was_kept_either_the_export_says_what_is_away(tmp_path: Path, kept: bytes) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / FILE).write_bytes(kept)
    found = export_without_anything(tmp_path / "data", tmp_path / "site")
    assert found.exit_code == 1
    assert "database" in found.output
    assert not (tmp_path / "site").exists()
