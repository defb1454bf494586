"""Runbooks as files on this machine: what is wrong with them, by the names of the ops/ directory that they are in."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from watchkeeper.app.console import CommandRefused
from watchkeeper.app.ops.kinds import KINDS
from watchkeeper.app.runbook_actions import ACTION_NAMES
from watchkeeper.kernel.clock import SystemClock
from watchkeeper.kernel.ops import Complaints, Desired, OpsInvalid, read_directory, read_files
from watchkeeper.kernel.ops.directory import read_file
from watchkeeper.modules.runbooks.lint import problems_of, refused
from watchkeeper.modules.runbooks.public import Known, Problem
from watchkeeper.modules.runbooks.reading import read_text

_FOLDER = "runbooks"


def lint_files(paths: Sequence[Path], of_server: Known | None) -> tuple[list[Problem], int]:
    """Problems of every runbook in these files and folders, and how many there are. Raises CommandRefused for none."""
    files = [file for path in paths for file in _runbooks(path)]
    if not files:
        raise CommandRefused(f"there are no runbooks in {', '.join(map(str, paths))}")
    today = SystemClock().now().date()
    found: list[Problem] = []
    for file in files:
        complaints = Complaints()
        try:
            read = read_text(file.as_posix(), read_file(file), complaints)
        except OpsInvalid as refusal:
            raise CommandRefused(*(f"{one.where}: {one.expected}" for one in refusal.complaints)) from None
        wrong = refused(complaints)
        if wrong or read is None:
            found += wrong
            continue
        known = known_around(file)
        if of_server is not None:
            known = known.with_more(of_server)
        found += problems_of(
            read[1],
            known,
            today,
            file=file.as_posix(),
            is_there=partial(_is_beside, file.parent),
        )
    return found, len(files)


def _is_beside(folder: Path, target: str) -> bool:
    return (folder / target).exists()


def _runbooks(path: Path) -> list[Path]:
    if path.is_dir():
        # Of a whole ops/ directory only its runbooks; of a folder of runbooks all.
        folder = path / _FOLDER if (path / _FOLDER).is_dir() else path
        return [one for one in sorted(folder.rglob("*.md")) if one.name != "README.md"]
    if not path.is_file():
        raise CommandRefused(f"{path}: there is no such file")
    return [path]


def known_around(file: Path) -> Known:
    """Names of the ops/ directory around a file; nothing is known where there is none, or where it can't be read."""
    root = next((one.parent for one in file.resolve().parents if one.name == _FOLDER), None)
    if root is None:
        return Known(actions=ACTION_NAMES)
    try:
        texts = {name: text for name, text in read_directory(root).items() if not name.startswith(f"{_FOLDER}/")}
        desired = read_files(texts, KINDS)
    except OpsInvalid:
        return Known(actions=ACTION_NAMES)
    services = _names(desired, "service")
    alerts = _names(desired, "slo") | _names(desired, "heartbeat")
    return Known(
        services=services or None,
        alerts=alerts or None,
        parameters=_names(desired, "parameter") or None,
        owners=_owners(desired) or None,
        actions=ACTION_NAMES,
    )


def _names(desired: Desired, kind: str) -> frozenset[str]:
    return frozenset(str(one.value.name) for one in desired.objects.get(kind, ()))


def _owners(desired: Desired) -> frozenset[str]:
    """Teams, and whoever owns something in these files."""
    owned = [one.value for kind in ("service", "parameter") for one in desired.objects.get(kind, ())]
    return _names(desired, "team") | frozenset(str(one.owner) for one in owned if getattr(one, "owner", None))
