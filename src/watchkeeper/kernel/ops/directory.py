"""A directory `ops/` as a mapping from path to text, read without being led outside it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from watchkeeper.kernel.ops.documents import Complaints, OpsInvalid, Position
from watchkeeper.kernel.ops.yaml_file import LARGEST_FILE

MOST_FILES = 1_000
MOST_BYTES = 4_000_000
_READ = (".yaml", ".yml", ".md")


def read_directory(root: Path) -> dict[str, str]:
    """Path to text of every YAML and Markdown file below `root`; other files are there by name, without their text.

    Hidden files are left out. Raises OpsInvalid for links that leave the directory, files that are no text in UTF-8,
    and more than 1,000 files or 4 MB.
    """
    if not root.is_dir():
        raise OpsInvalid(f"{root} is not a directory.")
    complaints = Complaints()
    found: dict[str, str] = {}
    inside = root.resolve()
    size = 0
    for path in _files(root):
        name = path.relative_to(root).as_posix()
        if len(found) >= MOST_FILES or size > MOST_BYTES:
            complaints.add(Position(name), f"at most {MOST_FILES:,} files and {MOST_BYTES // 1_000_000} MB in {root}")
            break
        if not path.resolve().is_relative_to(inside):
            complaints.add(Position(name), "a file inside this directory, found a link that leaves it")
            continue
        text = _text(path, Position(name), complaints) if path.suffix in _READ else ""
        size += len(text)
        found[name] = text
    complaints.refuse_if_any()
    return found


def _files(root: Path) -> Iterator[Path]:
    # Not followed: a link to a folder could lead in circles. It is named like a file and refused if it leaves.
    for folder, folders, files in os.walk(root, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        yield from (Path(folder) / name for name in sorted([*files, *links]) if not name.startswith("."))


def _text(path: Path, at: Position, complaints: Complaints) -> str:
    try:
        # A pipe or a device would never end.
        if not stat.S_ISREG(path.stat().st_mode):
            complaints.add(at, "a regular file")
            return ""
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            complaints.add(at, f"a file of at most {LARGEST_FILE // 1_000_000} MB")
            return ""
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - (content.rfind(b"\n", 0, error.start) + 1) + 1
        complaints.add(Position(at.file, line, column), "text in UTF-8")
    except OSError as error:
        complaints.add(at, f"a file that can be read: {error.strerror}")
    return ""
