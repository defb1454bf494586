"""Runbooks as files on this machine: what is wrong with them, by the names of the ops/ directory that they are in."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from watchkeeper.app.console import CommandRefused
from watchkeeper.app.ops.kinds import KINDS
from watchkeeper.app.runbook_actions import ACTION_NAMES
from watchkeeper.app.runbook_links import Links
from watchkeeper.kernel.clock import SystemClock
from watchkeeper.kernel.ops import Complaints, Desired, Located, OpsInvalid, read_directory, read_files
from watchkeeper.kernel.ops.directory import read_file
from watchkeeper.modules.runbooks.lint import problems_of, refused
from watchkeeper.modules.runbooks.public import Content, Known, Problem
from watchkeeper.modules.runbooks.reading import content_of, read_text

_FOLDER = "runbooks"


def lint_files(paths: Sequence[Path], of_server: Known | None, links: Links | None = None) -> tuple[list[Problem], int]:
    """Problems of every runbook in these files and folders, and how many there are. Raises CommandRefused for none.

    Of a whole ops/ directory also the objectives and heartbeats that no runbook is about. With `links`, every address
    of the web is asked, once.
    """
    files = [file for path in paths for file in _runbooks(path)]
    if not files:
        raise CommandRefused(f"there are no runbooks in {', '.join(map(str, paths))}")
    today = SystemClock().now().date()
    found: list[Problem] = []
    contents: dict[Path, list[Content]] = {}
    around = cache(known_around)
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
        contents.setdefault(file.parent, []).append(read[1])
        known = around(file.parent)
        if of_server is not None:
            known = known.with_more(of_server)
        is_there = partial(_is_beside, file.parent)
        found += problems_of(read[1], known, today, file=file.as_posix(), is_there=is_there)
        if links is not None:
            found += links.problems(read[1], file.as_posix())
    for path in paths:
        if (path / _FOLDER).is_dir():
            found += _without_runbook(path, contents.get(path / _FOLDER, []))
    return found, len(files)


def _without_runbook(root: Path, contents: Sequence[Content]) -> list[Problem]:
    """Objectives and heartbeats that no runbook names: whoever is woken by them finds nothing."""
    desired = _desired(root)
    wakes = [*_objectives(desired), *desired.objects.get("heartbeat", ())] if desired is not None else []
    named = {alert.casefold() for one in contents for alert in one.alerts}
    return [
        Problem(
            "alert-without-runbook",
            f"expected a runbook that names {one.value.name} under alerts",
            f"{root.as_posix()}/{one.document.at.file}",
            one.document.at.line,
            one.document.at.column,
            "warning",
        )
        for one in wakes
        if str(one.value.name).casefold() not in named
    ]


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


def known_around(folder: Path) -> Known:
    """Names of the ops/ directory around a folder of runbooks; few are known where there is none that can be read."""
    known = Known(actions=ACTION_NAMES, anchors=_anchors_in(folder))
    root = next((one.parent for one in (folder.resolve(), *folder.resolve().parents) if one.name == _FOLDER), None)
    desired = _desired(root) if root is not None else None
    if desired is None:
        return known
    objectives = frozenset(str(one.value.name) for one in _objectives(desired))
    more = Known(
        services=_names(desired, "service") or None,
        alerts=(objectives | _names(desired, "heartbeat")) or None,
        objectives=objectives or None,
        parameters=_names(desired, "parameter") or None,
        owners=_owners(desired) or None,
    )
    return known.with_more(more)


def _desired(root: Path) -> Desired | None:
    """What the files of an ops/ directory say, but for its runbooks; None where they can't be read."""
    try:
        texts = {name: text for name, text in read_directory(root).items() if not name.startswith(f"{_FOLDER}/")}
        return read_files(texts, KINDS)
    except OpsInvalid:
        return None


def _anchors_in(folder: Path) -> dict[str, frozenset[str]]:
    found = {}
    for file in folder.glob("*.md"):
        try:
            content = content_of(file.stem, read_file(file))
        except OpsInvalid:
            continue  # of what can't be read another line tells
        found[file.stem] = frozenset(one.anchor for one in content.sections)
    return found


def _objectives(desired: Desired) -> list[Located[Any]]:
    # What else such files hold has its kind in its name, and a space between them.
    return [one for one in desired.objects.get("slo", ()) if " " not in str(one.value.name)]


def _names(desired: Desired, kind: str) -> frozenset[str]:
    return frozenset(str(one.value.name) for one in desired.objects.get(kind, ()))


def _owners(desired: Desired) -> frozenset[str]:
    """Teams, and whoever owns something in these files."""
    owned = [one.value for kind in ("service", "parameter") for one in desired.objects.get(kind, ())]
    return _names(desired, "team") | frozenset(str(one.owner) for one in owned if getattr(one, "owner", None))
