"""The page as files that can live elsewhere, and how a directory of them is replaced as a whole."""

from __future__ import annotations

import ctypes
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from watchkeeper.kernel.clock import rfc3339
from watchkeeper.modules.status.errors import ExportRefused
from watchkeeper.modules.status.keeping import read_kept
from watchkeeper.modules.status.showing import HTML, Where, render
from watchkeeper.modules.status.snapshot import Snapshot

# A directory with this file in it is an export of ours, and may be replaced.
MARK = ".watchkeeper-status"
_MARKED = "Written by watchkeeper status export, which replaces this directory as a whole.\n"
_SERVED = Where(url="")
_LINKS = {
    f'<a href="{_SERVED.subscribe}">Subscribe</a>': "",
    f'href="{_SERVED.home}"': 'href="index.html"',
    f'href="{_SERVED.history}"': 'href="history.html"',
    f'href="{_SERVED.rss}"': 'href="history.rss"',
    f'href="{_SERVED.atom}"': 'href="history.atom"',
    f'href="{_SERVED.api}"': 'href="api/v2/summary.json"',
}
_AT_FDCWD, _EXCHANGE = -100, 2


def export_files(taken: Snapshot) -> dict[str, str]:
    """Path to text: pages that link to each other, whatever address they live at."""
    url = taken.page.url.rstrip("/")
    where = Where(
        url=url or "index.html",
        home="index.html",
        history="history.html",
        rss="history.rss",
        atom="history.atom",
        # Whoever may subscribe asks the server, which may be away when this is read.
        subscribe="",
        api="api/v2/summary.json",
        rss_url=f"{url}/history.rss" if url else "",
        atom_url=f"{url}/history.atom" if url else "",
    )
    return {name: body.decode() for name, (_, body) in render(taken, where).items()}


def kept_export(data: Path) -> tuple[str, dict[str, str]] | None:
    """From when it is, and the same files, from the rendering that a server keeps in its data directory; None where
    there is none that can be read."""
    held = read_kept(data)
    if held is None:
        return None
    files = {}
    for name, one in held.documents.items():
        text = one.body.decode()
        if one.media_type == HTML:
            # What people wrote holds none of these: its quotes are escaped.
            for there, here in _LINKS.items():
                text = text.replace(there, here)
        files[name] = text
    return rfc3339(held.at), files


def write_export(folder: Path, files: Mapping[str, str]) -> None:
    """Replace `folder` by these files, at once: whoever serves it sees the old ones or the new ones.

    Raises ExportRefused for a folder that is neither empty nor a former export, and for one that can't be written.
    """
    folder = folder.absolute()
    _require_ours(folder)
    beside = folder.with_name(f".{folder.name}.{secrets.token_hex(6)}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _fill(beside, files)
        if folder.exists():
            _exchange(beside, folder)
        else:
            beside.rename(folder)
    except OSError as error:
        raise ExportRefused(f"{folder} can't be written: {error.strerror}.") from None
    finally:
        # What is under this name now is what was there before, or what was not finished.
        shutil.rmtree(beside, ignore_errors=True)


def _require_ours(folder: Path) -> None:
    if folder.is_symlink():
        raise ExportRefused(f"{folder} is a link. Name the directory that it leads to.")
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ExportRefused(f"{folder} is no directory.")
    if any(folder.iterdir()) and not (folder / MARK).is_file():
        raise ExportRefused(f"{folder} holds other things. Name an empty directory, or one of a former export.")


def _fill(folder: Path, files: Mapping[str, str]) -> None:
    folder.mkdir()
    for name, text in {**files, MARK: _MARKED}.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise ExportRefused(f"The server named a file outside the directory: {name[:80]!r}.")
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


def _exchange(new: Path, old: Path) -> None:
    """Each gets the name of the other in one step, where the system can; else there is a moment without `old`."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        renameat2 = None
    if renameat2 is not None:
        names = (os.fsencode(new), os.fsencode(old))
        if renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _EXCHANGE) == 0:
            return
    away = old.with_name(f"{new.name}.old")
    old.rename(away)
    new.rename(old)
    away.rename(new)
