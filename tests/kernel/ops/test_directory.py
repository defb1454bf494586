"""Reading a directory: everything below it, nothing outside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from watchkeeper.kernel.ops import OpsInvalid, directory, read_directory


def _complaints(root: Path) -> list[str]:
    with pytest.raises(OpsInvalid) as refused:
        read_directory(root)
    return [f"{one.where}: {one.expected}" for one in refused.value.complaints]


@pytest.fixture
def ops(tmp_path: Path) -> Path:
    root = tmp_path / "ops"
    (root / "services").mkdir(parents=True)
    (root / "services" / "web.yaml").write_text("name: web\r\n", encoding="utf-8", newline="")
    return root


def test_files_are_named_by_their_path_below_the_directory(ops: Path) -> None:
    (ops / "runbooks").mkdir()
    (ops / "runbooks" / "restart.md").write_text("# é\n", encoding="utf-8")
    assert read_directory(ops) == {"runbooks/restart.md": "# é\n", "services/web.yaml": "name: web\r\n"}


def test_hidden_files_are_left_out_and_others_are_known_by_name_only(ops: Path) -> None:
    (ops / ".git").mkdir()
    (ops / ".git" / "config.yaml").write_text("x", encoding="utf-8")
    (ops / "services" / ".web.yaml.swp").write_bytes(b"\xff")
    (ops / "services" / "logo.png").write_bytes(b"\x89PNG")
    assert read_directory(ops) == {"services/logo.png": "", "services/web.yaml": "name: web\r\n"}


def test_a_link_that_leaves_the_directory_is_refused_and_its_target_not_read(ops: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_text("password: x", encoding="utf-8")
    (ops / "services" / "a.yaml").symlink_to(tmp_path / "secret.yaml")
    (ops / "elsewhere").symlink_to(tmp_path)
    assert _complaints(ops) == [
        "elsewhere:1:1: expected a file inside this directory, found a link that leaves it",
        "services/a.yaml:1:1: expected a file inside this directory, found a link that leaves it",
    ]


def test_a_link_inside_the_directory_is_followed_but_never_in_circles(ops: Path) -> None:
    (ops / "services" / "also.yaml").symlink_to(ops / "services" / "web.yaml")
    (ops / "services" / "again").symlink_to(ops)
    assert read_directory(ops)["services/also.yaml"] == "name: web\r\n"


def test_text_that_is_not_utf_8_is_named_by_line_and_column(ops: Path) -> None:
    (ops / "services" / "bad.yaml").write_bytes(b"name: a\ntitle: caf\xe9\n")
    assert _complaints(ops) == ["services/bad.yaml:2:11: expected text in UTF-8"]


def test_a_pipe_is_refused_instead_of_waited_for(ops: Path) -> None:
    os.mkfifo(ops / "services" / "pipe.yaml")
    assert _complaints(ops) == ["services/pipe.yaml:1:1: expected a regular file"]


def test_a_link_to_nowhere_is_a_file_that_can_not_be_read(ops: Path) -> None:
    (ops / "services" / "gone.yaml").symlink_to(ops / "services" / "nothing.yaml")
    (complaint,) = _complaints(ops)
    assert complaint.startswith("services/gone.yaml:1:1: expected a file that can be read")


def test_too_large_and_too_many_are_refused(ops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (ops / "services" / "large.yaml").write_text("a" * 1_000_001, encoding="utf-8")
    assert _complaints(ops) == ["services/large.yaml:1:1: expected a file of at most 1 MB"]
    (ops / "services" / "large.yaml").unlink()
    monkeypatch.setattr(directory, "MOST_FILES", 3)
    for number in range(5):
        (ops / "services" / f"{number}.yaml").write_text("", encoding="utf-8")
    (complaint,) = _complaints(ops)
    assert "at most 3 files" in complaint


def test_what_is_no_directory_is_refused(ops: Path) -> None:
    with pytest.raises(OpsInvalid, match="not a directory"):
        read_directory(ops / "services" / "web.yaml")
