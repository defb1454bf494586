"""What the house rules look at: the files of this repository."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src/watchkeeper"
MODULES = SOURCE / "modules"
# What is shipped or run by somebody; tests may be looser.
PROGRAMS = ("src", "client/src", "examples", "bench", "scripts")


@cache
def tracked() -> tuple[Path, ...]:
    """Every file that is committed or about to be, so that a rule speaks before the commit."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):  # an unpacked archive
        return tuple(path for path in ROOT.rglob("*") if path.is_file() and not _is_rubbish(path))
    return tuple(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


def files(ending: str, *folders: str) -> list[Path]:
    """Tracked files with that ending under one of the folders; under any, when none is named."""
    under = [ROOT / folder for folder in folders] or [ROOT]
    return [path for path in tracked() if path.name.endswith(ending) and any(path.is_relative_to(one) for one in under)]


def shown(path: Path) -> str:
    """The path as people write it."""
    return path.relative_to(ROOT).as_posix()


@cache
def parsed(path: Path) -> ast.Module:
    """The syntax tree of one file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method, nested ones too."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def _is_rubbish(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    return any(part.startswith(".") and part != ".ci" for part in parts) or "__pycache__" in parts
