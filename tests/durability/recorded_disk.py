"""What SQLite asks of the disk, in order, and what a disk without power keeps of it.

A VFS laid over SQLite's own hands every write, truncation, sync and deletion on and notes it. It sits in the library
that Python's `sqlite3` uses, so that what is recorded is what Watchkeeper does, unchanged.
"""

from __future__ import annotations

import _sqlite3
import ctypes
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

SECTOR = 512

_POINTER = ctypes.c_void_p
_OPEN = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, _POINTER, _POINTER, ctypes.c_int, _POINTER)
_DELETE = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, _POINTER, ctypes.c_int)
_WRITE = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, _POINTER, ctypes.c_int, ctypes.c_int64)
_TRUNCATE = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, ctypes.c_int64)
_SYNC = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, ctypes.c_int)


class _Vfs(ctypes.Structure):
    _fields_ = (
        ("version", ctypes.c_int),
        ("file_size", ctypes.c_int),
        ("path_size", ctypes.c_int),
        ("next", _POINTER),
        ("name", ctypes.c_char_p),
        ("data", _POINTER),
        ("open", _POINTER),
        ("delete", _POINTER),
        ("others", _POINTER * 14),
    )


class _Methods(ctypes.Structure):
    _fields_ = (
        ("version", ctypes.c_int),
        ("close", _POINTER),
        ("read", _POINTER),
        ("write", _POINTER),
        ("truncate", _POINTER),
        ("sync", _POINTER),
        ("others", _POINTER * 13),
    )


@dataclass(frozen=True)
class Step:
    """One thing asked of the disk, or `told`: somebody outside learned that `number` is safe."""

    kind: Literal["write", "truncate", "sync", "delete", "told"]
    file: str = ""
    at: int = 0
    content: bytes = b""
    number: int = 0
    durable: bool = False


@dataclass
class Recording:
    """Steps on the files of one folder, in the order in which they happened."""

    folder: Path
    steps: list[Step] = field(default_factory=list)

    def tell(self, number: int) -> None:
        """Note that the outside was told."""
        self.steps.append(Step("told", number=number))

    def note(self, path: str, step: Step) -> None:
        if Path(path).parent == self.folder:
            self.steps.append(step)


class _Recorder:
    """One for the process: open files keep its functions for as long as they are open."""

    def __init__(self) -> None:
        self.recording: Recording | None = None
        self._library = ctypes.CDLL(_sqlite3.__file__)
        self._library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
        self._below = self._library.sqlite3_vfs_find(None)
        self._paths: dict[int, str] = {}
        self._tables: dict[int, _Methods] = {}
        self._kept: list[Any] = []
        self._vfs = _Vfs.from_buffer_copy(self._below.contents)
        self._vfs.next = None
        self._vfs.name = b"recorded"
        self._vfs.open = self._address(_OPEN(self._open))
        self._vfs.delete = self._address(_DELETE(self._delete))

    @contextmanager
    def on(self, recording: Recording) -> Iterator[Recording]:
        self.recording = recording
        self._library.sqlite3_vfs_register(ctypes.byref(self._vfs), 1)
        try:
            yield recording
        finally:
            self._library.sqlite3_vfs_register(self._below, 1)
            self._library.sqlite3_vfs_unregister(ctypes.byref(self._vfs))
            self.recording = None

    def _open(self, _vfs: int, name: int | None, file: int, flags: int, given: int | None) -> int:
        below = _OPEN(self._below.contents.open)
        code = int(below(ctypes.cast(self._below, _POINTER), name, file, flags, given))
        slot = ctypes.cast(file, ctypes.POINTER(_POINTER))
        if code == 0 and name and slot[0]:
            self._paths[file] = ctypes.string_at(name).decode()
            slot[0] = ctypes.addressof(self._table(slot[0]))
        return code

    def _delete(self, _vfs: int, name: int, sync: int) -> int:
        path = ctypes.string_at(name).decode()
        self._note(path, Step("delete", Path(path).name, durable=bool(sync)))
        return int(_DELETE(self._below.contents.delete)(ctypes.cast(self._below, _POINTER), name, sync))

    def _table(self, below_at: int) -> _Methods:
        if below_at not in self._tables:
            below = _Methods.from_address(below_at)
            table = _Methods.from_buffer_copy(below)
            write, truncate, sync = _WRITE(below.write), _TRUNCATE(below.truncate), _SYNC(below.sync)

            def on_write(file: int, content: int, size: int, at: int) -> int:
                path = self._paths[file]
                self._note(path, Step("write", Path(path).name, at, ctypes.string_at(content, size)))
                return int(write(file, content, size, at))

            def on_truncate(file: int, size: int) -> int:
                self._note(self._paths[file], Step("truncate", Path(self._paths[file]).name, size))
                return int(truncate(file, size))

            def on_sync(file: int, flags: int) -> int:
                code = int(sync(file, flags))
                self._note(self._paths[file], Step("sync", Path(self._paths[file]).name))
                return code

            table.write = self._address(_WRITE(on_write))
            table.truncate = self._address(_TRUNCATE(on_truncate))
            table.sync = self._address(_SYNC(on_sync))
            self._tables[below_at] = table
        return self._tables[below_at]

    def _note(self, path: str, step: Step) -> None:
        if self.recording is not None:
            self.recording.note(path, step)

    def _address(self, function: Any) -> int | None:
        self._kept.append(function)
        return ctypes.cast(function, _POINTER).value


_recorders: list[_Recorder] = []


@contextmanager
def recording(folder: Path) -> Iterator[Recording]:
    """Record what connections that are opened in the block do to files directly in `folder`."""
    if not _recorders:
        _recorders.append(_Recorder())
    with _recorders[0].on(Recording(folder)) as made:
        yield made


@dataclass
class Disk:
    """Files by name: what is surely kept, and what was asked since the last sync of each."""

    kept: dict[str, bytearray]
    asked: dict[str, list[Step]] = field(default_factory=dict)

    def take(self, step: Step) -> None:
        """The next step, while there is power."""
        if step.kind == "sync":
            for one in self.asked.pop(step.file, []):
                _apply(self.kept, one)
        elif step.kind == "delete" and step.durable:
            self.asked.pop(step.file, None)
            _apply(self.kept, step)
        elif step.kind != "told":
            self.asked.setdefault(step.file, []).append(step)

    def after_cut(self, chance: random.Random) -> dict[str, bytes]:
        """What is found after the power comes back: of what was not synced nothing, all, some, or torn sectors."""
        found = {name: bytearray(content) for name, content in self.kept.items()}
        for steps in self.asked.values():
            how = chance.choice(("nothing", "all", "some", "torn", "torn"))
            share = chance.random()
            for step in steps:
                if how == "nothing" or (how != "all" and step.kind != "write" and chance.random() > share):
                    continue
                if how == "some" and chance.random() > share:
                    continue
                for piece in _sectors(step) if how == "torn" and step.kind == "write" else [step]:
                    if how != "torn" or chance.random() <= share:
                        _apply(found, piece)
        return {name: bytes(content) for name, content in found.items()}


def _sectors(step: Step) -> Iterator[Step]:
    """The write, cut where sectors of the disk end."""
    start = 0
    while start < len(step.content):
        end = start + SECTOR - (step.at + start) % SECTOR
        yield Step("write", step.file, step.at + start, step.content[start:end])
        start = end


def _apply(files: dict[str, bytearray], step: Step) -> None:
    if step.kind == "delete":
        files.pop(step.file, None)
        return
    content = files.setdefault(step.file, bytearray())
    if step.kind == "truncate":
        del content[step.at :]
        content.extend(bytes(step.at - len(content)))
        return
    content.extend(bytes(max(0, step.at - len(content))))
    content[step.at : step.at + len(step.content)] = step.content
