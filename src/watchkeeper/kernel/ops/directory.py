"""A directory `ops/` as a mapping from path to text, read and written without being led outside it."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from watchkeeper.kernel.ops.documents import Complaints, OpsInvalid, Position
from watchkeeper.kernel.ops.yaml_file import LARGEST_FILE

MOST_FILES = 5_000
MOST_BYTES = 4_000_000
LONGEST_PATH = 300
_READ = (".yaml", ".yml", ".md")


def read_directory(root: Path) -> dict[str, str]:
    """Path to text of every YAML and Markdown file below `root`; other files are there by name, without their text.

    Hidden files are left out. Raises OpsInvalid for links that leave the directory, files that are no text in UTF-8,
    and more than 5,000 files or 4 MB.
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


def read_file(path: Path) -> str:
    """The text of one file. Raises OpsInvalid for what is no file of at most 1 MB with text in UTF-8."""
    complaints = Complaints()
    text = _text(path, Position(path.as_posix()), complaints)
    complaints.refuse_if_any()
    return text


def write_directory(root: Path, files: Mapping[str, str], *, replace: bool) -> list[str]:
    """Write path → text below `root`, and answer the paths that were written; a file is replaced whole or not at all.

    Without `replace`, files that are there stay as they are. Raises OpsInvalid, before anything is written, for paths
    that lead outside.
    """
    complaints = Complaints()
    for name in files:
        if not is_clean(name) or not (root / name).parent.resolve().is_relative_to(root.resolve()):
            complaints.add(Position(name), f"a path inside {root}")
        elif (root / name).is_dir() or (root / name).is_symlink():
            complaints.add(Position(name), "a regular file")
    complaints.refuse_if_any()
    return [name for name, text in files.items() if _write(root / name, text, replace=replace)]


def is_clean(name: str) -> bool:
    """Whether a path names a file below its root, and nothing else."""
    parts = name.split("/")
    return len(name) <= LONGEST_PATH and name.isprintable() and not {"", ".", ".."} & set(parts) and "\\" not in name


def _write(path: Path, text: str, *, replace: bool) -> bool:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not replace or not path.exists():
        with contextlib.suppress(FileExistsError), path.open("xb") as file:
            file.write(text.encode())
            return True
        return False
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with part.open("xb") as file:
        file.write(text.encode())
    shutil.copymode(path, part)
    part.replace(path)
    return True


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
        before = content[: error.start].decode("utf-8").removeprefix("\ufeff")
        column = len(before) - (before.rfind("\n") + 1) + 1
        complaints.add(Position(at.file, before.count("\n") + 1, column), "text in UTF-8")
    except OSError as error:
        complaints.add(at, f"a file that can be read: {error.strerror}")
    return ""
